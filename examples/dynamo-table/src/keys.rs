//! Where items lie: `{table partition}sort`. What stands between the braces is the tag that chooses the
//! shard, so all items of a partition are together, in the order of their sort keys.

use serde_json::Value;

use crate::failure::Failure;
use crate::item::{Item, binary, typed};
use crate::number;
use crate::schema::{KeyAttribute, Table};

/// Longest key in the store.
const KEY_MAX: usize = 4096;

/// Longest parts, as in DynamoDB.
const PARTITION_MAX: usize = 2048;
const SORT_MAX: usize = 1024;

/// The key of an item, from its key attributes.
///
/// # Errors
/// `ValidationException` when one is missing, of another type, empty or too long.
pub(crate) fn of_item(table: &Table, item: &Item) -> Result<Vec<u8>, Failure> {
    let mut key = partition(table, value_of(item, &table.partition)?)?;
    if let Some(sort) = &table.sort {
        key.extend(self::sort(sort, value_of(item, sort)?)?);
    }
    check(key)
}

/// The same for a `Key`, which holds nothing else.
pub(crate) fn of_key(table: &Table, key: &Item) -> Result<Vec<u8>, Failure> {
    if key.len() != table.key_names().count() {
        return Err(Failure::invalid(
            "The provided key element does not match the schema",
        ));
    }
    of_item(table, key)
}

fn check(key: Vec<u8>) -> Result<Vec<u8>, Failure> {
    if key.len() > KEY_MAX {
        let message = "One or more parameter values were invalid: the keys are too long together";
        return Err(Failure::invalid(message));
    }
    Ok(key)
}

fn value_of<'a>(item: &'a Item, attribute: &KeyAttribute) -> Result<&'a Value, Failure> {
    let missing = || {
        let name = &attribute.name;
        Failure::invalid(format!(
            "One or more parameter values were invalid: Missing the key {name} in the item"
        ))
    };
    item.get(&attribute.name).ok_or_else(missing)
}

/// The beginning of all items of a table, and of no others.
pub(crate) fn table_prefix(table: &Table) -> Vec<u8> {
    format!("{{{}", table.id).into_bytes()
}

/// The beginning of all items of a partition: with its closing brace it is the tag.
pub(crate) fn partition(table: &Table, value: &Value) -> Result<Vec<u8>, Failure> {
    let bytes = key_bytes(&table.partition, value, PARTITION_MAX)?;
    let mut key = table_prefix(table);
    for byte in bytes {
        match byte {
            // A closing brace would end the tag.
            b'}' => key.extend([0x01, 0x02]),
            0x01 => key.extend([0x01, 0x01]),
            other => key.push(other),
        }
    }
    key.push(b'}');
    check(key)
}

/// Where the answer to a request is remembered: beside the items of the partition, and not among them.
pub(crate) fn marker(tag: &[u8], invocation: &str) -> Vec<u8> {
    [b"m", tag, invocation.as_bytes()].concat()
}

/// The beginning of all remembered answers of a table.
pub(crate) fn marker_prefix(table: &Table) -> Vec<u8> {
    [b"m".as_slice(), &table_prefix(table)].concat()
}

/// What follows: bytes that sort as the values do.
pub(crate) fn sort(attribute: &KeyAttribute, value: &Value) -> Result<Vec<u8>, Failure> {
    key_bytes(attribute, value, SORT_MAX)
}

fn key_bytes(attribute: &KeyAttribute, value: &Value, max: usize) -> Result<Vec<u8>, Failure> {
    let KeyAttribute { name, kind } = attribute;
    let content = typed(value).filter(|(found, _)| found == kind);
    let content = content.and_then(|(_, content)| content.as_str()).ok_or_else(|| {
        Failure::invalid(format!(
            "One or more parameter values were invalid: Type mismatch for key {name} expected: {kind}"
        ))
    })?;
    let bytes = match kind.as_str() {
        "N" => {
            let mut out = Vec::new();
            number::encode(&number::parse(content)?, &mut out);
            out
        }
        "B" => binary(content)?,
        _ => content.as_bytes().to_vec(),
    };
    if bytes.is_empty() || bytes.len() > max {
        let length = bytes.len();
        return Err(Failure::invalid(format!(
            "One or more parameter values are not valid. The key attribute {name} has {length} bytes; \
             1 to {max} are allowed"
        )));
    }
    Ok(bytes)
}

/// The first key behind `key`.
pub(crate) fn after(mut key: Vec<u8>) -> Vec<u8> {
    key.push(0);
    key
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use repertoire::core::slot_of;
    use serde_json::json;

    use super::*;

    fn table() -> Table {
        Table::example()
    }

    proptest! {
        #[test]
        fn items_of_a_partition_share_a_slot_and_sort_by_their_sort_keys(
            partition in ".{1,20}", one in -1000_i32..1000, other in -1000_i32..1000,
        ) {
            let key = |sort: i32| {
                let item = json!({"pk": {"S": partition}, "sk": {"N": sort.to_string()}});
                of_item(&table(), item.as_object().unwrap()).unwrap()
            };
            let (first, second) = (key(one), key(other));
            prop_assert_eq!(slot_of(&first), slot_of(&second));
            prop_assert_eq!(first.cmp(&second), one.cmp(&other));
        }

        #[test]
        fn partitions_never_share_a_key(one in "[a}\u{1}\u{2}{]{1,6}", other in "[a}\u{1}\u{2}{]{1,6}") {
            let of = |text: &str| partition(&table(), &json!({"S": text})).unwrap();
            let (first, second) = (of(&one), of(&other));
            prop_assert_eq!(one == other, first == second);
            prop_assert!(one == other || !first.starts_with(&second));
        }
    }
}

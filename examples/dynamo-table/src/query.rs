//! Items of one partition, in the order of their sort keys.

use repertoire::core::{Row, end_of_prefix};
use serde_json::{Value, json};

use crate::api::{Front, Request, project, projection};
use crate::expression::{Comparison, Condition, Operand, Words, holds, parse_condition};
use crate::failure::Failure;
use crate::function::decode_item;
use crate::item::{Item, typed};
use crate::keys;
use crate::schema::Table;

/// Most bytes of items that are looked at for one answer.
const PAGE_BYTES: usize = 1 << 20;

/// Items that are read at once.
const ROWS_AT_ONCE: usize = 128;

/// A range of keys: from the first to the first that is not wanted any more.
#[derive(Debug)]
struct Range {
    from: Vec<u8>,
    to: Vec<u8>,
}

/// What was found.
#[derive(Default)]
struct Page {
    items: Vec<Item>,
    looked_at: usize,
    /// The last item that was looked at, when there are more.
    last: Option<Item>,
}

impl Front {
    pub(crate) async fn query(&self, request: &Request) -> Result<Value, Failure> {
        let table = self.table(&request.body).await?;
        for field in [
            "IndexName",
            "KeyConditions",
            "QueryFilter",
            "AttributesToGet",
        ] {
            if request.body.get(field).is_some() {
                return Err(Failure::invalid(format!("{field} is not supported")));
            }
        }
        let words = Words::of(&request.body)?;
        let wanted = request.text("KeyConditionExpression");
        let wanted = wanted.ok_or_else(|| Failure::invalid("KeyConditionExpression is missing"))?;
        let mut range = range(&table, parse_condition(wanted, &words)?)?;
        let is_ascending = request
            .body
            .get("ScanIndexForward")
            .and_then(Value::as_bool)
            != Some(false);
        if request.body.get("ExclusiveStartKey").is_some() {
            let start = keys::of_key(&table, &request.item("ExclusiveStartKey")?)?;
            if is_ascending {
                range.from = keys::after(start).max(range.from);
            } else {
                range.to = start.min(range.to);
            }
        }
        let filter = request.text("FilterExpression");
        let filter = filter
            .map(|text| parse_condition(text, &words))
            .transpose()?;
        let projection = projection(request)?;
        let mut page = self
            .page(&table, request, range, is_ascending, filter.as_ref())
            .await?;
        for item in &mut page.items {
            project(item, projection.as_deref());
        }
        Ok(page.answer(request.text("Select") == Some("COUNT")))
    }

    async fn page(
        &self,
        table: &Table,
        request: &Request,
        range: Range,
        is_ascending: bool,
        filter: Option<&Condition>,
    ) -> Result<Page, Failure> {
        let limit = match request.body.get("Limit").map(Value::as_u64) {
            None => usize::MAX,
            Some(Some(limit @ 1..)) => usize::try_from(limit).unwrap_or(usize::MAX),
            Some(_) => return Err(Failure::invalid("Limit must be at least 1")),
        };
        let mut page = Page::default();
        if !range.to.is_empty() && range.from >= range.to {
            return Ok(page);
        }
        let items = self.reading(request);
        // One tag, one shard.
        let shard = items.descriptor().placement.slots.shard_of(&range.from);
        let mut rows = items.rows_of(shard, &range.from, &range.to);
        let mut bytes = 0;
        let mut all: Vec<Row> = Vec::new();
        while let Some(found) = rows.next(ROWS_AT_ONCE).await? {
            bytes += found.iter().map(|row| row.value.len()).sum::<usize>();
            all.extend(found);
            // From the end the whole range is read: the store scans in one direction.
            if is_ascending && (all.len() > limit || bytes > PAGE_BYTES) {
                break;
            }
        }
        if !is_ascending {
            all.reverse();
        }
        page.take(table, &all, limit, filter)?;
        Ok(page)
    }
}

impl Page {
    fn take(
        &mut self,
        table: &Table,
        rows: &[Row],
        limit: usize,
        filter: Option<&Condition>,
    ) -> Result<(), Failure> {
        let mut bytes = 0;
        for row in rows {
            if self.looked_at >= limit || bytes > PAGE_BYTES {
                return Ok(());
            }
            let item = decode_item(&row.value)?;
            bytes += row.value.len();
            self.looked_at += 1;
            let mut key = item.clone();
            key.retain(|name, _| table.key_names().any(|it| it == name));
            self.last = (self.looked_at < rows.len()).then_some(key);
            if filter.is_none_or(|filter| holds(filter, &item)) {
                self.items.push(item);
            }
        }
        Ok(())
    }

    fn answer(self, is_count: bool) -> Value {
        let mut answer = json!({"Count": self.items.len(), "ScannedCount": self.looked_at});
        if let Some(answer) = answer.as_object_mut() {
            if !is_count {
                answer.insert("Items".into(), json!(self.items));
            }
            if let Some(last) = self.last {
                answer.insert("LastEvaluatedKey".into(), last.into());
            }
        }
        answer
    }
}

fn unfit() -> Failure {
    Failure::invalid(
        "Query key condition not supported: it takes the partition key = a value, and perhaps AND one \
         comparison, BETWEEN or begins_with of the sort key",
    )
}

/// The range of keys that a key condition means.
fn range(table: &Table, condition: Condition) -> Result<Range, Failure> {
    let (of_partition, of_sort) = match condition {
        Condition::And(one, other) if partition_of(table, &one).is_some() => (*one, Some(*other)),
        Condition::And(one, other) => (*other, Some(*one)),
        alone => (alone, None),
    };
    let partition = partition_of(table, &of_partition).ok_or_else(unfit)?;
    let base = keys::partition(table, partition)?;
    match of_sort {
        None => Ok(Range {
            to: end_of_prefix(&base),
            from: base,
        }),
        Some(condition) => sort_range(table, &base, &condition),
    }
}

fn partition_of<'a>(table: &Table, condition: &'a Condition) -> Option<&'a Value> {
    match condition {
        Condition::Compare(Operand::Attribute(name), Comparison::Equal, Operand::Value(value))
            if *name == table.partition.name =>
        {
            Some(value)
        }
        _ => None,
    }
}

fn sort_range(table: &Table, base: &[u8], condition: &Condition) -> Result<Range, Failure> {
    let attribute = table.sort.as_ref().ok_or_else(unfit)?;
    let is_it = |operand: &Operand| *operand == Operand::Attribute(attribute.name.clone());
    let key = |value: &Value| Ok::<_, Failure>([base, &keys::sort(attribute, value)?].concat());
    let (first, behind) = (base.to_vec(), end_of_prefix(base));
    let (from, to) = match condition {
        Condition::Compare(left, how, Operand::Value(value)) if is_it(left) => {
            let key = key(value)?;
            match how {
                Comparison::Equal => (key.clone(), keys::after(key)),
                Comparison::Less => (first, key),
                Comparison::LessOrEqual => (first, keys::after(key)),
                Comparison::Greater => (keys::after(key), behind),
                Comparison::GreaterOrEqual => (key, behind),
                Comparison::Unequal => return Err(unfit()),
            }
        }
        Condition::Between(of, Operand::Value(low), Operand::Value(high)) if is_it(of) => {
            (key(low)?, keys::after(key(high)?))
        }
        Condition::BeginsWith(of, Operand::Value(start)) if is_it(of) => {
            if typed(start).is_some_and(|(kind, _)| kind == "N") {
                return Err(unfit());
            }
            let prefix = key(start)?;
            (prefix.clone(), end_of_prefix(&prefix))
        }
        _ => return Err(unfit()),
    };
    Ok(Range { from, to })
}

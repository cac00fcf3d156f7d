//! Items, and the values of their attributes: JSON as clients send it, in one spelling.

use std::cmp::Ordering;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use crate::failure::Failure;
use crate::number;

/// An item: attribute values by name.
pub(crate) type Item = Map<String, Value>;

/// Longest item, as it is stored.
pub(crate) const ITEM_MAX: usize = 400 * 1024;

/// Deepest value.
const DEPTH_MAX: usize = 32;

/// Checks an item, and spells equal values the same.
pub(crate) fn normalize(item: &mut Item) -> Result<(), Failure> {
    for (name, value) in item.iter_mut() {
        if name.is_empty() {
            return Err(Failure::invalid("An attribute has an empty name"));
        }
        normalize_value(value, DEPTH_MAX)?;
    }
    Ok(())
}

/// Refuses items that are too long.
pub(crate) fn check_size(item: &Item) -> Result<(), Failure> {
    let bytes = serde_json::to_vec(item).map_or(usize::MAX, |bytes| bytes.len());
    if bytes > ITEM_MAX {
        let message = "Item size has exceeded the maximum allowed size";
        return Err(Failure::invalid(message));
    }
    Ok(())
}

/// The type and the content of a value.
pub(crate) fn typed(value: &Value) -> Option<(&str, &Value)> {
    let object = value.as_object()?;
    let mut entries = object.iter();
    let (kind, content) = entries.next()?;
    entries.next().is_none().then_some((kind.as_str(), content))
}

pub(crate) fn normalize_value(value: &mut Value, depth: usize) -> Result<(), Failure> {
    let wrong = || {
        Failure::invalid(
            "Supplied AttributeValue is empty, must contain exactly one of the supported datatypes",
        )
    };
    let object = value.as_object_mut().filter(|it| it.len() == 1);
    let (kind, content) = object
        .and_then(|it| it.iter_mut().next())
        .ok_or_else(wrong)?;
    match (kind.as_str(), content) {
        ("S", Value::String(_)) | ("BOOL", Value::Bool(_)) | ("NULL", Value::Bool(true)) => {}
        ("N", Value::String(text)) => *text = number::canonical(&number::parse(text)?),
        ("B", Value::String(text)) => *text = STANDARD.encode(binary(text)?),
        ("SS", Value::Array(set)) => normalize_set(set, |_| Ok(()))?,
        ("NS", Value::Array(set)) => normalize_set(set, |text| {
            *text = number::canonical(&number::parse(text)?);
            Ok(())
        })?,
        ("BS", Value::Array(set)) => normalize_set(set, |text| {
            *text = STANDARD.encode(binary(text)?);
            Ok(())
        })?,
        ("L" | "M", _) if depth == 0 => {
            return Err(Failure::invalid(
                "Nesting Levels have exceeded supported limits",
            ));
        }
        ("L", Value::Array(list)) => {
            for value in list {
                normalize_value(value, depth - 1)?;
            }
        }
        ("M", Value::Object(map)) => {
            for value in map.values_mut() {
                normalize_value(value, depth - 1)?;
            }
        }
        _ => return Err(wrong()),
    }
    Ok(())
}

fn normalize_set(
    set: &mut Vec<Value>,
    spell: impl Fn(&mut String) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for member in set.iter_mut() {
        match member {
            Value::String(text) => spell(text)?,
            _ => return Err(Failure::invalid("A set holds something of another type")),
        }
    }
    set.sort_unstable_by(|a, b| a.as_str().cmp(&b.as_str()));
    let before = set.len();
    set.dedup();
    if set.is_empty() || set.len() < before {
        let message =
            "One or more parameter values were invalid: a set is empty or contains duplicates";
        return Err(Failure::invalid(message));
    }
    Ok(())
}

/// The bytes of a binary value.
pub(crate) fn binary(text: &str) -> Result<Vec<u8>, Failure> {
    let invalid = |_| Failure::invalid("A binary value is no base64");
    STANDARD.decode(text).map_err(invalid)
}

/// How two values of one type compare; nothing for types that have no order.
pub(crate) fn compare(one: &Value, other: &Value) -> Option<Ordering> {
    let ((kind, one), (other_kind, other)) = (typed(one)?, typed(other)?);
    let (one, other) = (one.as_str()?, other.as_str()?);
    match kind {
        _ if kind != other_kind => None,
        "S" => Some(one.cmp(other)),
        "N" => Some(number::parse(one).ok()?.cmp(&number::parse(other).ok()?)),
        "B" => Some(binary(one).ok()?.cmp(&binary(other).ok()?)),
        _ => None,
    }
}

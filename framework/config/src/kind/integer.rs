//! Whole numbers.

use serde_json::Value as Json;

use super::Complaint;
use crate::tree::{Tree, Value};

/// Checks a number against its range; `word` may stand in for it.
pub(super) fn check(
    tree: &Tree,
    min: u64,
    max: u64,
    word: Option<&str>,
) -> Result<Json, Complaint> {
    let or_word = word.map_or_else(String::new, |word| format!("\"{word}\" or "));
    let range = if max == i64::MAX.unsigned_abs() {
        format!("{min} or more")
    } else {
        format!("{min} to {max}")
    };
    let remedy = format!("write {or_word}a whole number, {range}, without quotes");
    match &tree.value {
        Value::Text(text) if Some(text.as_str()) == word => Ok(Json::String(text.clone())),
        Value::Integer(number) => {
            let fits = u64::try_from(*number)
                .ok()
                .filter(|n| (min..=max).contains(n));
            let outside = || Complaint::new(format!("it must be {or_word}{range}"), remedy.clone());
            fits.map(Json::from).ok_or_else(outside)
        }
        Value::Text(_) if word.is_some() => Err(Complaint::new(
            format!("it must be {or_word}a number"),
            remedy,
        )),
        Value::Text(_)
        | Value::Flag(_)
        | Value::Float(_)
        | Value::List(_)
        | Value::Table(_)
        | Value::Foreign(_) => Err(Complaint::mistyped(tree, remedy)),
    }
}

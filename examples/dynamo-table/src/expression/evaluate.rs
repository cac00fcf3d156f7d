//! Whether a condition holds for an item.

use serde_json::Value;

use super::{Comparison, Condition, Operand};
use crate::item::{Item, binary, compare, typed};

/// Whether it holds. What names an absent attribute does not, but for `attribute_not_exists`, `NOT`
/// and `<>`.
pub(crate) fn holds(condition: &Condition, item: &Item) -> bool {
    match condition {
        Condition::And(one, other) => holds(one, item) && holds(other, item),
        Condition::Or(one, other) => holds(one, item) || holds(other, item),
        Condition::Not(inner) => !holds(inner, item),
        Condition::Exists(name) => item.contains_key(name),
        Condition::NotExists(name) => !item.contains_key(name),
        Condition::BeginsWith(whole, start) => {
            let both = value(whole, item).zip(value(start, item));
            both.is_some_and(|(whole, start)| begins_with(whole, start))
        }
        Condition::Between(of, low, high) => {
            let is = |one, how, other| holds_between(value(one, item), how, value(other, item));
            is(of, Comparison::GreaterOrEqual, low) && is(of, Comparison::LessOrEqual, high)
        }
        Condition::Compare(one, how, other) => {
            holds_between(value(one, item), *how, value(other, item))
        }
    }
}

fn value<'a>(operand: &'a Operand, item: &'a Item) -> Option<&'a Value> {
    match operand {
        Operand::Attribute(name) => item.get(name),
        Operand::Value(value) => Some(value),
        // Parts of updates, which the grammar of conditions lets pass.
        Operand::IfNotExists(name, other) => item.get(name).or_else(|| value(other, item)),
        Operand::Plus(..) | Operand::Minus(..) => None,
    }
}

fn holds_between(one: Option<&Value>, how: Comparison, other: Option<&Value>) -> bool {
    let order = || one.zip(other).and_then(|(one, other)| compare(one, other));
    let is_equal = one.is_some() && one == other;
    match how {
        Comparison::Equal => is_equal,
        Comparison::Unequal => !is_equal,
        Comparison::Less => order().is_some_and(std::cmp::Ordering::is_lt),
        Comparison::LessOrEqual => order().is_some_and(std::cmp::Ordering::is_le),
        Comparison::Greater => order().is_some_and(std::cmp::Ordering::is_gt),
        Comparison::GreaterOrEqual => order().is_some_and(std::cmp::Ordering::is_ge),
    }
}

fn begins_with(whole: &Value, start: &Value) -> bool {
    let (Some((kind, whole)), Some((other, start))) = (typed(whole), typed(start)) else {
        return false;
    };
    let (Some(whole), Some(start)) = (whole.as_str(), start.as_str()) else {
        return false;
    };
    match kind {
        _ if kind != other => false,
        "S" => whole.starts_with(start),
        "B" => matches!((binary(whole), binary(start)), (Ok(w), Ok(s)) if w.starts_with(&s)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{Words, parse_condition};
    use super::*;

    fn says(text: &str) -> bool {
        let body = json!({
            "ExpressionAttributeNames": {"#n": "n"},
            "ExpressionAttributeValues": {
                ":two": {"N": "2.0"}, ":ten": {"N": "10"}, ":al": {"S": "al"}, ":b": {"BOOL": true},
            },
        });
        let item = json!({"n": {"N": "2"}, "name": {"S": "alice"}});
        let condition = parse_condition(text, &Words::of(&body).unwrap()).unwrap();
        holds(&condition, item.as_object().unwrap())
    }

    #[test]
    fn conditions_hold_as_they_are_read() {
        for yes in [
            "n = :two",
            "#n < :ten AND NOT n >= :ten",
            "n BETWEEN :two AND :ten",
            "begins_with(name, :al)",
            "attribute_exists(n) and attribute_not_exists(gone)",
            "gone = :b OR (n <= :two)",
            "gone <> :two",
        ] {
            assert!(says(yes), "{yes}");
        }
        for no in ["n > :two", "gone = :two", "name < :ten", "NOT (n = :two)"] {
            assert!(!says(no), "{no}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let words = Words::default();
        for bad in [
            "",
            "a",
            "a = ",
            "a = :v",
            "#a = b",
            "a = b c",
            "(a = b",
            "a.b = c",
            "size(a) = b",
        ] {
            assert!(parse_condition(bad, &words).is_err(), "{bad}");
        }
        let deep = format!("{}a = b", "(".repeat(200));
        assert!(parse_condition(&deep, &words).is_err());
        let not = format!("{}a = b", "NOT ".repeat(200));
        assert!(parse_condition(&not, &words).is_err());
    }
}

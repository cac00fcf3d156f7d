//! Carrying an update out.

use serde_json::{Value, json};

use super::{Action, Operand};
use crate::failure::Failure;
use crate::item::{Item, typed};
use crate::number;

/// The item after an update. Every right-hand side sees the item as it was before.
///
/// # Errors
/// `ValidationException` for an attribute that is not there, or of a type that does not fit.
pub(crate) fn apply(actions: &[Action], before: &Item) -> Result<Item, Failure> {
    let mut after = before.clone();
    for action in actions {
        match action {
            Action::Set(name, operand) => {
                after.insert(name.clone(), evaluate(operand, before)?);
            }
            Action::Remove(name) => drop(after.remove(name)),
            Action::Add(name, value) => {
                let sum = match before.get(name) {
                    Some(known) => add(known, value)?,
                    None if is_addable(value) => value.clone(),
                    None => return Err(wrong_type()),
                };
                after.insert(name.clone(), sum);
            }
        }
    }
    Ok(after)
}

fn wrong_type() -> Failure {
    Failure::invalid("An operand in the update expression has an incorrect data type")
}

fn is_addable(value: &Value) -> bool {
    typed(value).is_some_and(|(kind, _)| ["N", "SS", "NS", "BS"].contains(&kind))
}

fn evaluate(operand: &Operand, item: &Item) -> Result<Value, Failure> {
    match operand {
        Operand::Value(value) => Ok(value.clone()),
        Operand::Attribute(name) => item.get(name).cloned().ok_or_else(|| {
            Failure::invalid(format!(
                "The provided expression refers to an attribute that does not exist in the item: {name}"
            ))
        }),
        Operand::IfNotExists(name, other) => match item.get(name) {
            Some(value) => Ok(value.clone()),
            None => evaluate(other, item),
        },
        Operand::Plus(one, other) => {
            sum(&evaluate(one, item)?, &evaluate(other, item)?, |a, b| a + b)
        }
        Operand::Minus(one, other) => {
            sum(&evaluate(one, item)?, &evaluate(other, item)?, |a, b| a - b)
        }
    }
}

fn sum(
    one: &Value,
    other: &Value,
    how: impl Fn(bigdecimal::BigDecimal, bigdecimal::BigDecimal) -> bigdecimal::BigDecimal,
) -> Result<Value, Failure> {
    let read = |value| match typed(value) {
        Some(("N", content)) => number::parse(content.as_str().unwrap_or_default()),
        _ => Err(wrong_type()),
    };
    let result = how(read(one)?, read(other)?);
    number::check(&result)?;
    Ok(json!({"N": number::canonical(&result)}))
}

/// A sum of numbers, or the union of two sets.
fn add(known: &Value, value: &Value) -> Result<Value, Failure> {
    match (typed(known), typed(value)) {
        (Some(("N", _)), Some(("N", _))) => sum(known, value, |a, b| a + b),
        (Some((kind, Value::Array(one))), Some((other, Value::Array(more))))
            if kind == other && is_addable(value) =>
        {
            let mut all: Vec<Value> = one.iter().chain(more).cloned().collect();
            all.sort_unstable_by(|a, b| a.as_str().cmp(&b.as_str()));
            all.dedup();
            Ok(json!({kind: all}))
        }
        _ => Err(wrong_type()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Words, parse_update};
    use super::*;

    fn update(text: &str) -> Result<Value, Failure> {
        let body = json!({"ExpressionAttributeValues": {
            ":one": {"N": "1"}, ":half": {"N": "0.50"}, ":s": {"S": "x"}, ":set": {"SS": ["b", "a"]},
        }});
        let before = json!({"n": {"N": "2"}, "a": {"S": "old"}, "tags": {"SS": ["a", "c"]}});
        let actions = parse_update(text, &Words::of(&body)?)?;
        apply(&actions, before.as_object().unwrap()).map(Value::Object)
    }

    #[test]
    fn updates_do_what_they_say() {
        let after = update("SET n = n - :half, b = a REMOVE a ADD tags :set, hits :one").unwrap();
        let expected = json!({"n": {"N": "1.5"}, "b": {"S": "old"}, "hits": {"N": "1"},
            "tags": {"SS": ["a", "b", "c"]}});
        assert_eq!(after, expected);
        let after = update("set n = if_not_exists(m, :one) + n").unwrap();
        assert_eq!(after["n"], json!({"N": "3"}));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for bad in [
            "",
            "SET",
            "SET n",
            "SET n = gone",
            "SET n = a + :one",
            "ADD a :one",
            "ADD x :s",
            "SET n = :one REMOVE n",
            "DROP n",
        ] {
            assert!(update(bad).is_err(), "{bad}");
        }
    }
}

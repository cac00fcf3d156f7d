//! Condition and update expressions over the attributes of one item.

mod evaluate;
mod parser;
mod token;
mod update;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::failure::Failure;
pub(crate) use evaluate::holds;
pub(crate) use parser::{parse_condition, parse_update};
pub(crate) use update::apply;

/// What `#names` and `:values` stand for.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Words {
    pub(crate) names: Map<String, Value>,
    pub(crate) values: Map<String, Value>,
}

impl Words {
    /// Those of a request; its values in one spelling.
    pub(crate) fn of(body: &Value) -> Result<Self, Failure> {
        let object = |field| match body.get(field) {
            None | Some(Value::Null) => Ok(Map::new()),
            Some(Value::Object(object)) => Ok(object.clone()),
            Some(_) => Err(Failure::unreadable(format!("{field} is no object"))),
        };
        let mut values = object("ExpressionAttributeValues")?;
        crate::item::normalize(&mut values)?;
        let names = object("ExpressionAttributeNames")?;
        Ok(Self { names, values })
    }
}

/// What a side of a comparison, or of an assignment, stands for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Operand {
    Attribute(String),
    Value(Value),
    IfNotExists(String, Box<Self>),
    Plus(Box<Self>, Box<Self>),
    Minus(Box<Self>, Box<Self>),
}

/// How two sides compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// What must hold.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Condition {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Exists(String),
    NotExists(String),
    BeginsWith(Operand, Operand),
    Between(Operand, Operand, Operand),
    Compare(Operand, Comparison, Operand),
}

/// A part of an update.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    Set(String, Operand),
    Remove(String),
    Add(String, Value),
}

impl Action {
    /// The attribute that it changes.
    pub(crate) fn attribute(&self) -> &str {
        match self {
            Self::Set(name, _) | Self::Remove(name) | Self::Add(name, _) => name,
        }
    }
}

//! The merged configuration, each value with its source.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value as Json;

use crate::error::Origin;
use crate::show;

/// A source and how strong it is: of two settings of one thing, that of the higher rank wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// What to call it.
    pub(crate) origin: Origin,
    /// Files count up in their order; then the environment; then flags.
    pub(crate) rank: usize,
}

/// A value with its source.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// The value.
    pub(crate) value: Value,
    /// Where it came from; of a table, where it was mentioned last.
    pub(crate) source: Arc<Source>,
}

/// What a file or a variable can say.
#[derive(Clone, Debug)]
pub(crate) enum Value {
    Text(String),
    Flag(bool),
    Integer(i64),
    Float(f64),
    List(Vec<Tree>),
    Table(BTreeMap<String, Tree>),
    /// What no setting can be: a date, or an integer beyond 64 bits. The text names it.
    Foreign(&'static str),
}

impl Tree {
    /// What to call the kind of value.
    pub(crate) const fn kind(&self) -> &'static str {
        match &self.value {
            Value::Text(_) => "a text",
            Value::Flag(_) => "true or false",
            Value::Integer(_) => "an integer",
            Value::Float(_) => "a fractional number",
            Value::List(_) => "a list",
            Value::Table(_) => "a table",
            Value::Foreign(name) => name,
        }
    }

    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        if let Value::Text(text) = &self.value {
            return Some(text);
        }
        None
    }

    /// The integer, if it is one.
    pub(crate) const fn integer(&self) -> Option<i64> {
        if let Value::Integer(integer) = self.value {
            return Some(integer);
        }
        None
    }

    /// The table, if it is one.
    pub(crate) const fn table(&self) -> Option<&BTreeMap<String, Self>> {
        if let Value::Table(table) = &self.value {
            return Some(table);
        }
        None
    }

    /// The value as it may be shown under `key`: one line, shortened, without secrets.
    pub(crate) fn shown(&self, key: &str) -> String {
        match self.to_json() {
            Ok(json) => show::short(key, &json),
            Err(at) => at.kind().to_owned(),
        }
    }

    /// The value as JSON.
    ///
    /// # Errors
    /// The part that JSON cannot say.
    pub(crate) fn to_json(&self) -> Result<Json, &Self> {
        Ok(match &self.value {
            Value::Text(text) => Json::String(text.clone()),
            Value::Flag(flag) => Json::Bool(*flag),
            Value::Integer(integer) => Json::from(*integer),
            Value::Float(float) => serde_json::Number::from_f64(*float)
                .map(Json::Number)
                .ok_or(self)?,
            Value::List(list) => {
                let items: Result<_, _> = list.iter().map(Self::to_json).collect();
                Json::Array(items?)
            }
            Value::Table(table) => {
                let mut object = serde_json::Map::new();
                for (name, tree) in table {
                    object.insert(name.clone(), tree.to_json()?);
                }
                Json::Object(object)
            }
            Value::Foreign(_) => return Err(self),
        })
    }
}

/// The path of `name` below `prefix`, quoted where TOML wants quotes.
pub(crate) fn join(prefix: &str, name: &str) -> String {
    let name = show::key(name);
    if prefix.is_empty() {
        name
    } else {
        format!("{prefix}.{name}")
    }
}

//! What a table is.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::failure::Failure;

/// An attribute that is part of the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyAttribute {
    pub(crate) name: String,
    /// `S`, `N` or `B`.
    pub(crate) kind: String,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Table {
    pub(crate) name: String,
    /// In the keys of its items: another one each time that a table of that name is made, so that no
    /// item of a deleted table comes back with the next.
    pub(crate) id: String,
    pub(crate) partition: KeyAttribute,
    pub(crate) sort: Option<KeyAttribute>,
    /// Seconds since the Unix epoch.
    pub(crate) created: u64,
}

impl Table {
    /// Reads what `CreateTable` asks for.
    ///
    /// # Errors
    /// `ValidationException`.
    pub(crate) fn parse(body: &Value, id: String, created: u64) -> Result<Self, Failure> {
        let name = name(body)?.to_owned();
        let list = |field| {
            body.get(field)
                .and_then(Value::as_array)
                .cloned()
                .unwrap_or_default()
        };
        let (keys, types) = (list("KeySchema"), list("AttributeDefinitions"));
        let text = |value: &Value, field: &str| {
            value
                .get(field)
                .and_then(Value::as_str)
                .unwrap_or_default()
                .to_owned()
        };
        let find = |role: &str| -> Result<Option<KeyAttribute>, Failure> {
            let Some(key) = keys.iter().find(|key| text(key, "KeyType") == role) else {
                return Ok(None);
            };
            let name = text(key, "AttributeName");
            let definition = types.iter().find(|it| text(it, "AttributeName") == name);
            let kind = definition
                .map(|it| text(it, "AttributeType"))
                .unwrap_or_default();
            if name.is_empty() || !["S", "N", "B"].contains(&kind.as_str()) {
                let message =
                    format!("The key {name:?} needs an AttributeDefinition of type S, N or B");
                return Err(Failure::invalid(message));
            }
            Ok(Some(KeyAttribute { name, kind }))
        };
        let (partition, sort) = (find("HASH")?, find("RANGE")?);
        let found = usize::from(partition.is_some()) + usize::from(sort.is_some());
        let is_twice = partition.as_ref().map(|it| &it.name) == sort.as_ref().map(|it| &it.name);
        let partition = partition.filter(|_| found == keys.len() && !is_twice);
        let partition = partition.ok_or_else(|| {
            Failure::invalid("KeySchema takes one HASH key and at most one other RANGE key")
        })?;
        Ok(Self {
            name,
            id,
            partition,
            sort,
            created,
        })
    }

    /// The names of the key attributes.
    pub(crate) fn key_names(&self) -> impl Iterator<Item = &str> {
        let both = [Some(&self.partition), self.sort.as_ref()];
        both.into_iter().flatten().map(|it| it.name.as_str())
    }

    /// As `DescribeTable` tells it.
    pub(crate) fn describe(&self, status: &str) -> Value {
        let both = [
            (Some(&self.partition), "HASH"),
            (self.sort.as_ref(), "RANGE"),
        ];
        let keys = || both.iter().filter_map(|(key, role)| Some(((*key)?, *role)));
        let schema: Vec<Value> = keys()
            .map(|(key, role)| json!({"AttributeName": key.name, "KeyType": role}))
            .collect();
        let types: Vec<Value> = keys()
            .map(|(key, _)| json!({"AttributeName": key.name, "AttributeType": key.kind}))
            .collect();
        json!({
            "TableName": self.name,
            "TableId": self.id,
            "TableArn": format!("arn:aws:dynamodb:local:000000000000:table/{}", self.name),
            "TableStatus": status,
            "CreationDateTime": self.created,
            "KeySchema": schema,
            "AttributeDefinitions": types,
            "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        })
    }

    #[cfg(test)]
    pub(crate) fn example() -> Self {
        let key = |name: &str, kind: &str| KeyAttribute {
            name: name.to_owned(),
            kind: kind.to_owned(),
        };
        Self {
            name: "example".to_owned(),
            id: "0123456789abcdef".to_owned(),
            partition: key("pk", "S"),
            sort: Some(key("sk", "N")),
            created: 0,
        }
    }
}

/// The table that a request names.
pub(crate) fn name(body: &Value) -> Result<&str, Failure> {
    let name = body
        .get("TableName")
        .and_then(Value::as_str)
        .unwrap_or_default();
    let allowed = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
    if (3..=255).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(name);
    }
    let message =
        format!("TableName {name:?}: 3 to 255 of a-z, A-Z, 0-9, '_', '-' and '.' are needed");
    Err(Failure::invalid(message))
}

//! Reading and writing single items.

use std::sync::atomic::{AtomicUsize, Ordering};

use repertoire::core::{NodeId, ReadLevel};
use repertoire_client::Keyspace;
use serde_json::{Value, json};

use crate::expression::{Words, parse_condition, parse_update};
use crate::failure::Failure;
use crate::function::{Change, NAME, Returns, Write, Written, decode_item};
use crate::item::{Item, check_size, normalize};
use crate::keys;
use crate::schema::Table;

/// Longest name of a request that is remembered.
const INVOCATION_MAX: usize = 128;

/// What requests are carried out with.
#[derive(Debug)]
pub(crate) struct Front {
    /// One row per table.
    pub(crate) schema: Keyspace,
    /// The items of all tables, in many shards.
    pub(crate) items: Keyspace,
    pub(crate) nodes: Vec<NodeId>,
    pub(crate) turn: AtomicUsize,
}

/// A request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) body: Value,
    /// The client's name for it, which stays when it is sent again.
    pub(crate) invocation: Option<String>,
}

impl Request {
    pub(crate) fn text(&self, field: &str) -> Option<&str> {
        self.body.get(field).and_then(Value::as_str)
    }

    /// An object of attribute values, in one spelling.
    pub(crate) fn item(&self, field: &str) -> Result<Item, Failure> {
        let item = self.body.get(field).and_then(Value::as_object);
        let missing = || Failure::invalid(format!("{field} is missing"));
        let mut item = item.cloned().ok_or_else(missing)?;
        normalize(&mut item)?;
        Ok(item)
    }

    pub(crate) fn is_consistent(&self) -> bool {
        self.body.get("ConsistentRead").and_then(Value::as_bool) == Some(true)
    }

    fn returns(&self, allowed: &[Returns]) -> Result<Returns, Failure> {
        let returns = match self.text("ReturnValues") {
            None | Some("NONE") => Some(Returns::None),
            Some("ALL_OLD") => Some(Returns::AllOld),
            Some("ALL_NEW") => Some(Returns::AllNew),
            Some("UPDATED_OLD") => Some(Returns::UpdatedOld),
            Some("UPDATED_NEW") => Some(Returns::UpdatedNew),
            Some(_) => None,
        };
        let is_allowed = |it: &Returns| *it == Returns::None || allowed.contains(it);
        returns
            .filter(is_allowed)
            .ok_or_else(|| Failure::invalid("Return values set to invalid value"))
    }

    /// The older ways to say it, which are not supported, must not be passed over.
    fn refuse(&self, fields: &[&str]) -> Result<(), Failure> {
        match fields.iter().find(|field| self.body.get(field).is_some()) {
            None => Ok(()),
            Some(field) => Err(Failure::invalid(format!("{field} is not supported"))),
        }
    }
}

impl Front {
    // ANCHOR: reading
    /// Items as fresh as is asked for: by the leader of their shard, or by any replica in turn.
    pub(crate) fn reading(&self, request: &Request) -> Keyspace {
        if request.is_consistent() {
            return self.items.level(ReadLevel::Leader);
        }
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let node = self.nodes.get(turn % self.nodes.len().max(1));
        let local = self.items.level(ReadLevel::Local);
        node.map_or(local.clone(), |node| local.at(*node))
    }
    // ANCHOR_END: reading

    pub(crate) async fn get_item(&self, request: &Request) -> Result<Value, Failure> {
        request.refuse(&["AttributesToGet"])?;
        let table = self.table(&request.body).await?;
        let key = keys::of_key(&table, &request.item("Key")?)?;
        let projection = projection(request)?;
        let (_, found) = self.reading(request).get(&key).await?;
        match found {
            None => Ok(json!({})),
            Some(bytes) => {
                let mut item = decode_item(&bytes)?;
                project(&mut item, projection.as_deref());
                Ok(json!({"Item": item}))
            }
        }
    }

    pub(crate) async fn put_item(&self, request: &Request) -> Result<Value, Failure> {
        request.refuse(&["Expected", "ConditionalOperator"])?;
        let table = self.table(&request.body).await?;
        let item = request.item("Item")?;
        check_size(&item)?;
        let key = keys::of_item(&table, &item)?;
        let returns = request.returns(&[Returns::AllOld])?;
        self.write(
            &table,
            request,
            key,
            &item.clone(),
            Change::Put(item),
            returns,
        )
        .await
    }

    pub(crate) async fn delete_item(&self, request: &Request) -> Result<Value, Failure> {
        request.refuse(&["Expected", "ConditionalOperator"])?;
        let table = self.table(&request.body).await?;
        let item = request.item("Key")?;
        let key = keys::of_key(&table, &item)?;
        let returns = request.returns(&[Returns::AllOld])?;
        self.write(&table, request, key, &item, Change::Delete, returns)
            .await
    }

    pub(crate) async fn update_item(&self, request: &Request) -> Result<Value, Failure> {
        request.refuse(&["Expected", "ConditionalOperator", "AttributeUpdates"])?;
        let table = self.table(&request.body).await?;
        let item = request.item("Key")?;
        let key = keys::of_key(&table, &item)?;
        let update = request.text("UpdateExpression").map(str::to_owned);
        if let Some(text) = &update {
            let actions = parse_update(text, &Words::of(&request.body)?)?;
            let names = || table.key_names();
            let of_key = actions
                .iter()
                .find(|it| names().any(|name| name == it.attribute()));
            if let Some(action) = of_key {
                let name = action.attribute();
                return Err(Failure::invalid(format!(
                    "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
                )));
            }
        }
        let returns = request.returns(&[
            Returns::AllOld,
            Returns::AllNew,
            Returns::UpdatedOld,
            Returns::UpdatedNew,
        ])?;
        let change = Change::Update(item.clone(), update);
        self.write(&table, request, key, &item, change, returns)
            .await
    }

    async fn write(
        &self,
        table: &Table,
        request: &Request,
        key: Vec<u8>,
        item: &Item,
        change: Change,
        returns: Returns,
    ) -> Result<Value, Failure> {
        let words = Words::of(&request.body)?;
        let condition = request.text("ConditionExpression").map(str::to_owned);
        if let Some(condition) = &condition {
            parse_condition(condition, &words)?;
        }
        let nothing = Value::Null;
        let partition = item.get(&table.partition.name).unwrap_or(&nothing);
        let tag = keys::partition(table, partition)?;
        let invocation = request
            .invocation
            .as_ref()
            .filter(|it| it.len() <= INVOCATION_MAX);
        let write = Write {
            key,
            marker: invocation.map(|it| keys::marker(&tag, it)),
            change,
            condition,
            words,
            returns,
        };
        let args = serde_json::to_vec(&write).map_err(Failure::unreadable)?;
        let written = self.items.call_near(&tag, NAME, &args).await?;
        match serde_json::from_slice(&written.result).map_err(Failure::unreadable)? {
            Written::Done(None) => Ok(json!({})),
            Written::Done(Some(attributes)) => Ok(json!({"Attributes": attributes})),
            Written::Refused => Err(Failure::condition()),
            Written::Invalid(message) => Err(Failure::invalid(message)),
        }
    }
}

/// The attributes that are wanted; all, when none is named.
pub(crate) fn projection(request: &Request) -> Result<Option<Vec<String>>, Failure> {
    let Some(text) = request.text("ProjectionExpression") else {
        return Ok(None);
    };
    let words = Words::of(&request.body)?;
    let name = |part: &str| {
        let part = part.trim();
        let name = match part.strip_prefix('#') {
            Some(_) => words
                .names
                .get(part)
                .and_then(Value::as_str)
                .unwrap_or_default(),
            None => part,
        };
        let is_one = !name.is_empty() && (part != name || !part.contains(['.', '[']));
        let refused = || Failure::invalid(format!("Invalid ProjectionExpression: {part:?}"));
        is_one.then(|| name.to_owned()).ok_or_else(refused)
    };
    text.split(',')
        .map(name)
        .collect::<Result<_, _>>()
        .map(Some)
}

/// Leaves only what is wanted.
pub(crate) fn project(item: &mut Item, names: Option<&[String]>) {
    if let Some(names) = names {
        item.retain(|name, _| names.contains(name));
    }
}

//! The one function that writes: run at the leader of an item's shard, over the item as it is there.

use bytes::{Bytes, BytesMut};
use repertoire::core::{
    Cell, Error, ErrorKind, Evaluated, Function, FunctionView, RecordContext, RowChange,
};
use serde::{Deserialize, Serialize};
use serde_json::Map;

use crate::expression::{Words, apply, holds, parse_condition, parse_update};
use crate::failure::Failure;
use crate::item::{Item, check_size};

/// Its registered name.
pub(crate) const NAME: &str = "dynamo.write";

/// How long the answer to a request is remembered. Clients give up trying long before.
const REMEMBERED_MS: u64 = 600_000;

/// What is to be written.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Write {
    /// The key of the item.
    pub(crate) key: Vec<u8>,
    /// Where the answer to this request is remembered, if its client names its requests.
    pub(crate) marker: Option<Vec<u8>>,
    pub(crate) change: Change,
    pub(crate) condition: Option<String>,
    pub(crate) words: Words,
    pub(crate) returns: Returns,
}

/// How the item changes.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Change {
    Put(Item),
    Delete,
    /// The key attributes, for an item that is not there yet; and what to do.
    Update(Item, Option<String>),
}

/// What the client hears of the item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Returns {
    None,
    AllOld,
    AllNew,
    UpdatedOld,
    UpdatedNew,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Written {
    Done(Option<Item>),
    /// The condition does not hold.
    Refused,
    /// The item is not one that this can be done to.
    Invalid(String),
}

/// The function.
#[derive(Debug)]
pub(crate) struct WriteItem;

impl Write {
    fn decode(args: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(args)
            .map_err(|error| Error::new(ErrorKind::Malformed, NAME).with("detail", error))
    }

    fn run(&self, before: Option<&Item>) -> Result<Outcome, Failure> {
        let nothing = Map::new();
        let found = before.unwrap_or(&nothing);
        if let Some(condition) = &self.condition
            && !holds(&parse_condition(condition, &self.words)?, found)
        {
            return Ok(Outcome::Refused);
        }
        let mut touched = Vec::new();
        let after = match &self.change {
            Change::Put(item) => Some(item.clone()),
            Change::Delete => None,
            Change::Update(key, update) => {
                let actions = match update {
                    Some(text) => parse_update(text, &self.words)?,
                    None => Vec::new(),
                };
                touched.extend(actions.iter().map(|it| it.attribute().to_owned()));
                let base = before.unwrap_or(key);
                let after = apply(&actions, base)?;
                check_size(&after)?;
                Some(after)
            }
        };
        let only = |item: &Item| {
            let mut item = item.clone();
            item.retain(|name, _| touched.contains(name));
            item
        };
        let told = match self.returns {
            Returns::None => None,
            Returns::AllOld => before.cloned(),
            Returns::AllNew => after.clone(),
            Returns::UpdatedOld => before.map(only),
            Returns::UpdatedNew => after.as_ref().map(only),
        };
        Ok(Outcome::Changed { after, told })
    }
}

/// What a run ends with.
enum Outcome {
    Refused,
    Changed {
        after: Option<Item>,
        told: Option<Item>,
    },
}

impl Function for WriteItem {
    fn name(&self) -> &'static str {
        NAME
    }

    fn read_set(&self, args: &[u8], keys: &mut Vec<Bytes>) -> Result<(), Error> {
        let write = Write::decode(args)?;
        keys.push(write.key.into());
        keys.extend(write.marker.map(Bytes::from));
        Ok(())
    }

    fn evaluate(
        &self,
        context: RecordContext,
        args: &[u8],
        view: &dyn FunctionView,
    ) -> Result<Evaluated, Error> {
        let write = Write::decode(args)?;
        // Asked before, through this front or another one: the same answer, and nothing more.
        let known = write.marker.as_ref().and_then(|marker| view.value(marker));
        if let Some(result) = known {
            return Ok(Evaluated {
                changes: Vec::new(),
                result,
            });
        }
        let before = view.value(&write.key).map(|bytes| decode_item(&bytes));
        let before = before.transpose()?;
        let mut changes = Vec::new();
        let written = match write.run(before.as_ref()) {
            Err(failure) => Written::Invalid(failure.message),
            Ok(Outcome::Refused) => Written::Refused,
            Ok(Outcome::Changed { after, told }) => {
                let after = after.map(|item| encode(&item)).transpose()?;
                let after = after.map(|bytes| cell(&bytes, None));
                changes.push(change(write.key, after));
                Written::Done(told)
            }
        };
        let result = encode(&written)?;
        if let Some(marker) = write.marker {
            let expires_at = context.wall.0 + REMEMBERED_MS;
            changes.push(change(marker, Some(cell(&result, Some(expires_at)))));
        }
        Ok(Evaluated { changes, result })
    }
}

/// Reads an item as it is stored.
pub(crate) fn decode_item(bytes: &[u8]) -> Result<Item, Error> {
    serde_json::from_slice(bytes)
        .map_err(|error| Error::new(ErrorKind::Corrupted, "read an item").with("detail", error))
}

fn encode(value: &impl Serialize) -> Result<Bytes, Error> {
    let bytes = serde_json::to_vec(value);
    let failed = |error| Error::new(ErrorKind::Unexpected, NAME).with("detail", error);
    bytes.map(Bytes::from).map_err(failed)
}

fn cell(value: &[u8], expires_at: Option<u64>) -> Bytes {
    let cell = Cell {
        expires_at,
        ..Cell::plain(value)
    };
    let mut out = BytesMut::with_capacity(cell.encoded_len());
    cell.encode_into(&mut out);
    out.freeze()
}

fn change(key: impl Into<Bytes>, after: Option<Bytes>) -> RowChange {
    RowChange {
        key: key.into(),
        after,
        before: None,
    }
}

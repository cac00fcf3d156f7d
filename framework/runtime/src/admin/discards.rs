//! Discarded writes over the administrative calls: listed, written again, given up.
//!
//! | function | arguments | answer |
//! |---|---|---|
//! | `discarded` | keyspace, shard, after | a page of this replica's journal |
//! | `discarded-settle` | keyspace, shard, positions, how | how many waited for that |
//! | `discarded-replay` | keyspace, shard, writes | at the leader: what became of each |
//!
//! What the log holds of a write is what it changed, not what was asked for. A plain put or delete (or
//! a batch of them) can be told from that, and the hash of the request proves it: it is written again
//! under its own request id, so that it has one effect however often its client, or somebody else, sends
//! it. Of a conditional write the condition is gone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use repertoire_core::{
    Cell, ClientId, Discarded, EntryId, Error, ErrorKind, GroupId, LeaderEpoch, Lsn, Operation,
    PayloadHash, RequestId, Settlement,
};
use repertoire_log_formats::row::{Change, Logged, ROW_TAG, changes};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::Desk;
use crate::actors::node::Control;

/// Bytes of operations in one page; a page holds at least one write.
pub(crate) const PAGE_BYTES: usize = 256 * 1024;

/// Keys of a batch that are named.
const KEYS_SHOWN_MAX: usize = 16;

/// Longest operation that fits into an answer, as base64 and with what surrounds it.
const OPERATION_SHOWN_MAX: usize = 700 * 1024;

/// A place in the log of one leadership.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Place {
    epoch: u64,
    lsn: u64,
}

impl From<EntryId> for Place {
    fn from(id: EntryId) -> Self {
        Self {
            epoch: id.epoch.0,
            lsn: id.lsn.0,
        }
    }
}

impl From<Place> for EntryId {
    fn from(place: Place) -> Self {
        Self::new(LeaderEpoch(place.epoch), Lsn(place.lsn))
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    pub(super) keyspace: String,
    #[serde(default)]
    pub(super) shard: u32,
    after: Option<Place>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settle {
    pub(super) keyspace: String,
    #[serde(default)]
    pub(super) shard: u32,
    positions: Vec<Place>,
    how: Settlement,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Replay {
    pub(super) keyspace: String,
    #[serde(default)]
    pub(super) shard: u32,
    pub(super) writes: Vec<Again>,
}

/// A write to be written again.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Again {
    /// 32 hexadecimal digits.
    client: String,
    seq: u64,
    acked_upto: u64,
    /// The encoded operation, as base64.
    operation: String,
}

impl Again {
    pub(super) fn parse(&self) -> Result<(RequestId, Bytes), Error> {
        let malformed = |detail: &str| {
            Error::new(ErrorKind::Malformed, "replay discarded writes").with("detail", detail)
        };
        let client = u128::from_str_radix(&self.client, 16)
            .map_err(|_| malformed("client is no hexadecimal number"))?;
        let body = STANDARD
            .decode(&self.operation)
            .map_err(|_| malformed("operation is no base64"))?;
        Operation::decode(&body).map_err(|_| malformed("operation does not decode"))?;
        let id = RequestId {
            client: ClientId(client),
            seq: self.seq,
            acked_upto: self.acked_upto,
        };
        if id.client.is_internal() || id.seq == 0 {
            return Err(malformed("client and seq name no request of a client"));
        }
        Ok((id, body.into()))
    }
}

/// A part of a replica's journal.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) writes: Vec<Discarded>,
    pub(crate) unlisted: Vec<(EntryId, u64)>,
    /// Whether writes follow.
    pub(crate) more: bool,
}

pub(super) async fn list(desk: &Desk, group: GroupId, list: List) -> Result<Value, Error> {
    let after = list.after.map(EntryId::from);
    let (send, receive) = oneshot::channel();
    desk.control(Control::Discards(group, after, send));
    let stopped = |_| Error::new(ErrorKind::ShuttingDown, "list discarded writes");
    let page = receive.await.map_err(stopped)??;
    let writes: Vec<Value> = page.writes.iter().map(write).collect();
    let unlisted = page
        .unlisted
        .iter()
        .map(|(first, records)| json!({"position": Place::from(*first), "records": records}));
    let unlisted: Vec<Value> = unlisted.collect();
    Ok(json!({"writes": writes, "unlisted": unlisted, "more": page.more}))
}

pub(super) async fn settle(desk: &Desk, group: GroupId, settle: Settle) -> Result<Value, Error> {
    let records = settle.positions.into_iter().map(EntryId::from).collect();
    let (send, receive) = oneshot::channel();
    desk.control(Control::Settle(group, records, settle.how, send));
    let stopped = |_| Error::new(ErrorKind::ShuttingDown, "settle discarded writes");
    let settled = receive.await.map_err(stopped)??;
    Ok(json!({"settled": settled}))
}

fn write(write: &Discarded) -> Value {
    let operation = operation_of(write);
    let is_original = operation
        .as_ref()
        .is_some_and(|operation| PayloadHash::of(operation) == write.hash);
    let bytes = operation.as_ref().map_or(write.payload.len(), Bytes::len);
    let keys = operation.as_ref().map_or_else(Vec::new, keys_of);
    let fits = operation.filter(|operation| operation.len() <= OPERATION_SHOWN_MAX);
    json!({
        "position": Place::from(write.position),
        "keys": keys,
        "client": format!("{:032x}", write.id.client.0),
        "seq": write.id.seq,
        "acked_upto": write.id.acked_upto,
        "wall_ms": write.wall.0,
        "acks": write.acks.to_string(),
        "acknowledged": if write.is_likely_acknowledged() { "likely" } else { "unknown" },
        "bytes": bytes,
        "is_original": is_original,
        "operation": fits.map(|operation| STANDARD.encode(operation)),
    })
}

/// The first keys that an operation changes, for people: bytes that are no text are replaced.
fn keys_of(operation: &Bytes) -> Vec<String> {
    let key = |operation: &Operation<'_>| match operation {
        Operation::Put { key, .. } | Operation::Delete { key } => {
            Some(String::from_utf8_lossy(key).into_owned())
        }
        _ => None,
    };
    match Operation::decode(operation) {
        Ok(Operation::Batch(all)) => all.iter().take(KEYS_SHOWN_MAX).filter_map(key).collect(),
        Ok(one) => key(&one).into_iter().collect(),
        Err(_) => Vec::new(),
    }
}

/// The plain operation that changes what the write changed; `None` for a format that is not known.
fn operation_of(write: &Discarded) -> Option<Bytes> {
    if write.format != ROW_TAG {
        return None;
    }
    let rows: Vec<Logged<'_>> = changes(&write.payload).collect::<Result<_, _>>().ok()?;
    let mut operations = Vec::with_capacity(rows.len());
    for row in &rows {
        operations.push(match row.change {
            Change::Put(cell) => {
                let cell = Cell::decode(cell).ok()?;
                Operation::Put {
                    key: row.key,
                    value: cell.value,
                    expires_at: cell.expires_at,
                }
            }
            Change::Delete => Operation::Delete { key: row.key },
            Change::Expire(_) => return None,
        });
    }
    if let [one] = operations.as_slice() {
        let plain = one.encode();
        let batch = Operation::Batch(vec![one.clone()]).encode();
        let is_batch = PayloadHash::of(&batch) == write.hash;
        return Some(if is_batch { batch } else { plain });
    }
    Some(Operation::Batch(operations).encode())
}

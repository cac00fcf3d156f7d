//! What the nodes list.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use repertoire::core::{Error, ErrorKind, NodeId, Operation};
use repertoire_client::Client;
use serde_json::{Map, Value, json};

use super::asked::Position;
use crate::Context;
use crate::failure::Failure;
use crate::text::{put_bytes, shown};
use crate::units;

/// A write that a node keeps.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) node: NodeId,
    pub(super) shard: u32,
    pub(super) position: Position,
    /// As the node tells it.
    value: Value,
}

/// A range that a node could not keep.
#[derive(Clone, Debug)]
pub(super) struct Unlisted {
    pub(super) node: NodeId,
    pub(super) shard: u32,
    pub(super) position: Position,
    records: u64,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    pub(super) writes: Vec<Listed>,
    pub(super) unlisted: Vec<Unlisted>,
    /// Nodes that do not answer: what they keep is not known.
    silent: Vec<(NodeId, Error)>,
}

/// Asks every node for all that it keeps.
///
/// # Errors
/// `Unavailable` when no node answers; what a node answers instead of a list.
pub(super) async fn gather(
    client: &Client,
    nodes: &[NodeId],
    keyspace: &str,
    shards: &[u32],
) -> Result<Found, Failure> {
    let mut found = Found::default();
    let mut hosts = 0;
    for node in nodes {
        for shard in shards {
            match of_node(client, *node, keyspace, *shard, &mut found).await {
                Ok(()) => hosts += 1,
                // It has no replica of this group.
                Err(error) if *error.kind() == ErrorKind::UnknownKeyspace => {}
                Err(error) if may_pass(&error) => {
                    found.silent.push((*node, error));
                    break;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }
    if hosts == 0 {
        let silent = found.silent.pop().map(|(_, error)| error);
        let unknown = || {
            Error::new(ErrorKind::UnknownKeyspace, "list discarded writes")
                .with("keyspace", keyspace)
                .with("shards", format!("{shards:?}"))
        };
        return Err(silent.unwrap_or_else(unknown).into());
    }
    Ok(found)
}

/// Whether others are asked all the same.
fn may_pass(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Timeout | ErrorKind::ShuttingDown | ErrorKind::Poisoned
    )
}

async fn of_node(
    client: &Client,
    node: NodeId,
    keyspace: &str,
    shard: u32,
    found: &mut Found,
) -> Result<(), Error> {
    let mut after: Option<Position> = None;
    loop {
        let call = json!({
            "keyspace": keyspace,
            "shard": shard,
            "after": after.map(Position::to_json),
        });
        let page = client.admin(node, "discarded", &call).await?;
        let list = |name| page.get(name).and_then(Value::as_array).cloned();
        if after.is_none() {
            let ranges = list("unlisted").unwrap_or_default();
            found.unlisted.extend(ranges.iter().filter_map(|range| {
                Some(Unlisted {
                    node,
                    shard,
                    position: Position::from_json(range.get("position")?)?,
                    records: range.get("records")?.as_u64()?,
                })
            }));
        }
        for value in list("writes").unwrap_or_default() {
            let Some(position) = value.get("position").and_then(Position::from_json) else {
                continue;
            };
            after = Some(position);
            found.writes.push(Listed {
                node,
                shard,
                position,
                value,
            });
        }
        if page.get("more").and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
    }
}

impl Found {
    /// Says whose writes are not among them.
    pub(super) fn warn(&self, context: &Context) {
        for (node, error) in &self.silent {
            let node = node.0;
            context.output.note(&format!(
                "Node {node} does not answer; what it keeps is not shown: {error}"
            ));
        }
    }

    /// The same, for programs.
    pub(super) fn unreachable(&self) -> Value {
        self.silent.iter().map(|(node, _)| node.0).collect()
    }
}

impl Unlisted {
    pub(super) const fn place(&self) -> ((NodeId, u32), Position) {
        ((self.node, self.shard), self.position)
    }
}

impl Listed {
    /// Which replica keeps it, and where.
    pub(super) const fn place(&self) -> ((NodeId, u32), Position) {
        ((self.node, self.shard), self.position)
    }

    fn operation(&self) -> Option<Vec<u8>> {
        let encoded = self.value.get("operation")?.as_str()?;
        STANDARD.decode(encoded).ok()
    }

    fn is_original(&self) -> bool {
        self.value.get("is_original").and_then(Value::as_bool) == Some(true)
    }

    /// Why it is not written again.
    pub(super) fn refusal(&self, without_condition: bool) -> Option<&'static str> {
        if self.operation().is_none() {
            return Some(
                "its operation is too large for this command, or of an unknown log format",
            );
        }
        let is_bare = self.is_original() || without_condition;
        (!is_bare).then_some("it was written on a condition; see --without-condition")
    }

    /// The request, to be sent again.
    pub(super) fn again(&self) -> Option<Value> {
        let get = |name| self.value.get(name).cloned();
        Some(json!({
            "client": get("client")?,
            "seq": get("seq")?,
            "acked_upto": get("acked_upto")?,
            "operation": get("operation")?,
        }))
    }

    fn cell(&self, name: &str) -> String {
        match self.value.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
            None => "-".to_owned(),
        }
    }

    /// What it does, and to which keys.
    fn changes(&self) -> Vec<Value> {
        let Some(bytes) = self.operation() else {
            return Vec::new();
        };
        match Operation::decode(&bytes) {
            Ok(Operation::Batch(operations)) => operations.iter().map(change).collect(),
            Ok(one) => vec![change(&one)],
            Err(_) => Vec::new(),
        }
    }

    fn to_json(&self) -> Value {
        let mut value = self.value.clone();
        if let Some(object) = value.as_object_mut() {
            object.remove("operation");
            object.insert("node".into(), self.node.0.into());
            object.insert("shard".into(), self.shard.into());
            object.insert("changes".into(), self.changes().into());
        }
        value
    }

    fn row(&self) -> Vec<String> {
        let changes = self.changes();
        let what = changes.first().map_or_else(
            || "-".to_owned(),
            |change| {
                let text = |name| change.get(name).and_then(Value::as_str);
                let key = text("key").or_else(|| text("key_base64")).unwrap_or("-");
                let verb = text("change").unwrap_or("-");
                format!("{verb} {}", shown(key.as_bytes()))
            },
        );
        let more = changes.len().saturating_sub(1);
        let rest = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        let wall = self.value.get("wall_ms").and_then(Value::as_u64);
        vec![
            self.node.0.to_string(),
            self.shard.to_string(),
            self.position.to_string(),
            format!("{}/{}", self.cell("client"), self.cell("seq")),
            format!("{what}{rest}"),
            self.cell("bytes"),
            self.cell("acknowledged"),
            wall.map_or_else(|| "-".to_owned(), units::wall),
        ]
    }
}

fn change(operation: &Operation<'_>) -> Value {
    let mut object = Map::new();
    match operation {
        Operation::Put { key, value, .. } => {
            object.insert("change".into(), "put".into());
            put_bytes(&mut object, "key", key);
            put_bytes(&mut object, "value", value);
        }
        Operation::Delete { key } => {
            object.insert("change".into(), "delete".into());
            put_bytes(&mut object, "key", key);
        }
        _ => drop(object.insert("change".into(), "other".into())),
    }
    Value::Object(object)
}

/// Those of one request together, wherever they are kept, in the order in which they were written.
pub(super) fn by_request(writes: Vec<Listed>) -> Vec<Vec<Listed>> {
    let mut requests: BTreeMap<(u32, String, String), Vec<Listed>> = BTreeMap::new();
    for write in writes {
        let request = (write.shard, write.cell("client"), write.cell("seq"));
        requests.entry(request).or_default().push(write);
    }
    let mut requests: Vec<_> = requests.into_values().collect();
    requests.sort_by_key(|copies| copies.first().map(|write| (write.shard, write.position)));
    requests
}

/// The next requests that go to one leader together: of one shard.
pub(super) fn take_part(
    requests: &mut Vec<Vec<Listed>>,
    (count_max, bytes_max): (usize, usize),
) -> Vec<Vec<Listed>> {
    let size = |copies: &Vec<Listed>| {
        copies
            .first()
            .map_or(0, |write| write.cell("operation").len())
    };
    let shard_of = |copies: &Vec<Listed>| copies.first().map(|write| write.shard);
    let shard = requests.first().and_then(shard_of);
    let mut bytes = 0;
    let fits = requests.iter().take(count_max).take_while(|copies| {
        let is_first = bytes == 0;
        bytes += size(copies) + 200;
        shard_of(copies) == shard && (is_first || bytes <= bytes_max)
    });
    let count = fits.count();
    requests.drain(..count).collect()
}

/// Prints what was found.
pub(super) fn report(context: &Context, keyspace: &str, found: &Found) -> Result<(), Failure> {
    found.warn(context);
    if context.output.is_json() {
        let writes: Vec<Value> = found.writes.iter().map(Listed::to_json).collect();
        let ranges = found.unlisted.iter().map(|it| {
            json!({
                "node": it.node.0,
                "shard": it.shard,
                "position": it.position.to_json(),
                "records": it.records,
            })
        });
        return context.output.object(&json!({
            "keyspace": keyspace,
            "writes": writes,
            "unlisted": ranges.collect::<Vec<_>>(),
            "unreachable": found.unreachable(),
        }));
    }
    if found.writes.is_empty() && found.unlisted.is_empty() {
        return context.output.line("No write waits for a decision.");
    }
    let rows: Vec<Vec<String>> = found.writes.iter().map(Listed::row).collect();
    let head = [
        "NODE",
        "SHARD",
        "POSITION",
        "REQUEST",
        "CHANGE",
        "BYTES",
        "ACKNOWLEDGED",
        "WRITTEN",
    ];
    context.output.table(&head, &rows)?;
    for range in &found.unlisted {
        let Unlisted {
            node,
            shard,
            position,
            records,
        } = range;
        context.output.line(&format!(
            "Node {}, shard {shard}: up to {records} more from {position} on, which it could not keep",
            node.0
        ))?;
    }
    Ok(())
}

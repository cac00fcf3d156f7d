//! `status`: how the nodes are.

use std::time::Duration;

use clap::Args;
use repertoire::core::{Error, NodeId};
use repertoire_client::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::Context;
use crate::connect::ConnectArgs;
use crate::failure::{Failure, UNAVAILABLE};

/// How long a node may take to say how it is, when nobody says: one that is down is shown as such.
const PATIENCE: Duration = Duration::from_secs(2);

/// Show how the nodes and their replicas are. Exit code 3 when a node that was asked for by number,
/// or every node, does not answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct StatusArgs {
    /// One node only.
    #[arg(long, value_name = "ID")]
    node: Option<u64>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: StatusArgs, context: &Context) -> Result<(), Failure> {
    let (client, catalogue) = args.connect.catalogue().await?;
    let members = catalogue.members().map(|member| member.node);
    let wanted = |node: &NodeId| args.node.is_none_or(|wanted| wanted == node.0);
    let nodes: Vec<NodeId> = members.filter(wanted).collect();
    if nodes.is_empty() {
        let node = args.node.unwrap_or_default();
        return Err(Failure::NotFound(format!("the cluster has no node {node}")));
    }
    let found = ask_all(&client, &nodes, args.connect.deadline.unwrap_or(PATIENCE)).await;
    let has_answer = found.iter().any(|(_, status)| status.is_ok());
    if context.output.is_json() {
        let nodes: Vec<Value> = found.iter().map(to_json).collect();
        context.output.object(&json!({"nodes": nodes}))?;
    } else {
        let head = [
            "NODE", "KEYSPACE", "PROTOCOL", "ROLE", "LEADER", "EPOCH", "KEYS", "LAST", "COMMIT",
            "APPLIED", "STATE",
        ];
        let rows: Vec<_> = found
            .iter()
            .flat_map(|(node, status)| rows(*node, status))
            .collect();
        context.output.table(&head, &rows)?;
    }
    if has_answer {
        Ok(())
    } else {
        Err(Failure::Quiet(UNAVAILABLE))
    }
}

/// Asks all nodes at once; in the order of their numbers.
pub(crate) async fn ask_all(
    client: &Client,
    nodes: &[NodeId],
    patience: Duration,
) -> Vec<(NodeId, Result<Value, Error>)> {
    let mut tasks = JoinSet::new();
    for node in nodes.iter().copied() {
        let client = client.clone();
        tasks.spawn(async move {
            let asked = tokio::time::timeout(patience, client.status(node)).await;
            let late = |_| {
                let kind = repertoire::core::ErrorKind::Unavailable;
                Err(Error::new(kind, "ask for the status").with("node", node))
            };
            (node, asked.unwrap_or_else(late))
        });
    }
    let mut found = tasks.join_all().await;
    found.sort_by_key(|(node, _)| *node);
    found
}

fn to_json((node, status): &(NodeId, Result<Value, Error>)) -> Value {
    match status {
        Ok(status) => {
            let mut status = status.clone();
            if let Some(object) = status.as_object_mut() {
                object.insert("reachable".into(), true.into());
            }
            status
        }
        Err(error) => json!({
            "node": node.0,
            "reachable": false,
            "error": error.to_string(),
        }),
    }
}

fn rows(node: NodeId, status: &Result<Value, Error>) -> Vec<Vec<String>> {
    let name = node.0.to_string();
    let Ok(status) = status else {
        let mut row = vec![name];
        row.extend(std::iter::repeat_n("-".to_owned(), 9));
        row.push("does not answer".to_owned());
        return vec![row];
    };
    let groups = status
        .get("groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    groups.map(|group| row(&name, group)).collect()
}

fn row(node: &str, group: &Value) -> Vec<String> {
    let cell = |pointer: &str| match group.pointer(pointer) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Null) | None => "-".to_owned(),
        Some(other) => other.to_string(),
    };
    let keyspace = format!("{}/{}", cell("/keyspace"), cell("/shard"));
    let state = match cell("/poisoned").as_str() {
        // A voter that may have forgotten what it promised: it counts for nothing yet.
        "-" if cell("/details/is_amnesiac") == "1" => "recovering".to_owned(),
        "-" => "ok".to_owned(),
        panic => format!("poisoned: {panic}"),
    };
    let cells = [
        "/protocol",
        "/role",
        "/leader",
        "/epoch",
        "/keys",
        "/last/lsn",
        "/commit_lsn",
        "/applied_lsn",
    ];
    let cells = cells.into_iter().map(cell);
    [node.to_owned(), keyspace]
        .into_iter()
        .chain(cells)
        .chain([state])
        .collect()
}

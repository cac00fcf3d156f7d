//! `transfer`: another replica is to lead.

use std::time::{Duration, Instant};

use clap::Args;
use repertoire::core::{Error, ErrorKind, NodeId};
use repertoire_client::{Client, DEADLINE};
use serde_json::{Value, json};

use crate::Context;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::verbs::status::ask_all;

/// How often the nodes are asked who leads.
const EVERY: Duration = Duration::from_millis(20);

/// Hand the leadership of a keyspace, or of one shard of it, over to another node. No acknowledged
/// write is lost; writes wait for a moment. Exit code 3 when it has not come about in time: then the
/// old leader goes on.
#[derive(Clone, Debug, Args)]
pub(crate) struct TransferArgs {
    /// The keyspace. It must elect its leaders.
    keyspace: String,
    /// The node that is to lead.
    #[arg(long, value_name = "NODE")]
    to: u64,
    /// The shard.
    #[arg(long, default_value_t = 0)]
    shard: u32,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: TransferArgs, context: &Context) -> Result<(), Failure> {
    let (client, catalogue) = args.connect.catalogue().await?;
    let nodes: Vec<NodeId> = catalogue.members().map(|member| member.node).collect();
    let patience = args.connect.deadline.unwrap_or(DEADLINE);
    let begin = Instant::now();
    let end = begin + patience;
    let (keyspace, shard) = (args.keyspace.as_str(), args.shard);
    let call = json!({"keyspace": keyspace, "shard": shard, "to": args.to});
    let mut from = None;
    loop {
        let leader = find_leader(&client, &nodes, keyspace, shard, patience).await;
        if leader == Some(args.to) {
            return report(context, &args, from, begin.elapsed());
        }
        if Instant::now() >= end {
            return Err(late(&args, leader).into());
        }
        if from.is_none()
            && let Some(leader) = leader
        {
            client.admin(NodeId(leader), "transfer", &call).await?;
            from = Some(leader);
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// The node that says of itself that it leads, in the newest epoch.
pub(crate) async fn find_leader(
    client: &Client,
    nodes: &[NodeId],
    keyspace: &str,
    shard: u32,
    patience: Duration,
) -> Option<u64> {
    let found = ask_all(client, nodes, patience).await;
    let leaderships = found.iter().filter_map(|(node, status)| {
        let groups = status.as_ref().ok()?.get("groups")?.as_array()?;
        let group = groups.iter().find(|group| {
            group.get("keyspace").and_then(Value::as_str) == Some(keyspace)
                && group.get("shard").and_then(Value::as_u64) == Some(shard.into())
        })?;
        let leads = group.get("role")?.as_str()? == "leader";
        let epoch = group.get("epoch")?.as_u64()?;
        leads.then_some((epoch, node.0))
    });
    leaderships.max().map(|(_, node)| node)
}

fn late(args: &TransferArgs, leader: Option<u64>) -> Error {
    let error = Error::new(ErrorKind::Timeout, "transfer")
        .with("keyspace", &args.keyspace)
        .with("shard", args.shard)
        .with("to", args.to);
    match leader {
        Some(leader) => error.with("leader", leader),
        None => error.with("detail", "no node says that it leads"),
    }
}

fn report(
    context: &Context,
    args: &TransferArgs,
    from: Option<u64>,
    took: Duration,
) -> Result<(), Failure> {
    let millis = took.as_millis();
    if context.output.is_json() {
        return context.output.object(&json!({
            "keyspace": args.keyspace,
            "shard": args.shard,
            "from": from,
            "to": args.to,
            "millis": millis,
        }));
    }
    let was = match from {
        Some(from) => format!("handed over by node {from} in {millis} ms"),
        None => "as it did before".to_owned(),
    };
    let line = format!(
        "{}/{}: node {} leads, {was}",
        args.keyspace, args.shard, args.to
    );
    context.output.line(&line)
}

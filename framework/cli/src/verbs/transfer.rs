//! `transfer`: another replica is to lead.

use std::time::{Duration, Instant};

use clap::Args;
use repertoire::core::{Catalogue, Error, ErrorKind, NodeId};
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
    /// The shard; all of them without it, one after the other.
    #[arg(long)]
    shard: Option<u32>,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// A shard that is to be led by another node.
#[derive(Clone, Copy)]
struct Wish<'a> {
    keyspace: &'a str,
    shard: u32,
    to: u64,
    patience: Duration,
}

/// What became of one.
struct Moved {
    shard: u32,
    from: Option<u64>,
    took: Duration,
}

/// Runs the verb.
pub(crate) async fn run(args: TransferArgs, context: &Context) -> Result<(), Failure> {
    let (client, catalogue) = args.connect.catalogue().await?;
    let nodes: Vec<NodeId> = catalogue.members().map(|member| member.node).collect();
    let patience = args.connect.deadline.unwrap_or(DEADLINE);
    let shards = match args.shard {
        Some(shard) => vec![shard],
        None => shards_of(&catalogue, &args.keyspace)?,
    };
    let mut all = Vec::new();
    for shard in shards {
        let wish = Wish {
            keyspace: &args.keyspace,
            shard,
            to: args.to,
            patience,
        };
        all.push(transfer(&client, &nodes, wish).await?);
    }
    report(context, &args, &all)
}

/// The shards of a keyspace.
///
/// # Errors
/// `UnknownKeyspace`.
pub(crate) fn shards_of(catalogue: &Catalogue, keyspace: &str) -> Result<Vec<u32>, Error> {
    let descriptor = catalogue.by_name(keyspace)?;
    let shards = descriptor.placement.shards.keys();
    Ok(shards.map(|shard| shard.0).collect())
}

async fn transfer(client: &Client, nodes: &[NodeId], wish: Wish<'_>) -> Result<Moved, Failure> {
    let Wish {
        keyspace,
        shard,
        to,
        patience,
    } = wish;
    let begin = Instant::now();
    let call = json!({"keyspace": keyspace, "shard": shard, "to": to});
    let mut from = None;
    loop {
        let leader = find_leader(client, nodes, keyspace, shard, patience).await;
        if leader == Some(to) {
            let took = begin.elapsed();
            return Ok(Moved { shard, from, took });
        }
        if begin.elapsed() >= patience {
            return Err(late(wish, leader).into());
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

fn late(wish: Wish<'_>, leader: Option<u64>) -> Error {
    let error = Error::new(ErrorKind::Timeout, "transfer")
        .with("keyspace", wish.keyspace)
        .with("shard", wish.shard)
        .with("to", wish.to);
    match leader {
        Some(leader) => error.with("leader", leader),
        None => error.with("detail", "no node says that it leads"),
    }
}

fn report(context: &Context, args: &TransferArgs, all: &[Moved]) -> Result<(), Failure> {
    let to_json = |moved: &Moved| {
        json!({
            "keyspace": args.keyspace,
            "shard": moved.shard,
            "from": moved.from,
            "to": args.to,
            "millis": moved.took.as_millis(),
        })
    };
    if context.output.is_json() {
        return match all {
            [one] => context.output.object(&to_json(one)),
            all => {
                let shards: Vec<Value> = all.iter().map(to_json).collect();
                let whole = json!({"keyspace": args.keyspace, "to": args.to, "shards": shards});
                context.output.object(&whole)
            }
        };
    }
    for Moved { shard, from, took } in all {
        let was = match from {
            Some(from) => format!("handed over by node {from} in {} ms", took.as_millis()),
            None => "as it did before".to_owned(),
        };
        let line = format!("{}/{shard}: node {} leads, {was}", args.keyspace, args.to);
        context.output.line(&line)?;
    }
    Ok(())
}

//! `discarded`: writes that a failover took back, and what becomes of them.

mod asked;
mod listed;

use clap::{Args, ValueEnum};
use repertoire::core::{Error, ErrorKind, NodeId};
use repertoire_client::{Client, DEADLINE};
use serde_json::{Value, json};

use crate::Context;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::verbs::transfer::{find_leader, shards_of};
use listed::{Found, Listed, gather};

/// Writes in one call to the leader, and bytes of their operations.
const REPLAYED_AT_ONCE: (usize, usize) = (256, 512 * 1024);

/// Show the writes that a failover took back from a keyspace, write them again, or give them up. A
/// node keeps them, across restarts, until one of the two was done, or until their own client has
/// sent them again.
#[derive(Clone, Debug, Args)]
pub(crate) struct DiscardedArgs {
    /// The keyspace.
    keyspace: String,
    /// What to do with them.
    #[arg(value_enum)]
    action: Action,
    /// Which, as LSN@EPOCH: what `list` shows as their position.
    #[arg(value_name = "POSITION", value_parser = asked::position)]
    positions: Vec<asked::Position>,
    /// All of them.
    #[arg(long, conflicts_with = "positions")]
    all: bool,
    /// Only what this node keeps.
    #[arg(long, value_name = "ID")]
    node: Option<u64>,
    /// The shard; all of them without it.
    #[arg(long)]
    shard: Option<u32>,
    /// Replay also what was written on a condition, without the condition: what it changed then is
    /// written over what is there now.
    #[arg(long)]
    without_condition: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Action {
    /// Show them; nothing changes.
    List,
    /// Write them again, over what is there now, and settle them. Where the client's session is still
    /// known each keeps its request id, so that it has one effect however often it is sent.
    Replay,
    /// Give them up: they are not listed any more.
    Acknowledge,
}

/// Runs the verb.
pub(crate) async fn run(args: DiscardedArgs, context: &Context) -> Result<(), Failure> {
    let is_named = args.all || !args.positions.is_empty();
    if args.action != Action::List && !is_named {
        let error = Error::new(ErrorKind::Malformed, "settle discarded writes")
            .with("detail", "name positions, or pass --all");
        return Err(error.into());
    }
    let (client, catalogue) = args.connect.catalogue().await?;
    let members = catalogue.members().map(|member| member.node);
    let nodes: Vec<NodeId> = members
        .filter(|node| args.node.is_none_or(|only| only == node.0))
        .collect();
    let shards = match args.shard {
        Some(shard) => vec![shard],
        None => shards_of(&catalogue, &args.keyspace)?,
    };
    if shards.len() > 1 && !args.positions.is_empty() {
        let error = Error::new(ErrorKind::Malformed, "find a discarded write").with(
            "detail",
            "positions are counted by shard: pass --shard, too",
        );
        return Err(error.into());
    }
    let mut found = gather(&client, &nodes, &args.keyspace, &shards).await?;
    asked::select(&mut found, &args.positions)?;
    match args.action {
        Action::List => listed::report(context, &args.keyspace, &found),
        Action::Replay => {
            let all: Vec<NodeId> = catalogue.members().map(|member| member.node).collect();
            replay(&client, &all, &args, found, context).await
        }
        Action::Acknowledge => {
            let unlisted = found.unlisted.iter().map(listed::Unlisted::place);
            let writes = found.writes.iter().map(Listed::place);
            let given_up: Vec<_> = writes.chain(unlisted.filter(|_| args.all)).collect();
            let settled = settle(&client, &args, &given_up, "acknowledged").await?;
            report(
                context,
                &args,
                json!({"acknowledged": settled}),
                &[],
                &found,
            )
        }
    }
}

/// Writes them again, each request once however many nodes keep it.
async fn replay(
    client: &Client,
    nodes: &[NodeId],
    args: &DiscardedArgs,
    mut found: Found,
    context: &Context,
) -> Result<(), Failure> {
    let mut left: Vec<(Listed, String)> = Vec::new();
    let mut chosen = Vec::new();
    for write in found.writes.drain(..) {
        match write.refusal(args.without_condition) {
            Some(reason) => left.push((write, reason.to_owned())),
            None => chosen.push(write),
        }
    }
    let patience = args.connect.deadline.unwrap_or(DEADLINE);
    let mut done = Vec::new();
    let mut requests: Vec<Vec<Listed>> = listed::by_request(chosen);
    while !requests.is_empty() {
        let part = listed::take_part(&mut requests, REPLAYED_AT_ONCE);
        let writes: Vec<Value> = part.iter().filter_map(|it| it.first()?.again()).collect();
        let shard = part.iter().flatten().next().map_or(0, |it| it.shard);
        let leader = find_leader(client, nodes, &args.keyspace, shard, patience).await;
        let leader = leader.ok_or_else(|| {
            Error::not_leader(None, "replay discarded writes").with("keyspace", &args.keyspace)
        })?;
        let call = json!({"keyspace": args.keyspace, "shard": shard, "writes": writes});
        let answer = client
            .admin(NodeId(leader), "discarded-replay", &call)
            .await?;
        let outcomes = answer.get("outcomes").and_then(Value::as_array).cloned();
        for (copies, outcome) in part.into_iter().zip(outcomes.unwrap_or_default()) {
            let is_done = outcome.get("done").and_then(Value::as_bool) == Some(true);
            let error = outcome
                .get("error")
                .and_then(Value::as_str)
                .unwrap_or("no answer");
            if is_done {
                done.extend(copies);
            } else {
                left.extend(copies.into_iter().map(|write| (write, error.to_owned())));
            }
        }
    }
    let places: Vec<_> = done.iter().map(Listed::place).collect();
    let settled = settle(client, args, &places, "replayed").await?;
    let numbers = json!({"replayed": done.len(), "settled": settled, "left": left.len()});
    report(context, args, numbers, &left, &found)
}

/// Tells each node what is settled. Returns how many still waited for that.
async fn settle(
    client: &Client,
    args: &DiscardedArgs,
    places: &[((NodeId, u32), asked::Position)],
    how: &str,
) -> Result<u64, Failure> {
    let mut settled = 0;
    let mut replicas: Vec<(NodeId, u32)> = places.iter().map(|(at, _)| *at).collect();
    replicas.sort_unstable();
    replicas.dedup();
    for (node, shard) in replicas {
        let is_mine = |place: &&((NodeId, u32), _)| place.0 == (node, shard);
        let mine: Vec<_> = places.iter().filter(is_mine).collect();
        for part in mine.chunks(4096) {
            let positions: Vec<Value> = part.iter().map(|(_, at)| at.to_json()).collect();
            let call = json!({
                "keyspace": args.keyspace,
                "shard": shard,
                "positions": positions,
                "how": how,
            });
            let answer = client.admin(node, "discarded-settle", &call).await?;
            settled += answer.get("settled").and_then(Value::as_u64).unwrap_or(0);
        }
    }
    Ok(settled)
}

fn report(
    context: &Context,
    args: &DiscardedArgs,
    mut numbers: Value,
    left: &[(Listed, String)],
    found: &Found,
) -> Result<(), Failure> {
    found.warn(context);
    if context.output.is_json() {
        let refused: Vec<Value> = left
            .iter()
            .map(|(write, reason)| {
                json!({
                    "node": write.node.0,
                    "shard": write.shard,
                    "position": write.position.to_json(),
                    "reason": reason,
                })
            })
            .collect();
        if let Some(object) = numbers.as_object_mut() {
            object.insert("keyspace".into(), args.keyspace.clone().into());
            object.insert("refused".into(), refused.into());
            object.insert("unreachable".into(), found.unreachable());
        }
        context.output.object(&numbers)?;
    } else {
        let words: Vec<String> = numbers
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, number)| format!("{number} {name}"))
            .collect();
        context
            .output
            .line(&format!("{}: {}", args.keyspace, words.join(", ")))?;
        let rows: Vec<Vec<String>> = left
            .iter()
            .map(|(write, reason)| {
                vec![
                    write.node.0.to_string(),
                    write.shard.to_string(),
                    write.position.to_string(),
                    reason.clone(),
                ]
            })
            .collect();
        if !rows.is_empty() {
            let head = ["NODE", "SHARD", "POSITION", "NOT WRITTEN AGAIN BECAUSE"];
            context.output.table(&head, &rows)?;
        }
    }
    Ok(())
}

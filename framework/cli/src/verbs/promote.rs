//! `promote`: a replica takes the place of a leader that is gone.

use std::time::{Duration, Instant};

use clap::Args;
use repertoire::core::{Error, ErrorKind, NodeId};
use repertoire_client::{Client, DEADLINE};
use serde_json::{Value, json};

use crate::Context;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::verbs::status::ask_all;

/// How often the nodes are asked whether the replica leads.
const EVERY: Duration = Duration::from_millis(20);

/// How long a node may take to say how it is: the former leader is expected not to.
const ANSWER_MAX: Duration = Duration::from_millis(500);

/// Appoint a replica as leader, because the former leader is gone. A majority must agree, and refuses
/// while the leader lives or while a better candidate can be reached: then nothing changes, and the
/// exit code is 4. Where the node has a `fence_command`, that must have cut the former leader off first.
/// Exit code 3 when it was not decided in time: it may still come about.
#[derive(Clone, Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The keyspace. Its leaders must be appointed or elected (failover = "appoint" or "elect").
    keyspace: String,
    /// The node that is to lead.
    #[arg(long, value_name = "NODE")]
    to: u64,
    /// The shard.
    #[arg(long, default_value_t = 0)]
    shard: u32,
    /// The leadership that is to end. Without it, the newest that any node knows of. A controller says
    /// which one it decided about: when there has been another since, it is refused.
    #[arg(long, value_name = "EPOCH")]
    replaces: Option<u64>,
    /// Appoint it although acknowledged writes are lost that only others hold. They are listed by
    /// `discarded` as soon as those others are back. A majority must agree all the same.
    #[arg(long)]
    accept_data_loss: bool,
    /// Only say whether it would be begun, and who leads.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    connect: ConnectArgs,
}

/// A replica as its node describes it.
#[derive(Clone, Debug)]
struct Seen {
    node: u64,
    epoch: u64,
    last: (u64, u64),
    leads: bool,
    /// Votes against the promotion into that epoch.
    refusals: (u64, u64),
}

/// Runs the verb.
pub(crate) async fn run(args: PromoteArgs, context: &Context) -> Result<(), Failure> {
    let (client, catalogue) = args.connect.catalogue().await?;
    let nodes: Vec<NodeId> = catalogue.members().map(|member| member.node).collect();
    let patience = args.connect.deadline.unwrap_or(DEADLINE);
    let begin = Instant::now();
    let seen = look(&client, &nodes, &args, patience).await;
    if leads(&seen, &args) {
        return report(context, &args, None, begin.elapsed());
    }
    let newest = seen.iter().map(|replica| replica.epoch).max().unwrap_or(0);
    let replaces = args.replaces.unwrap_or(newest);
    let call = json!({
        "keyspace": args.keyspace,
        "shard": args.shard,
        "replaces": replaces,
        "accept_data_loss": args.accept_data_loss,
        "dry_run": args.dry_run,
    });
    let answer = client.admin(NodeId(args.to), "promote", &call).await?;
    let former = answer.get("former").and_then(Value::as_u64);
    if args.dry_run {
        return rehearsed(context, &args, former, replaces);
    }
    loop {
        let seen = look(&client, &nodes, &args, patience).await;
        if leads(&seen, &args) {
            return report(context, &args, former, begin.elapsed());
        }
        let over = begin.elapsed() >= patience;
        if let Some(error) = refused(&seen, &args, replaces, over) {
            return Err(error.into());
        }
        tokio::time::sleep(EVERY).await;
    }
}

/// What the replicas of the group say of themselves.
async fn look(
    client: &Client,
    nodes: &[NodeId],
    args: &PromoteArgs,
    patience: Duration,
) -> Vec<Seen> {
    let answers = ask_all(client, nodes, patience.min(ANSWER_MAX)).await;
    let found = answers.iter().filter_map(|(node, status)| {
        let groups = status.as_ref().ok()?.get("groups")?.as_array()?;
        let group = groups.iter().find(|group| {
            group.get("keyspace").and_then(Value::as_str) == Some(args.keyspace.as_str())
                && group.get("shard").and_then(Value::as_u64) == Some(args.shard.into())
        })?;
        let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
        let last = group.get("last")?;
        let detail = |name: &str| number(group.get("details").and_then(|all| all.get(name)));
        Some(Seen {
            node: node.0,
            epoch: number(group.get("epoch")),
            last: (number(last.get("epoch")), number(last.get("lsn"))),
            leads: group.get("role")?.as_str()? == "leader",
            refusals: (detail("promotion_epoch"), detail("promotion_refusals")),
        })
    });
    found.collect()
}

/// Whether the wanted replica leads, and nobody knows of a newer leadership.
fn leads(seen: &[Seen], args: &PromoteArgs) -> bool {
    let newest = seen.iter().map(|replica| replica.epoch).max();
    seen.iter()
        .any(|replica| replica.node == args.to && replica.leads && Some(replica.epoch) == newest)
}

/// Why it does not come about, once that is certain; or that time is over.
fn refused(seen: &[Seen], args: &PromoteArgs, replaces: u64, over: bool) -> Option<Error> {
    let error = |kind| {
        Error::new(kind, "promote")
            .with("keyspace", &args.keyspace)
            .with("shard", args.shard)
            .with("to", args.to)
    };
    let other = seen
        .iter()
        .find(|replica| replica.leads && replica.epoch > replaces);
    if let Some(other) = other {
        return Some(
            error(ErrorKind::Conflict)
                .with("detail", "another replica was made leader meanwhile")
                .with("leader", other.node)
                .with("epoch", other.epoch),
        );
    }
    let target = seen.iter().find(|replica| replica.node == args.to)?;
    let is_refused = target.refusals.0 == replaces + 1 && target.refusals.1 > 0;
    let better = seen.iter().max_by_key(|replica| replica.last)?;
    if is_refused && better.last > target.last && !args.accept_data_loss {
        return Some(
            error(ErrorKind::Conflict)
                .with("detail", "a better candidate can be reached: it holds more")
                .with("better", better.node)
                .with(
                    "remedy",
                    "promote that one, or accept the loss with --accept-data-loss",
                ),
        );
    }
    over.then(|| {
        let detail = if is_refused {
            "voters refuse: they hear the leader, or hold more"
        } else {
            "no majority has answered"
        };
        error(ErrorKind::Timeout)
            .with("detail", detail)
            .with("refusals", target.refusals.1)
            .with("answering", seen.len())
    })
}

fn rehearsed(
    context: &Context,
    args: &PromoteArgs,
    former: Option<u64>,
    replaces: u64,
) -> Result<(), Failure> {
    if context.output.is_json() {
        let more = json!({"replaces": replaces, "dry_run": true});
        return tell(context, args, former, &more);
    }
    let former = former.map_or_else(
        || "an unknown leader".to_owned(),
        |node| format!("node {node}"),
    );
    context.output.line(&format!(
        "{}/{}: node {} would take the place of {former}, epoch {replaces}",
        args.keyspace, args.shard, args.to
    ))
}

fn report(
    context: &Context,
    args: &PromoteArgs,
    former: Option<u64>,
    took: Duration,
) -> Result<(), Failure> {
    let millis = took.as_millis();
    if context.output.is_json() {
        return tell(context, args, former, &json!({"millis": millis}));
    }
    let was = former.map_or_else(String::new, |node| format!(", in the place of node {node}"));
    context.output.line(&format!(
        "{}/{}: node {} leads{was} ({millis} ms)",
        args.keyspace, args.shard, args.to
    ))
}

/// What both say in JSON, and `more`.
fn tell(
    context: &Context,
    args: &PromoteArgs,
    former: Option<u64>,
    more: &Value,
) -> Result<(), Failure> {
    let mut told = json!({
        "keyspace": args.keyspace,
        "shard": args.shard,
        "to": args.to,
        "former": former,
    });
    if let (Some(told), Some(more)) = (told.as_object_mut(), more.as_object()) {
        told.extend(more.clone());
    }
    context.output.object(&told)
}

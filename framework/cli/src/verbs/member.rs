//! `member`: nodes join a running cluster, take each other's places, and leave.

use std::time::Duration;

use clap::{Args, Subcommand};
use repertoire::core::{Error, ErrorKind, MemberRole, NodeId, Site};
use repertoire_client::{Belonging, Changed, Newcomer, Operator};
use serde_json::{Value, json};

use crate::Context;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::values;

/// Change who belongs to the cluster, while it runs. Groups change one after the other, and one member at
/// a time. Given again, a command goes on where it stopped; an addition is called off by removing the
/// node. Exit code 3 when a group is late: its change may still come about.
#[derive(Clone, Debug, Args)]
pub(crate) struct MemberArgs {
    #[command(subcommand)]
    what: What,
    /// How long each group may take.
    #[arg(long, global = true, value_name = "SPAN", value_parser = values::span, default_value = "10m")]
    patience: Duration,
}

/// A node that runs, and belongs to nothing yet.
#[derive(Clone, Debug, Args)]
struct Joining {
    /// Where the others and clients reach it.
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List the members of every group.
    List {
        /// Only of this keyspace; several times, of these.
        #[arg(long, value_name = "NAME")]
        keyspace: Vec<String>,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Take a node in. It was formatted, is configured with `joins = true`, and runs.
    Add {
        /// The node.
        node: u64,
        #[command(flatten)]
        joining: Joining,
        /// Only into this keyspace; several times, into these.
        #[arg(long, value_name = "NAME")]
        keyspace: Vec<String>,
        /// It holds the data and answers reads, and counts for nothing.
        #[arg(long)]
        learner: bool,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Put a node in the place of another one, which leaves the cluster.
    Replace {
        /// The node that goes. It need not run.
        node: u64,
        /// The node that takes its place.
        #[arg(long, value_name = "NODE")]
        by: u64,
        #[command(flatten)]
        joining: Joining,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Remove a node from keyspaces. It stays in the cluster.
    Remove {
        /// The node.
        node: u64,
        /// From this keyspace; several times, from these.
        #[arg(long, value_name = "NAME", required = true)]
        keyspace: Vec<String>,
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Remove a node from every keyspace and from the cluster. It need not run.
    Decommission {
        /// The node.
        node: u64,
        #[command(flatten)]
        connect: ConnectArgs,
    },
}

/// Runs the verb.
pub(crate) async fn run(args: MemberArgs, context: &Context) -> Result<(), Failure> {
    let patience = args.patience;
    let changed = match args.what {
        What::List { keyspace, connect } => {
            let operator = operator(&connect, patience).await?;
            return list(context, &operator.members(&keyspace).await?);
        }
        What::Add {
            node,
            joining,
            keyspace,
            learner,
            connect,
        } => {
            let newcomer = meet(NodeId(node), &joining, &connect).await?;
            let operator = operator(&connect, patience).await?;
            operator.add(&newcomer, &keyspace, !learner).await?
        }
        What::Replace {
            node,
            by,
            joining,
            connect,
        } => {
            let newcomer = meet(NodeId(by), &joining, &connect).await?;
            let operator = operator(&connect, patience).await?;
            operator.replace(NodeId(node), &newcomer).await?
        }
        What::Remove {
            node,
            keyspace,
            connect,
        } => {
            let operator = operator(&connect, patience).await?;
            operator.remove(NodeId(node), &keyspace).await?
        }
        What::Decommission { node, connect } => {
            let operator = operator(&connect, patience).await?;
            operator.decommission(NodeId(node)).await?
        }
    };
    report(context, &changed)
}

async fn operator(connect: &ConnectArgs, patience: Duration) -> Result<Operator, Failure> {
    let client = connect.client().await?;
    Ok(client.operator().await?.patience(patience))
}

/// Asks a node at its address who it is.
async fn meet(node: NodeId, joining: &Joining, connect: &ConnectArgs) -> Result<Newcomer, Failure> {
    let there = ConnectArgs {
        connect: vec![joining.address.clone()],
        ..connect.clone()
    };
    let client = there.client().await?;
    let found = client.nodes();
    if !found.contains(&node) {
        let found = found.first().map_or(0, |node| node.0);
        return Err(Error::new(ErrorKind::ConfigInvalid, "meet a node")
            .with("address", &joining.address)
            .with("expected", node)
            .with("found", NodeId(found))
            .with(
                "remedy",
                "name the node that runs there, or its own address",
            )
            .into());
    }
    let status = client.status(node).await?;
    let text = |field: &str| status.get(field).and_then(Value::as_str);
    let disk = text("incarnation").and_then(|text| text.parse().ok());
    let unreadable = || Error::new(ErrorKind::Malformed, "meet a node").with("node", node);
    Ok(Newcomer {
        node,
        incarnation: disk.ok_or_else(unreadable)?,
        address: joining.address.clone(),
        site: text("site").map_or_else(Site::default, |site| Site(site.to_owned())),
    })
}

fn list(context: &Context, all: &[Belonging]) -> Result<(), Failure> {
    let of = |group: &Belonging, role| -> Vec<u64> {
        let members = group.members.iter().filter(|member| member.role == role);
        members.map(|member| member.node.0).collect()
    };
    let (voter, joining, learner) = (MemberRole::Voter, MemberRole::Joining, MemberRole::Learner);
    if context.output.is_json() {
        let group = |group: &Belonging| {
            json!({
                "keyspace": group.keyspace,
                "shard": group.shard.0,
                "leader": group.leader.0,
                "is_settled": group.is_settled,
                "voters": of(group, voter),
                "joining": of(group, joining),
                "learners": of(group, learner),
            })
        };
        let groups: Vec<Value> = all.iter().map(group).collect();
        return context.output.object(&json!({"groups": groups}));
    }
    let head = [
        "KEYSPACE", "SHARD", "LEADER", "VOTERS", "JOINING", "LEARNERS", "SETTLED",
    ];
    let row = |group: &Belonging| {
        vec![
            group.keyspace.clone(),
            group.shard.0.to_string(),
            group.leader.0.to_string(),
            numbers(&of(group, voter)),
            numbers(&of(group, joining)),
            numbers(&of(group, learner)),
            if group.is_settled { "yes" } else { "no" }.to_owned(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    context.output.table(&head, &rows)
}

fn report(context: &Context, changed: &[Changed]) -> Result<(), Failure> {
    let voters = |group: &Changed| -> Vec<u64> { group.voters.iter().map(|it| it.0).collect() };
    if context.output.is_json() {
        let group = |group: &Changed| {
            json!({
                "keyspace": group.keyspace,
                "shard": group.shard.0,
                "voters": voters(group),
                "millis": group.took.as_millis(),
            })
        };
        let groups: Vec<Value> = changed.iter().map(group).collect();
        return context.output.object(&json!({"groups": groups}));
    }
    let row = |group: &Changed| {
        vec![
            group.keyspace.clone(),
            group.shard.0.to_string(),
            numbers(&voters(group)),
            format!("{} ms", group.took.as_millis()),
        ]
    };
    let rows: Vec<_> = changed.iter().map(row).collect();
    context
        .output
        .table(&["KEYSPACE", "SHARD", "VOTERS", "TOOK"], &rows)
}

fn numbers(nodes: &[u64]) -> String {
    if nodes.is_empty() {
        return "-".to_owned();
    }
    let nodes: Vec<String> = nodes.iter().map(ToString::to_string).collect();
    nodes.join(",")
}

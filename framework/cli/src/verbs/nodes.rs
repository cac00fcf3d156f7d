//! `nodes`: who belongs to the cluster.

use std::time::Duration;

use clap::Args;
use repertoire::core::{Error, Member, NodeId};
use repertoire_client::DEADLINE;
use serde_json::{Value, json};

use crate::Context;
use crate::connect::ConnectArgs;
use crate::failure::Failure;
use crate::units;
use crate::verbs::status::ask_all;

/// List the nodes of the cluster and whether they answer.
#[derive(Clone, Debug, Args)]
pub(crate) struct NodesArgs {
    #[command(flatten)]
    connect: ConnectArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: NodesArgs, context: &Context) -> Result<(), Failure> {
    let (client, catalogue) = args.connect.catalogue().await?;
    let members: Vec<Member> = catalogue.members().cloned().collect();
    let nodes: Vec<NodeId> = members.iter().map(|member| member.node).collect();
    let found = ask_all(&client, &nodes, args.connect.deadline.unwrap_or(DEADLINE)).await;
    let pairs = || members.iter().zip(found.iter().map(|(_, status)| status));
    if context.output.is_json() {
        let nodes: Vec<Value> = pairs()
            .map(|(member, status)| to_json(member, status))
            .collect();
        return context.output.object(&json!({"nodes": nodes}));
    }
    let rows: Vec<_> = pairs()
        .map(|(member, status)| row(member, status))
        .collect();
    context
        .output
        .table(&["NODE", "ADDRESS", "SITE", "ANSWERS", "UP FOR"], &rows)
}

fn to_json(member: &Member, status: &Result<Value, Error>) -> Value {
    let field = |name: &str| {
        status
            .as_ref()
            .ok()
            .and_then(|status| status.get(name))
            .cloned()
    };
    json!({
        "node": member.node.0,
        "address": member.address,
        "site": member.site.0,
        "reachable": status.is_ok(),
        "incarnation": field("incarnation"),
        "uptime_seconds": field("uptime_seconds"),
    })
}

fn row(member: &Member, status: &Result<Value, Error>) -> Vec<String> {
    let uptime = status
        .as_ref()
        .ok()
        .and_then(|status| status.get("uptime_seconds")?.as_f64());
    let uptime = uptime.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    vec![
        member.node.0.to_string(),
        member.address.clone(),
        member.site.0.clone(),
        if status.is_ok() { "yes" } else { "no" }.to_owned(),
        uptime.map_or_else(|| "-".to_owned(), units::span),
    ]
}

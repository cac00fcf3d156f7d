//! `keyspace`: what keyspaces there are.

use clap::{Args, Subcommand};
use repertoire::core::Descriptor;
use serde_json::{Value, json};

use crate::Context;
use crate::connect::ConnectArgs;
use crate::failure::Failure;

/// Show the keyspaces of the cluster.
#[derive(Clone, Debug, Args)]
pub(crate) struct KeyspaceArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// List all of them.
    List {
        #[command(flatten)]
        connect: ConnectArgs,
    },
    /// Show all that is known of one.
    Show {
        /// Its name.
        name: String,
        #[command(flatten)]
        connect: ConnectArgs,
    },
}

/// Runs the verb.
pub(crate) async fn run(args: KeyspaceArgs, context: &Context) -> Result<(), Failure> {
    match args.what {
        What::List { connect } => {
            let (_, catalogue) = connect.catalogue().await?;
            let all: Vec<&Descriptor> = catalogue.keyspaces().map(|found| &**found).collect();
            if context.output.is_json() {
                let all: Vec<Value> = all.into_iter().map(summary).collect();
                return context.output.object(&json!({"keyspaces": all}));
            }
            let head = [
                "KEYSPACE",
                "PROTOCOL",
                "ACKS",
                "DURABILITY",
                "ENGINE",
                "LOG FORMAT",
                "SHARDS",
                "NODES",
            ];
            let rows: Vec<_> = all.into_iter().map(row).collect();
            context.output.table(&head, &rows)
        }
        What::Show { name, connect } => {
            let keyspace = connect.client().await?.keyspace(&name).await?;
            let descriptor = serde_json::to_value(&*keyspace.descriptor()).unwrap_or_default();
            if context.output.is_json() {
                return context.output.object(&descriptor);
            }
            let text = serde_json::to_string_pretty(&descriptor).unwrap_or_default();
            context.output.line(&text)
        }
    }
}

fn nodes(descriptor: &Descriptor) -> Vec<u64> {
    let replicas = descriptor.placement.shards.values().flatten();
    let mut nodes: Vec<u64> = replicas.map(|replica| replica.node.0).collect();
    nodes.sort_unstable();
    nodes.dedup();
    nodes
}

fn summary(descriptor: &Descriptor) -> Value {
    json!({
        "id": descriptor.id.0,
        "name": descriptor.name,
        "config_epoch": descriptor.config_epoch.0,
        "protocol": descriptor.protocol.name,
        "resolver": descriptor.resolver.as_ref().map(|resolver| &resolver.name),
        "log_format": descriptor.log_format.name,
        "engine": descriptor.engine.name,
        "acks": descriptor.options.acks.to_string(),
        "durability": descriptor.options.durability.to_string(),
        "shards": descriptor.placement.shards.len(),
        "nodes": nodes(descriptor),
    })
}

fn row(descriptor: &Descriptor) -> Vec<String> {
    let nodes: Vec<String> = nodes(descriptor).iter().map(ToString::to_string).collect();
    vec![
        descriptor.name.clone(),
        descriptor.protocol.name.clone(),
        descriptor.options.acks.to_string(),
        descriptor.options.durability.to_string(),
        descriptor.engine.name.clone(),
        descriptor.log_format.name.clone(),
        descriptor.placement.shards.len().to_string(),
        nodes.join(","),
    ]
}

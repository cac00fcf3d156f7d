//! `serve`: run one node.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use repertoire::{Node, NodeOptions};
use serde_json::json;

use crate::Context;
use crate::failure::Failure;
use crate::settings::{self, ConfigFiles};
use crate::values;
use crate::verbs::signal;

/// Run a node until it is asked to stop (Ctrl-C or SIGTERM), then stop it in order.
#[derive(Clone, Debug, Args)]
pub(crate) struct ServeArgs {
    #[command(flatten)]
    files: ConfigFiles,
    /// How long links may drain when the node stops.
    #[arg(long, value_name = "SPAN", value_parser = values::span, default_value = "5s")]
    drain: Duration,
}

/// Runs the verb.
pub(crate) async fn run(args: ServeArgs, context: &Context) -> Result<(), Failure> {
    let config = args.files.load(&context.registry)?;
    config.check_files()?;
    for warning in config.warnings() {
        context.output.note(&format!("warning: {warning}"));
    }
    let options = settings::node_options(&config, Arc::clone(&context.registry))?;
    let node = start(options, context).await?;
    let handle = node.handle();
    let failed = tokio::select! {
        () = signal::asked_to_stop() => None,
        ended = handle.ended() => Some(ended),
    };
    if let Some(ended) = failed {
        return Ok(ended?);
    }
    context
        .output
        .note("Stopping in order; ask again to stop at once");
    tokio::select! {
        stopped = handle.stop(args.drain) => Ok(stopped?),
        () = signal::asked_to_stop() => Err(Failure::failed("stopped before everything was in order")),
    }
}

async fn start(options: NodeOptions, context: &Context) -> Result<Node, Failure> {
    let node = Node::start(options).await?;
    let identity = node.handle().identity();
    let address = node
        .local_addr()
        .map(|address| address.to_string())
        .unwrap_or_default();
    if context.output.is_json() {
        context
            .output
            .object(&json!({"node": identity.node.0, "listening": address}))?;
    } else {
        let name = &identity.cluster_name;
        context
            .output
            .note(&format!("{} of {name} listens at {address}", identity.node));
    }
    Ok(node)
}

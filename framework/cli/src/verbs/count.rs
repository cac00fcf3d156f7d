//! `count`: how many keys there are.

use clap::Args;
use serde_json::{Value, json};

use crate::Context;
use crate::connect::{ReadArgs, TargetArgs};
use crate::failure::Failure;

/// Print how many keys a keyspace has: all of them, and those of each of its shards. Each shard is
/// asked by itself: while somebody writes, the sum is no number that there was at one moment.
#[derive(Clone, Debug, Args)]
pub(crate) struct CountArgs {
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: CountArgs, context: &Context) -> Result<(), Failure> {
    let keyspace = args.read.of(&args.target.open().await?);
    let counts = keyspace.count_all().await?;
    let total = counts.total();
    if context.output.is_json() {
        let shards = counts.shards.iter().map(|(shard, (position, keys))| {
            json!({"shard": shard.0, "keys": keys, "position": position.to_string()})
        });
        let shards: Vec<Value> = shards.collect();
        let name = &args.target.keyspace;
        return context
            .output
            .object(&json!({"keyspace": name, "keys": total, "shards": shards}));
    }
    let rows = counts.shards.iter();
    let mut rows: Vec<Vec<String>> = rows
        .map(|(shard, (_, keys))| vec![shard.0.to_string(), keys.to_string()])
        .collect();
    rows.push(vec!["all".to_owned(), total.to_string()]);
    context.output.table(&["SHARD", "KEYS"], &rows)
}

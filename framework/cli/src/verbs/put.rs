//! `put`: set a key.

use std::ffi::OsString;

use clap::Args;
use repertoire_client::Written;
use serde_json::{Map, Value, json};

use crate::Context;
use crate::connect::{TargetArgs, WriteArgs};
use crate::failure::Failure;
use crate::{text, values};

/// Set a key. Exit code 4 when a condition does not hold.
#[derive(Clone, Debug, Args)]
pub(crate) struct PutArgs {
    /// The key.
    key: OsString,
    /// The value; - reads it from standard input.
    value: OsString,
    /// Only if the key has no value.
    #[arg(long)]
    if_absent: bool,
    /// Only if the key has this value.
    #[arg(long, value_name = "VALUE", conflicts_with = "if_absent")]
    if_value: Option<OsString>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: PutArgs, context: &Context) -> Result<(), Failure> {
    let key = values::bytes(args.key);
    let value = values::bytes_or_stdin(args.value)?;
    let expected = args.if_value.map(values::bytes);
    let keyspace = args.write.of(args.target.open().await?);
    let written = if args.if_absent || expected.is_some() {
        keyspace
            .compare_and_set(&key, expected.as_deref(), Some(&value))
            .await?
    } else {
        keyspace.put(&key, &value).await?
    };
    report(&key, &written, context)
}

/// Tells what a write promises.
pub(crate) fn report(key: &[u8], written: &Written, context: &Context) -> Result<(), Failure> {
    let ack = written.ack;
    if !context.output.is_json() {
        let copies = if ack.copies == 1 { "copy" } else { "copies" };
        let (count, medium, position) = (ack.copies, ack.durability, ack.position);
        return context
            .output
            .line(&format!("OK at {position}: {count} {copies} on {medium}"));
    }
    let mut object = Map::new();
    text::put_bytes(&mut object, "key", key);
    object.insert("position".into(), ack.position.to_string().into());
    object.insert("copies".into(), json!(ack.copies));
    object.insert("durability".into(), ack.durability.to_string().into());
    context.output.object(&Value::Object(object))
}

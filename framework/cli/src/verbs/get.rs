//! `get`: the value of a key.

use std::ffi::OsString;

use clap::Args;

use crate::Context;
use crate::connect::{ReadArgs, TargetArgs};
use crate::failure::Failure;
use crate::{text, values};

/// Print the value of a key, byte by byte. Exit code 5 when it has none.
#[derive(Clone, Debug, Args)]
pub(crate) struct GetArgs {
    /// The key; - reads it from standard input.
    key: OsString,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: GetArgs, context: &Context) -> Result<(), Failure> {
    let key = values::bytes_or_stdin(args.key)?;
    let keyspace = args.read.of(&args.target.open().await?);
    let (position, value) = keyspace.get(&key).await?;
    let value = value.ok_or_else(|| {
        let (key, name) = (text::shown(&key), &args.target.keyspace);
        Failure::NotFound(format!("no value under {key:?} in keyspace {name}"))
    })?;
    if !context.output.is_json() {
        return context.output.value(&value);
    }
    let mut row = text::row(&key, &value);
    if let Some(row) = row.as_object_mut() {
        row.insert("position".into(), position.to_string().into());
    }
    context.output.object(&row)
}

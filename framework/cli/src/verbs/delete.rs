//! `delete`: remove a key.

use std::ffi::OsString;

use clap::Args;

use crate::Context;
use crate::connect::{TargetArgs, WriteArgs};
use crate::failure::Failure;
use crate::values;
use crate::verbs::put;

/// Remove a key. Removing an absent key is not an error.
#[derive(Clone, Debug, Args)]
pub(crate) struct DeleteArgs {
    /// The key.
    key: OsString,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    write: WriteArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: DeleteArgs, context: &Context) -> Result<(), Failure> {
    let key = values::bytes(args.key);
    let keyspace = args.write.of(args.target.open().await?);
    let written = keyspace.delete(&key).await?;
    put::report(&key, &written, context)
}

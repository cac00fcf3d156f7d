//! `scan`: rows in the order of their keys.

use std::ffi::OsString;

use clap::Args;
use repertoire::core::{Row, end_of_prefix};
use repertoire_client::Keyspace;

use crate::Context;
use crate::connect::{ReadArgs, TargetArgs};
use crate::failure::Failure;
use crate::paging::PAGE_ROWS;
use crate::{text, values};

/// Print rows in the order of their keys.
///
/// For people, long values are cut and bytes that are no text are escaped; with --output json there
/// is one object per line with all of them. See also export.
#[derive(Clone, Debug, Args)]
pub(crate) struct ScanArgs {
    /// The first key.
    #[arg(long, value_name = "KEY")]
    from: Option<OsString>,
    /// The first key that is not wanted any more.
    #[arg(long, value_name = "KEY")]
    to: Option<OsString>,
    /// Keys that begin so.
    #[arg(long, value_name = "KEY", conflicts_with_all = ["from", "to"])]
    prefix: Option<OsString>,
    /// Most rows to print.
    #[arg(long, value_name = "ROWS", default_value_t = 100)]
    limit: u64,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    read: ReadArgs,
}

/// Runs the verb.
pub(crate) async fn run(args: ScanArgs, context: &Context) -> Result<(), Failure> {
    let bounds = if let Some(prefix) = args.prefix.map(values::bytes) {
        let end = end_of_prefix(&prefix);
        (prefix, end)
    } else {
        let bytes = |bound: Option<OsString>| bound.map(values::bytes).unwrap_or_default();
        (bytes(args.from), bytes(args.to))
    };
    let keyspace = args.read.of(&args.target.open().await?);
    let rows = collect(&keyspace, &bounds, args.limit).await?;
    if context.output.is_json() {
        return rows
            .iter()
            .try_for_each(|row| context.output.object(&text::row(&row.key, &row.value)));
    }
    let shown = |row: &Row| vec![text::shown(&row.key), text::shown(&row.value)];
    let rows: Vec<_> = rows.iter().map(shown).collect();
    context.output.table(&["KEY", "VALUE"], &rows)
}

/// The first rows, of whichever shards.
async fn collect(
    keyspace: &Keyspace,
    (from, to): &(Vec<u8>, Vec<u8>),
    limit: u64,
) -> Result<Vec<Row>, Failure> {
    let (mut rows, mut all) = (keyspace.rows(from, to), Vec::new());
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    while all.len() < limit {
        let wanted = (limit - all.len()).min(PAGE_ROWS);
        match rows.next(wanted).await? {
            Some(page) => all.extend(page),
            None => break,
        }
    }
    Ok(all)
}

//! `export`: every row of a keyspace.

use clap::{Args, ValueEnum};
use repertoire::core::Row;

use crate::Context;
use crate::connect::{ReadArgs, TargetArgs};
use crate::failure::Failure;
use crate::output::Output;
use crate::paging::PAGE_ROWS;
use crate::text;

/// Print every row in the order of the keys, as CSV (columns key and value, bytes as they are) or as JSON lines, for import.
///
/// The keyspace is read page by page: rows that are written meanwhile may or may not be among them.
#[derive(Clone, Debug, Args)]
pub(crate) struct ExportArgs {
    /// How rows are written [default: csv; jsonl with --output json]
    #[arg(long, value_enum)]
    format: Option<ExportFormat>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    read: ReadArgs,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum ExportFormat {
    /// Comma-separated values with a head.
    Csv,
    /// A JSON object per line.
    Jsonl,
}

/// Runs the verb.
pub(crate) async fn run(args: ExportArgs, context: &Context) -> Result<(), Failure> {
    let usual = if context.output.is_json() {
        ExportFormat::Jsonl
    } else {
        ExportFormat::Csv
    };
    let format = args.format.unwrap_or(usual);
    let keyspace = args.read.of(&args.target.open().await?);
    if format == ExportFormat::Csv {
        context.output.raw(b"key,value\n")?;
    }
    let mut rows = keyspace.rows("", "");
    while let Some(page) = rows.next(PAGE_ROWS).await? {
        write(&page, format, context.output)?;
    }
    Ok(())
}

fn write(rows: &[Row], format: ExportFormat, output: Output) -> Result<(), Failure> {
    match format {
        ExportFormat::Csv => {
            let mut writer = csv::Writer::from_writer(Vec::new());
            for row in rows {
                writer
                    .write_record([&*row.key, &*row.value])
                    .map_err(|e| Failure::failed(format!("a row is no CSV: {e}")))?;
            }
            let page = writer.into_inner();
            output.raw(&page.map_err(|e| Failure::failed(format!("a row is no CSV: {e}")))?)
        }
        ExportFormat::Jsonl => {
            let lines = rows
                .iter()
                .map(|row| format!("{}\n", text::row(&row.key, &row.value)));
            output.raw(lines.collect::<String>().as_bytes())
        }
    }
}

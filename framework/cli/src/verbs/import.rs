//! `import`: rows from a file.

mod reader;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use indicatif::ProgressBar;
use repertoire_client::Keyspace;
use serde_json::json;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::connect::{TargetArgs, WriteArgs};
use crate::failure::Failure;
use crate::loader::Loader;
use crate::{Context, progress, units};

use reader::{Columns, RowFormat};

/// Rows in one submission.
const BATCH_ROWS: usize = 512;

/// Bytes in one submission.
const BATCH_BYTES: usize = 256 << 10;

/// Submissions read ahead.
const BATCHES_AHEAD: usize = 8;

/// Longest time for a row: it waits behind those that were read before it.
const DEADLINE: Duration = Duration::from_secs(30);

/// Write the rows of a CSV file or of JSON lines.
///
/// Without --key-column, rows have a column (or field) key and one called value, as export writes
/// them. With it, that column is the key and the whole row, as a JSON object, is the value, unless
/// --value-column names another column. Rows that were written before a failure stay; importing the
/// same file again is harmless.
#[derive(Clone, Debug, Args)]
pub(crate) struct ImportArgs {
    /// The file; - reads standard input.
    file: PathBuf,
    /// How rows are written [default: as the file's name ends]
    #[arg(long, value_enum)]
    format: Option<RowFormat>,
    /// The column of the key.
    #[arg(long, value_name = "NAME")]
    key_column: Option<String>,
    /// The column of the value.
    #[arg(long, value_name = "NAME")]
    value_column: Option<String>,
    #[command(flatten)]
    target: TargetArgs,
    #[command(flatten)]
    write: WriteArgs,
}

type Batch = Result<Vec<Bytes>, String>;

/// Runs the verb.
pub(crate) async fn run(args: ImportArgs, context: &Context) -> Result<(), Failure> {
    let format = args.format.map_or_else(|| format_of(&args.file), Ok)?;
    let columns = Columns {
        key: args.key_column.clone(),
        value: args.value_column.clone(),
    };
    let (input, total) = open(&args.file)?;
    let keyspace = args.write.of(args.target.open().await?);
    let keyspace = match args.target.connect.deadline {
        Some(_) => keyspace,
        None => keyspace.deadline(DEADLINE),
    };
    let began = Instant::now();
    let bar = progress::bytes(&args.target.keyspace, total);
    let (send, batches) = mpsc::channel(BATCHES_AHEAD);
    let input = bar.wrap_read(input);
    std::thread::spawn(move || read(input, format, &columns, &send));
    let loaded = load(&keyspace, batches).await;
    bar.finish_and_clear();
    let (written, result) = loaded;
    let seconds = began.elapsed();
    if let Err(failure) = result {
        context
            .output
            .note(&format!("{} rows were written", units::count(written)));
        return Err(failure);
    }
    report(&args, written, &bar, seconds, context)
}

fn report(
    args: &ImportArgs,
    rows: u64,
    bar: &ProgressBar,
    span: Duration,
    context: &Context,
) -> Result<(), Failure> {
    if context.output.is_json() {
        return context.output.object(&json!({
            "keyspace": args.target.keyspace,
            "rows": rows,
            "bytes": bar.position(),
            "seconds": span.as_secs_f64(),
        }));
    }
    context.output.line(&format!(
        "{} rows written to {} in {} ({} a second)",
        units::count(rows),
        args.target.keyspace,
        units::span(span),
        units::rate(rows, span),
    ))
}

fn format_of(file: &Path) -> Result<RowFormat, Failure> {
    let extension = file.extension().and_then(|extension| extension.to_str());
    match extension.map(str::to_ascii_lowercase).as_deref() {
        Some("csv") => Ok(RowFormat::Csv),
        Some("jsonl" | "ndjson" | "json") => Ok(RowFormat::Jsonl),
        _ => {
            let file = file.display();
            Err(Failure::usage(format!(
                "{file}: add --format csv or --format jsonl"
            )))
        }
    }
}

fn open(file: &Path) -> Result<(Box<dyn Read + Send>, Option<u64>), Failure> {
    if file == Path::new("-") {
        return Ok((Box::new(io::stdin()), None));
    }
    let opened = File::open(file).and_then(|file| {
        let total = file.metadata()?.len();
        Ok((file, total))
    });
    let (input, total) = opened.map_err(|e| Failure::io(file.display(), &e))?;
    Ok((Box::new(input), Some(total)))
}

/// Reads the input in batches, on a thread of its own.
fn read(input: impl Read, format: RowFormat, columns: &Columns, send: &mpsc::Sender<Batch>) {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    reader::read(input, format, columns, &mut |row| match row {
        Ok(row) => {
            bytes += row.len();
            batch.push(row);
            if batch.len() < BATCH_ROWS && bytes < BATCH_BYTES {
                return true;
            }
            bytes = 0;
            send.blocking_send(Ok(std::mem::take(&mut batch))).is_ok()
        }
        Err(problem) => {
            let _is_gone = send.blocking_send(Ok(std::mem::take(&mut batch)));
            send.blocking_send(Err(problem)).is_ok()
        }
    });
    let _is_gone = send.blocking_send(Ok(batch));
}

async fn load(
    keyspace: &Keyspace,
    mut batches: mpsc::Receiver<Batch>,
) -> (u64, Result<(), Failure>) {
    let mut loader = Loader::new(keyspace);
    let mut result = Ok(());
    while let Some(batch) = batches.recv().await {
        let submitted = match batch {
            Ok(batch) => loader.submit(batch).await.map_err(Failure::from),
            Err(problem) => Err(Failure::failed(problem)),
        };
        if submitted.is_err() {
            result = submitted;
            break;
        }
    }
    let finished = loader.finish().await.map(|_| ()).map_err(Failure::from);
    (loader.written(), result.and(finished))
}

//! `bench`: load against a cluster of its own.

use clap::Args;
use repertoire_bench::{BenchOptions, BenchReport};

use crate::Context;
use crate::failure::{FAILURE, Failure};
use crate::output::Output;

/// Put load on a cluster of its own, and read back what was acknowledged.
///
/// Three nodes in this process, or, with `--processes`, in processes of their own that are reached over QUIC.
///
/// Exit code 1 when a request failed or an acknowledged write was lost.
#[derive(Clone, Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    options: BenchOptions,
}

/// Runs the verb.
pub(crate) async fn run(args: BenchArgs, context: &Context) -> Result<(), Failure> {
    let report = repertoire_bench::run(args.options).await?;
    print(&report, context.output)?;
    if report.errors == 0 && report.lost == 0 {
        return Ok(());
    }
    Err(Failure::Quiet(FAILURE))
}

fn print(report: &BenchReport, output: Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.object(report);
    }
    let mut rows = vec![
        ("requests a second", format!("{:.0}", report.ops_per_second)),
        ("median latency", format!("{} µs", report.p50_us)),
        ("99 % are faster than", format!("{} µs", report.p99_us)),
        ("99.9 % are faster than", format!("{} µs", report.p999_us)),
        ("slowest", format!("{} µs", report.max_us)),
        ("failed requests", report.errors.to_string()),
        ("acknowledged writes read back", report.verified.to_string()),
        ("acknowledged writes lost", report.lost.to_string()),
        (
            "CPU per 100,000 requests",
            format!("{:.2} s", report.cpu_seconds_per_100k_ops),
        ),
        ("peak memory", format!("{:.0} MiB", report.peak_rss_mb)),
        (
            "fdatasync calls a second",
            format!("{:.0}", report.fdatasync_per_second),
        ),
    ];
    if let Some(limits) = &report.limits {
        let (one, three) = (
            limits.fdatasync_4k_per_second,
            limits.fdatasync_4k_three_files_per_second,
        );
        rows.push(("the disk alone, fdatasync a second", format!("{one:.0}")));
        rows.push(("the same on three files, summed", format!("{three:.0}")));
        let quic = format!("{:.0} MB/s", limits.quic_mb_per_second);
        rows.push(("one QUIC stream on loopback", quic));
    }
    if let Some(error) = &report.first_error {
        rows.push(("first failure", error.clone()));
    }
    let rows: Vec<Vec<String>> = rows
        .into_iter()
        .map(|(name, value)| vec![name.to_owned(), value])
        .collect();
    output.table(&["MEASURED", "VALUE"], &rows)
}

//! The load generator, briefly: what it says must be so, however slow the machine.

use serde_json::Value;

use crate::support::run;

/// Runs a short load; what holds of every load is checked here.
fn bench(args: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let fixed = ["bench", "--output", "json", "--seconds", "0.5"];
    let run = run(folder.path(), &[&fixed, args].concat());
    assert_eq!(run.code, 0, "{}", run.stderr);
    let report = run.json();
    assert!(number(&report, "ops_per_second") > 0.0, "{report}");
    assert!(number(&report, "verified") > 0.0, "{report}");
    assert!(number(&report, "cpu_seconds_per_100k_ops") > 0.0);
    assert!(number(&report, "peak_rss_mb") > 0.0);
    assert_eq!(report["errors"], 0, "{report}");
    assert_eq!(report["lost"], 0, "{report}");
    let quantiles = ["p50_us", "p99_us", "p999_us", "max_us"].map(|name| number(&report, name));
    assert!(quantiles.is_sorted(), "{report}");
    report
}

fn number(value: &Value, name: &str) -> f64 {
    value[name]
        .as_f64()
        .unwrap_or_else(|| panic!("{name} of {value}"))
}

#[test]
fn a_load_is_measured_beside_the_limits_of_the_machine() {
    let report = bench(&["--in-flight", "64"]);
    assert_eq!(report["settings"]["in_flight"], 64);
    assert!(number(&report, "fdatasync_per_second") > 0.0, "{report}");
    let limits = &report["limits"];
    for name in [
        "fdatasync_4k_per_second",
        "fdatasync_4k_three_files_per_second",
        "quic_mb_per_second",
    ] {
        assert!(number(limits, name) > 0.0, "{report}");
    }
}

#[test]
fn a_load_goes_to_processes_over_the_network() {
    let report = bench(&["--no-limits", "--processes", "3", "--clients", "4"]);
    assert!(number(&report, "fdatasync_per_second") > 0.0, "{report}");
    assert!(report["limits"].is_null());
}

#[test]
fn a_load_without_network_and_disk_syncs_nothing() {
    let args = ["--transport", "memory", "--durability", "memory"];
    let report = bench(&[&args[..], &["--acks", "async", "--no-limits"]].concat());
    assert_eq!(number(&report, "fdatasync_per_second"), 0.0, "{report}");
}

#[test]
fn processes_have_no_memory_in_common() {
    let folder = tempfile::tempdir().unwrap();
    let wrong = ["bench", "--processes", "3", "--transport", "memory"];
    let wrong = run(folder.path(), &wrong);
    assert_eq!(wrong.code, 1, "{wrong:?}");
    assert!(wrong.stderr.contains("--transport"), "{wrong:?}");
}

//! Small campaigns over the built-in protocols. `examples/soak.rs` runs large ones.

use repertoire_sim::{CampaignConfig, CampaignReport, Fault, FaultMix, RunConfig, campaign, run};

fn clean(protocol: &str, seed: u64, seeds: u64) -> CampaignReport {
    let mut config = CampaignConfig::new(protocol, seed, seeds);
    config.steps_per_seed = 6_000;
    let report = campaign(&config, || 0.0);
    assert!(report.violations.is_empty(), "{:#?}", report.violations);
    report
}

#[test]
fn single_leader_keeps_its_promises() {
    let report = clean("single-leader", 5_000, 40);
    // A run in which nothing succeeds proves nothing.
    assert!(report.operations_succeeded_percent > 60.0, "{report:?}");
    let met = |name: &str| report.sometimes.get(name).is_some_and(|count| *count > 0);
    for situation in [
        "all-power-lost-with-writes-in-flight",
        "recovered-from-snapshot-and-log",
        "retry-answered-from-dedup-after-restart",
        "follower-truncated-suffix",
        "log-trimmed",
    ] {
        assert!(met(situation), "never reached: {situation}");
    }
}

#[test]
fn standalone_keeps_its_promises() {
    clean("standalone", 5_000, 16);
}

#[test]
fn every_fault_of_a_mix_is_injected_and_counted() {
    let mut mix = FaultMix::none();
    let per_message = [Fault::Drop, Fault::Duplicate, Fault::Reorder];
    per_message.iter().for_each(|kind| mix.set(*kind, 20_000));
    mix.set(Fault::Crash, 10_000);
    mix.set(Fault::Pause, 10_000);
    mix.set(Fault::DiskFailure, 5_000);
    mix.set(Fault::BitRot, 20_000);
    let mut config = RunConfig::new("single-leader", 4).with_steps(6_000);
    config.faults = Some(mix.clone());
    config.nodes = Some(3);
    let report = run(&config);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
    for kind in Fault::ALL {
        let count = report.faults.get(kind.name()).copied().unwrap_or(0);
        assert_eq!(count > 0, mix.rate(*kind) > 0, "{}: {count}", kind.name());
    }
}

#[test]
fn a_run_without_faults_serves_everything() {
    let mut config = RunConfig::new("single-leader", 9).with_steps(4_000);
    config.faults = Some(FaultMix::none());
    let report = run(&config);
    assert!(report.violations.is_empty(), "{:?}", report.violations);
    let (done, ended) = (report.operations_succeeded, report.operations_ended);
    assert!(done * 10 > ended * 7, "{done} of {ended}");
}

#[test]
fn an_unknown_protocol_is_a_finding_and_not_a_panic() {
    let report = run(&RunConfig::new("no-such-protocol", 1).with_steps(100));
    assert_eq!(report.violations[0].invariant, "A3.boot");
    assert!(
        report.violations[0]
            .replay
            .contains("--protocol no-such-protocol --seed 1")
    );
}

#[test]
fn reports_travel_as_json() {
    let report = clean("standalone", 1, 1);
    let text = serde_json::to_string(&report).unwrap();
    let read: CampaignReport = serde_json::from_str(&text).unwrap();
    assert_eq!(
        (read.trace_hash, read.steps),
        (report.trace_hash, report.steps)
    );
    for field in [
        "steps_per_second",
        "operations_succeeded_percent",
        "sometimes",
        "violations",
    ] {
        assert!(text.contains(&format!("\"{field}\":")), "{text}");
    }
}

//! Members come and go under load, with every fault. Those failures of other systems that happened while
//! members changed are here by the numbers under which the book lists them.

#![allow(clippy::expect_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;

use repertoire_sim::{Fault, FaultMix, Machinery, RunConfig, run};

const STEPS: u64 = 15_000;

/// What so many seeds reached, all of them clean. `kinds` are the faults; none: drawn.
fn reached(first: u64, seeds: u64, kinds: &[(Fault, u32)]) -> BTreeMap<String, u64> {
    let mut reached = BTreeMap::new();
    for seed in first..first + seeds {
        let mut config = RunConfig::new("single-leader", seed).with_steps(STEPS);
        config.membership = Some(true);
        if !kinds.is_empty() {
            let mut mix = FaultMix::none();
            kinds.iter().for_each(|(kind, rate)| mix.set(*kind, *rate));
            config.faults = Some(mix);
        }
        let report = run(&config);
        assert!(report.violations.is_empty(), "{:#?}", report.violations);
        assert!(report.operations_succeeded > 0, "seed {seed} does nothing");
        for (name, count) in report.sometimes {
            *reached.entry(name).or_default() += count;
        }
    }
    reached
}

fn require(reached: &BTreeMap<String, u64>, names: &[&str]) {
    for name in names {
        let count = reached.get(*name).copied().unwrap_or_default();
        assert!(count > 0, "{name} never happened: {reached:?}");
    }
}

const CHANGES: [&str; 4] = [
    "member-added",
    "member-removed",
    "voter-joined",
    "leader-replaced",
];

#[test]
fn members_come_and_go_under_every_fault() {
    let reached = reached(1, 60, &[]);
    require(&reached, &CHANGES);
    require(&reached, &["voter-left", "member-wiped", "newcomer-silent"]);
}

/// openraft's FAQ: a removed node comes back on an empty disk, replays history and elects itself. Nodes
/// that left are formatted here, and added again under their old names.
#[test]
fn s18_a_used_name_comes_back_on_an_empty_disk() {
    let kinds = [(Fault::Partition, 6000), (Fault::Crash, 3000)];
    let reached = reached(2000, 20, &kinds);
    require(&reached, &CHANGES);
    require(&reached, &["newcomer-silent"]);
}

/// dragonboat#256: a wiped voter takes part in an election without what it had acknowledged.
#[test]
fn s19_a_wiped_voter_has_no_vote_until_it_was_added_again() {
    let kinds = [(Fault::BitRot, 8000), (Fault::Crash, 1500)];
    let reached = reached(2100, 20, &kinds);
    require(&reached, &CHANGES);
    require(&reached, &["member-wiped"]);
}

/// Ongaro 2015: a leader of a new epoch changes the members before an entry of its own is visible. Leaders
/// change often here, and each is asked for changes from its first moment on.
#[test]
fn s20_new_leaders_change_members_after_an_entry_of_their_own() {
    let kinds = [(Fault::Partition, 12_000), (Fault::Pause, 6000)];
    let reached = reached(2200, 20, &kinds);
    require(&reached, &CHANGES);
    require(&reached, &["entries-inherited", "election-without-winner"]);
}

/// openraft: two callers change the members at once, and both are told that they succeeded.
#[test]
fn s21_of_two_changes_at_once_one_is_refused() {
    let reached = reached(2300, 10, &[(Fault::Drop, 20_000)]);
    require(&reached, &CHANGES);
    require(&reached, &["member-change-conflict"]);
}

/// RethinkDB 2.2.3 (Jepsen 2016): members change during partitions, and reads are stale, writes lost.
#[test]
fn s22_members_change_during_partitions() {
    let reached = reached(2400, 25, &[(Fault::Partition, 12_000)]);
    require(&reached, &CHANGES);
    require(&reached, &["leader-gave-up-without-quorum"]);
}

/// Redpanda's blog: one node loses what it had not synced, and its vote loses that for everybody.
#[test]
fn s32_power_fails_while_members_change() {
    let kinds = [
        (Fault::PowerLoss, 8000),
        (Fault::SlowDisk, 5000),
        (Fault::Drop, 20_000),
    ];
    let reached = reached(2500, 20, &kinds);
    require(&reached, &CHANGES);
    require(&reached, &["unsynced-tail-lost"]);
}

/// Typed and erased machines do the same.
#[test]
fn members_change_behind_the_vtable_too() {
    let traces = [Machinery::Typed, Machinery::Erased].map(|machinery| {
        let mut config = RunConfig::new("single-leader", 7).with_steps(STEPS);
        config.membership = Some(true);
        let report = run(&config.with_machinery(machinery));
        assert!(report.violations.is_empty(), "{:#?}", report.violations);
        report.trace_hash
    });
    let [typed, erased] = traces;
    assert_eq!(typed, erased);
}

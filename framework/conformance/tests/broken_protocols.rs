//! The suite of protocols catches broken ones: bugs that are planted in the single-leader protocol.

use std::panic::{AssertUnwindSafe, catch_unwind};

use repertoire_conformance::protocol::promises_hold_under_trouble;
use repertoire_core::sabotage::{Bug, plant};
use repertoire_core::{Acks, Descriptor, KeyspaceId, NodeId};
use repertoire_single_leader::{NAME, SingleLeader};

/// As many as `check_all` runs.
const SEEDS: u64 = 120;

fn shop(failover: &str) -> Descriptor {
    let nodes = [1, 2, 3].map(NodeId);
    let mut shop = Descriptor::single_shard(KeyspaceId(1), "shop", NAME, &nodes);
    shop.options.acks = Acks::SemiSync(1);
    shop.plugin_options = format!(r#"{{"{NAME}": {{"failover": "{failover}"}}}}"#);
    shop
}

/// The first seed whose run fails under the bug.
fn found_by(bug: Bug, descriptor: &Descriptor) -> Option<u64> {
    let fails = |seed: &u64| {
        plant(&[bug]);
        let run = || promises_hold_under_trouble::<SingleLeader>(descriptor, *seed);
        let outcome = catch_unwind(AssertUnwindSafe(run));
        plant(&[]);
        outcome.is_err()
    };
    (0..SEEDS).find(fails)
}

fn missed(failover: &str, bugs: &[Bug]) -> Vec<Bug> {
    let descriptor = shop(failover);
    let escapes = |bug: &Bug| found_by(*bug, &descriptor).is_none();
    bugs.iter().copied().filter(escapes).collect()
}

#[test]
fn bugs_in_how_a_log_is_copied_are_caught() {
    let bugs = [
        Bug::LeaderAcksBeforeDurable,
        Bug::FollowerAcksBeforeDurable,
        Bug::AckUnmatchedSuffix,
        Bug::QuorumMinusOne,
        Bug::ApplyPastHole,
        Bug::EpochReusedAfterRestart,
        Bug::TruncateMatchingSuffix,
        Bug::VisibleBeforeAcked,
        Bug::AckOvertakesPrefix,
        Bug::CheckpointTooFar,
        Bug::FollowerServesLeaderRead,
        Bug::SessionTokenIgnored,
        Bug::ReappendApplied,
        Bug::ProbeAskedOnce,
        Bug::FenceFromThePast,
        Bug::OvertakenTakenForRepeated,
    ];
    assert_eq!(missed("manual", &bugs), []);
}

#[test]
fn bugs_in_how_a_leader_is_chosen_are_caught() {
    let bugs = [Bug::ElectionQuorumMinusOne, Bug::VoteForOlderLog];
    assert_eq!(missed("elect", &bugs), []);
}

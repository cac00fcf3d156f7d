//! A voter that may have forgotten a vote boots, and votes for nobody; the only copy of all does not boot.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test ends where its expectation does"
)]

mod harness;

use std::sync::Arc;

use harness::descriptor;
use repertoire_core::{
    Acks, Applied, Boot, Effects, Error, ErrorKind, GroupId, Incarnation, InstanceGen, Mono,
    NodeId, Now, Protocol, RecoveredGroup, ReplicaRole, Wall,
};
use repertoire_single_leader::SingleLeader;

/// Starts replica 3 of an electing group with that role, on a disk that was found damaged or not.
fn boot(role: ReplicaRole, damaged: bool, others: u64) -> Result<SingleLeader, Error> {
    let mut descriptor = descriptor(3);
    descriptor.options.acks = Acks::Majority;
    descriptor.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    let replicas = descriptor.placement.shards.values_mut().flatten();
    replicas.last().expect("three replicas").role = role;
    for replicas in descriptor.placement.shards.values_mut() {
        replicas.retain(|spec| spec.node == NodeId(3) || spec.node.0 <= others);
    }
    let log = RecoveredGroup {
        damaged,
        ..RecoveredGroup::default()
    };
    let boot = Boot {
        group: GroupId::new(1, 0),
        descriptor: Arc::new(descriptor),
        me: NodeId(3),
        incarnation: Incarnation(3),
        instance: InstanceGen(1),
        now: Now {
            mono: Mono(0),
            wall: Wall(0),
        },
        seed: 3,
        log: &log,
        tail: Vec::new(),
        discards: Vec::new(),
        applied: &Applied::default(),
    };
    SingleLeader::boot(boot, &mut Effects::default())
}

#[test]
fn a_voter_with_a_damaged_log_says_so() {
    let whole = boot(ReplicaRole::Replica, false, 2).unwrap();
    assert_eq!(
        whole.inspect().details["is_amnesiac"],
        1,
        "its disk is empty"
    );
    let damaged = boot(ReplicaRole::Replica, true, 2).unwrap();
    assert_eq!(damaged.inspect().details["is_amnesiac"], 1);
    assert_eq!(damaged.inspect().details["recovery_answers_missing"], 2);
}

#[test]
fn the_only_copy_with_a_damaged_log_refuses_to_boot() {
    assert!(boot(ReplicaRole::Replica, false, 0).is_ok());
    let error = boot(ReplicaRole::Replica, true, 0).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Corrupted);
    assert!(error.to_string().contains("remedy"), "{error}");
}

#[test]
fn a_learner_with_a_damaged_log_follows() {
    assert!(boot(ReplicaRole::Learner, true, 2).is_ok());
}

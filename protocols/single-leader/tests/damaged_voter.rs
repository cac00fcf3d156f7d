//! A voter that may have forgotten a vote takes no part in elections at all.
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
fn boot(role: ReplicaRole, damaged: bool) -> Result<SingleLeader, Error> {
    let mut descriptor = descriptor(3);
    descriptor.options.acks = Acks::SemiSync(1);
    descriptor.plugin_options = r#"{"single-leader": {"failover": "elect"}}"#.to_owned();
    let replicas = descriptor.placement.shards.values_mut().flatten();
    replicas.last().expect("three replicas").role = role;
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
        applied: &Applied::default(),
    };
    SingleLeader::boot(boot, &mut Effects::default())
}

#[test]
fn a_voter_with_a_damaged_log_refuses_to_boot() {
    assert!(boot(ReplicaRole::Replica, false).is_ok());
    let error = boot(ReplicaRole::Replica, true).unwrap_err();
    assert_eq!(*error.kind(), ErrorKind::Corrupted);
    assert!(error.to_string().contains("remedy"), "{error}");
}

#[test]
fn a_learner_with_a_damaged_log_follows() {
    assert!(boot(ReplicaRole::Learner, true).is_ok());
}

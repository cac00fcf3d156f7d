//! The shortest story: three replicas, one write of each kind.

mod harness;

use harness::{Cluster, descriptor};
use repertoire_core::Acks;

#[test]
fn writes_of_every_mode_are_acknowledged_and_applied_everywhere() {
    let mut cluster = Cluster::new(descriptor(3));
    cluster.drive_bounded();
    for acks in [Acks::Async, Acks::SemiSync(1), Acks::Majority, Acks::Sync] {
        cluster.propose(1, "write", 3, acks);
    }
    cluster.drive_bounded();
    cluster.tick(100, true);
    assert_eq!(cluster.acked.len(), 4, "{}", cluster.take_trace());
    for id in [2, 3] {
        assert_eq!(
            cluster.node(id).engine.history,
            cluster.node(1).engine.history
        );
    }
}

//! The lag of a follower, in records, bytes and milliseconds, on both sides.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test ends where its expectation does"
)]

mod harness;

use harness::{Cluster, descriptor};
use repertoire_core::Acks;

fn detail(cluster: &Cluster, node: u64, name: &str) -> u64 {
    cluster.status(node).unwrap().details[name]
}

#[test]
fn both_sides_of_a_cut_link_tell_how_far_the_follower_is_behind() {
    let mut cluster = Cluster::new(descriptor(2));
    cluster.drive_bounded();
    cluster.tick(200, true);
    assert_eq!(detail(&cluster, 1, "follower-2-lag_records"), 0);
    assert_eq!(detail(&cluster, 1, "follower-2-lag_bytes_min"), 0);
    assert_eq!(detail(&cluster, 1, "follower-2-lag_ms"), 0);
    assert_eq!(detail(&cluster, 2, "lag_records"), 0);
    // What it knows is as old as the answer to the heartbeat before.
    assert!(detail(&cluster, 2, "lag_ms") <= 100);

    cluster.cut.insert((1, 2));
    cluster.propose(1, "unseen", 1, Acks::Async);
    cluster.propose(1, "unseen, too", 3, Acks::Async);
    cluster.tick(250, true);
    assert_eq!(detail(&cluster, 1, "follower-2-lag_records"), 4);
    assert!(detail(&cluster, 1, "follower-2-lag_bytes_min") > 17);
    assert_eq!(detail(&cluster, 1, "follower-2-lag_ms"), 250);
    cluster.read(2, 1, &repertoire_core::ReadLevel::Local);
    let age = detail(&cluster, 2, "lag_ms");
    assert!((250..=350).contains(&age), "{age}");
}

//! Who serves the reads of a session.

use std::time::Duration;

use repertoire_core::NodeId;
use tokio::time::Instant;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// How long a write counts as recent, unless somebody says otherwise.
pub const SAW_RECENTLY: Duration = Duration::from_mins(1);

/// Who serves the reads of a session. The guarantees are the same; what differs is how the load is
/// spread, and how often a read waits for a replica that is behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReadPolicy {
    /// Always the same replica of a shard, chosen by hashing user and node (rendezvous hashing): when
    /// one comes or goes, only the users that it serves move. Another one while it does not serve.
    #[default]
    Sticky,
    /// The leader for so long after the session's last write, see [`SAW_RECENTLY`]; later as `Sticky`.
    LeaderAfterWrite(Duration),
    /// The leader: linearizable, and no reads for the followers.
    Leader,
}

impl ReadPolicy {
    /// Whether a read goes to the leader by choice.
    pub(super) fn wants_leader(self, wrote_at: Option<Instant>, now: Instant) -> bool {
        match self {
            Self::Sticky => false,
            Self::LeaderAfterWrite(recent) => wrote_at.is_some_and(|at| now - at < recent),
            Self::Leader => true,
        }
    }
}

/// The nodes in the order in which they serve a user (Thaler and Ravishankar, 1998): each pair of
/// user and node has a weight of its own, and the heaviest serves.
///
/// ```
/// use repertoire_client::preferred;
/// use repertoire_core::NodeId;
///
/// let three = preferred(b"alice", vec![NodeId(1), NodeId(2), NodeId(3)]);
/// // Without the one that serves her the others keep their places.
/// let two = preferred(b"alice", three[1..].to_vec());
/// assert_eq!(two, three[1..]);
/// ```
pub fn preferred(user: &[u8], mut nodes: Vec<NodeId>) -> Vec<NodeId> {
    nodes.sort_by_cached_key(|node| (std::cmp::Reverse(xxh3_64_with_seed(user, node.0)), *node));
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(user: u32, nodes: u64) -> NodeId {
        preferred(&user.to_le_bytes(), (1..=nodes).map(NodeId).collect())[0]
    }

    #[test]
    fn a_new_replica_takes_its_share_and_moves_nobody_else() {
        let users = 0..10_000;
        let moved = |user: &u32| first(*user, 10) != first(*user, 11);
        let movers: Vec<u32> = users.filter(moved).collect();
        assert!(
            (700..1500).contains(&movers.len()),
            "{} of 10,000",
            movers.len()
        );
        assert!(movers.iter().all(|user| first(*user, 11) == NodeId(11)));
        // The classic way moves nearly everybody.
        let modulo = (0..10_000).filter(|user| user % 10 != user % 11).count();
        assert!(modulo > 9000);
    }

    #[test]
    fn users_are_spread_evenly() {
        let mut served = [0; 5];
        for user in 0..10_000 {
            served[usize::try_from(first(user, 5).0 - 1).unwrap()] += 1;
        }
        assert!(
            served.iter().all(|count| (1800..2200).contains(count)),
            "{served:?}"
        );
    }

    #[test]
    fn a_write_is_recent_for_exactly_as_long_as_was_said() {
        let wrote = Instant::now();
        let policy = ReadPolicy::LeaderAfterWrite(SAW_RECENTLY);
        let late = Duration::from_millis(1);
        assert!(policy.wants_leader(Some(wrote), wrote + SAW_RECENTLY - late));
        assert!(!policy.wants_leader(Some(wrote), wrote + SAW_RECENTLY));
        assert!(!policy.wants_leader(None, wrote));
        assert!(ReadPolicy::Leader.wants_leader(None, wrote));
    }
}

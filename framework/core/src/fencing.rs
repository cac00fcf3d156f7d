//! Fencing for resources outside the cluster: who acts on them for a keyspace shows when it was given
//! leave, and the resource refuses whoever comes with an older leave than it has seen.
//!
//! A lock in a keyspace is not enough. Its holder may be stopped for a minute, the lock go to somebody
//! else, and the first one go on as if nothing had happened. The *resource* has to know better.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{EntryId, Error, ErrorKind, GroupId, LeaderEpoch, Lsn};

/// Bytes of an encoded [`Fence`].
pub const FENCE_LEN: usize = 24;

/// The leave to act on a resource: the write that gave it, by its place in the history of one shard.
///
/// Of two leaves that the same key gave, the later one is newer by epoch, then by LSN, also when a
/// failover discarded the first: a new leader has a newer epoch. That is why *tokens* have an order and
/// [`Position`](crate::Position)s have none: a position asks "is it contained?", a token only "who came
/// last?". Tokens of two shards have no order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct FencingToken {
    /// The shard whose history gave it.
    pub group: GroupId,
    /// The write that gave it.
    pub at: EntryId,
}

impl FencingToken {
    /// The token of a write of `group` that was acknowledged at `at`.
    pub const fn new(group: GroupId, at: EntryId) -> Self {
        Self { group, at }
    }

    /// Whether `other` was given later. Never so for a token of another shard.
    pub fn is_older_than(self, other: Self) -> bool {
        self.group == other.group && (self.at.epoch, self.at.lsn) < (other.at.epoch, other.at.lsn)
    }
}

impl fmt::Display for FencingToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.at, self.group)
    }
}

/// What a resource remembers: the newest token that it was shown.
///
/// # Contract
/// A resource that survives a restart keeps [`to_bytes`](Self::to_bytes) with its data, durable before
/// or together with what the token allowed. One that forgets its fence lets the past in again.
///
/// ```
/// use repertoire_core::{EntryId, Fence, FencingToken, GroupId, LeaderEpoch, Lsn};
///
/// let orders = GroupId::new(7, 0);
/// let given = |epoch, lsn| FencingToken::new(orders, EntryId::new(LeaderEpoch(epoch), Lsn(lsn)));
/// let mut fence = Fence::default();
/// fence.admit(given(1, 40))?;
/// // The holder died; a new leader, whose log is shorter, gave the lock to somebody else.
/// fence.admit(given(2, 31))?;
/// // The first holder was not dead. It wakes and goes on.
/// assert_eq!(fence.admit(given(1, 40)).unwrap_err().code(), "RPT-0004");
/// # Ok::<(), repertoire_core::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    newest: Option<FencingToken>,
}

impl Fence {
    /// The newest token so far.
    pub const fn newest(&self) -> Option<FencingToken> {
        self.newest
    }

    /// Lets the holder of `token` act, if nobody came with a newer one. The same token is let in as
    /// often as it is shown.
    ///
    /// # Errors
    /// `Fenced` for a token older than the newest; `Application` for a token of another shard than the
    /// first one was, as these cannot be compared. Nothing changes then, and nothing may be done.
    pub fn admit(&mut self, token: FencingToken) -> Result<(), Error> {
        if let Some(newest) = self.newest {
            if newest.group != token.group {
                return Err(stranger(newest, token));
            }
            if token.is_older_than(newest) {
                return Err(outdated(newest, token));
            }
        }
        self.newest = Some(token);
        Ok(())
    }

    /// For the resource's own storage: keyspace and shard, epoch and LSN, little-endian. All zero: no
    /// token yet.
    pub fn to_bytes(self) -> [u8; FENCE_LEN] {
        let mut bytes = [0; FENCE_LEN];
        if let Some(FencingToken { group, at }) = self.newest {
            let (head, rest) = bytes.split_at_mut(8);
            let (epoch, lsn) = rest.split_at_mut(8);
            head.copy_from_slice(&pack(group).to_le_bytes());
            epoch.copy_from_slice(&at.epoch.0.to_le_bytes());
            lsn.copy_from_slice(&at.lsn.0.to_le_bytes());
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) wrote.
    pub fn from_bytes(bytes: [u8; FENCE_LEN]) -> Self {
        let mut words = bytes.chunks_exact(8).map(|word| {
            let mut value = [0; 8];
            value.copy_from_slice(word);
            u64::from_le_bytes(value)
        });
        let mut word = || words.next().unwrap_or_default();
        let (group, epoch, lsn) = (word(), word(), word());
        if lsn == 0 {
            return Self::default();
        }
        let at = EntryId::new(LeaderEpoch(epoch), Lsn(lsn));
        let newest = Some(FencingToken::new(unpack(group), at));
        Self { newest }
    }
}

/// A resource behind a fence: to reach it, show a token.
///
/// ```
/// use repertoire_core::{EntryId, FencedResource, FencingToken, GroupId, LeaderEpoch, Lsn};
///
/// let token = FencingToken::new(GroupId::new(7, 0), EntryId::new(LeaderEpoch(3), Lsn(12)));
/// let mut file = FencedResource::new(Vec::new());
/// file.admit(token)?.extend_from_slice(b"written by whoever holds the lock");
/// # Ok::<(), repertoire_core::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct FencedResource<R> {
    fence: Fence,
    resource: R,
}

impl<R> FencedResource<R> {
    /// A resource that nobody has acted on.
    pub fn new(resource: R) -> Self {
        Self::restored(resource, Fence::default())
    }

    /// A resource with the fence that was stored beside it.
    pub const fn restored(resource: R, fence: Fence) -> Self {
        Self { fence, resource }
    }

    /// The resource, for the holder of `token`.
    ///
    /// # Errors
    /// Those of [`Fence::admit`].
    pub fn admit(&mut self, token: FencingToken) -> Result<&mut R, Error> {
        self.fence.admit(token)?;
        Ok(&mut self.resource)
    }

    /// The resource, to look at: reading needs no leave.
    pub const fn get(&self) -> &R {
        &self.resource
    }

    /// What has to be stored beside the resource.
    pub const fn fence(&self) -> Fence {
        self.fence
    }
}

fn pack(group: GroupId) -> u64 {
    u64::from(group.keyspace.0) << 32 | u64::from(group.shard.0)
}

fn unpack(word: u64) -> GroupId {
    let half = |word: u64| u32::try_from(word & u64::from(u32::MAX)).unwrap_or_default();
    GroupId::new(half(word >> 32), half(word))
}

fn outdated(newest: FencingToken, token: FencingToken) -> Error {
    let (seen, own) = (newest.at.epoch, token.at.epoch);
    Error::new(ErrorKind::Fenced { seen, own }, "act on a fenced resource")
        .with("token", token)
        .with("newest", newest)
        .with(
            "remedy",
            "nothing was done; ask the keyspace for the lock again",
        )
}

fn stranger(newest: FencingToken, token: FencingToken) -> Error {
    let message = "tokens of two shards have no order".to_owned();
    Error::new(
        ErrorKind::Application { message },
        "act on a fenced resource",
    )
    .with("token", token)
    .with("newest", newest)
    .with(
        "remedy",
        "nothing was done; guard a resource by keys of one shard",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(epoch: u64, lsn: u64) -> FencingToken {
        let at = EntryId::new(LeaderEpoch(epoch), Lsn(lsn));
        FencingToken::new(GroupId::new(3, 1), at)
    }

    #[test]
    fn an_older_token_is_refused_and_changes_nothing() {
        let mut resource = FencedResource::new(Vec::new());
        resource.admit(token(1, 9)).unwrap().push("first");
        resource.admit(token(1, 9)).unwrap().push("first again");
        resource.admit(token(2, 4)).unwrap().push("second");
        for late in [token(1, 9), token(1, 900), token(2, 3)] {
            let refused = resource.admit(late).unwrap_err();
            let fenced = matches!(refused.kind(), ErrorKind::Fenced { seen, .. } if seen.0 == 2);
            assert!(fenced, "{refused}");
            assert!(refused.to_string().contains("newest=4@2 of "), "{refused}");
        }
        assert_eq!(resource.fence().newest(), Some(token(2, 4)));
        assert_eq!(resource.get(), &["first", "first again", "second"]);
    }

    #[test]
    fn tokens_of_two_shards_are_not_compared() {
        let mut fence = Fence::default();
        fence.admit(token(1, 9)).unwrap();
        let other = FencingToken::new(GroupId::new(3, 2), token(9, 9).at);
        let refused = fence.admit(other).unwrap_err();
        let is_said = matches!(refused.kind(), ErrorKind::Application { .. });
        assert!(is_said, "{refused}");
        assert!(!token(1, 9).is_older_than(other) && !other.is_older_than(token(1, 9)));
        assert_eq!(fence.newest(), Some(token(1, 9)));
    }

    #[test]
    fn a_fence_survives_a_restart_of_its_resource() {
        assert_eq!(
            Fence::from_bytes(Fence::default().to_bytes()),
            Fence::default()
        );
        let mut fence = Fence::default();
        fence.admit(token(5, u64::MAX)).unwrap();
        let mut restored = Fence::from_bytes(fence.to_bytes());
        assert_eq!(restored, fence);
        assert!(restored.admit(token(4, 1)).is_err());
    }
}

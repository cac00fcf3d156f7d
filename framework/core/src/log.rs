//! The log as protocols see it: one ordered lane of operations; and the trait of what keeps it.

use bytes::Bytes;

use crate::{Entry, EntryId, Error, ErrorKind, GroupId, Lsn, StreamId};

/// One operation on a replica's log. Operations of one replica take effect in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogOp {
    /// Add an entry at the end of a stream.
    Append {
        /// The stream.
        stream: StreamId,
        /// The entry; its first LSN follows the stream's last one.
        entry: Entry,
    },
    /// Drop every entry after `last` (which is an entry's last record, or the base).
    Truncate {
        /// The stream.
        stream: StreamId,
        /// What stays.
        last: Lsn,
    },
    /// Replace the replica's hard state. Always synced, whatever the keyspace's durability.
    HardState(Bytes),
    /// Everything up to here is in a durable snapshot: it may be trimmed.
    Checkpoint {
        /// The stream.
        stream: StreamId,
        /// The last record that the snapshot covers.
        upto: EntryId,
    },
    /// Forget the stream: it goes on after `base`, which an installed snapshot covers.
    Reset {
        /// The stream.
        stream: StreamId,
        /// The last record that the snapshot covers.
        base: EntryId,
    },
    /// What was lost of the replica was made good by its peers: entries that are missing were truncated,
    /// reset or trimmed, and the hard state was written anew. The damage found so far does not count any
    /// more, also after a restart. Always synced.
    Repaired,
}

/// A log operation with the group it belongs to and whether it must be on stable storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupLogOp {
    /// The group.
    pub group: GroupId,
    /// Whether `Durable` may be reported only after an `fdatasync`.
    pub sync: bool,
    /// What to do.
    pub op: LogOp,
}

/// What a log read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LogSlice {
    /// Consecutive entries; the first one holds the LSN asked for. Empty at the end of the log.
    Entries(Vec<Entry>),
    /// The log starts after `base`: only a snapshot helps.
    Trimmed {
        /// The last record that was trimmed.
        base: EntryId,
    },
}

/// What one stream of a replica's log held when the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredStream {
    /// The record before the first entry.
    pub base: EntryId,
    /// The last record of the log; equals `base` when there is no entry.
    pub last: EntryId,
    /// What a durable snapshot covers.
    pub checkpoint: EntryId,
}

/// What a replica's log held when the node started.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveredGroup {
    /// The last hard state; empty when there never was one.
    pub hard_state: Bytes,
    /// The streams, by number.
    pub streams: std::collections::BTreeMap<StreamId, RecoveredStream>,
    /// Set when records of this group below the synced point are damaged: the replica must not vote
    /// or lead until it was repaired from its peers.
    pub damaged: bool,
}

/// Keeps the log of every replica of a node. One per process, used by one thread.
///
/// # Contract
/// * Operations take effect in the order of `write` calls and of their burst.
/// * When [`sync`](LogStore::sync) returns `Ok`, every operation written before is on stable
///   storage, and a recovery after a power loss finds all of it.
/// * A failed `sync` is final: the store refuses everything after it, and the caller stops the
///   node. It is never retried, for the operating system may have dropped the dirty pages.
/// * [`StorageFull`](crate::ErrorKind::StorageFull) from `write` means that *nothing* of the burst
///   was written; the same burst may be written again later.
/// * A recovery is a function of the durable bytes alone: recovering twice gives the same.
pub trait LogStore: Send {
    /// Writes a burst to the operating system.
    ///
    /// # Errors
    /// `StorageFull` (nothing written, try again later) or `StorageFailed` (stop the node).
    fn write(&mut self, burst: &[GroupLogOp]) -> Result<(), Error>;

    /// Brings everything written onto stable storage.
    ///
    /// # Errors
    /// `StorageFailed`, for ever after.
    fn sync(&mut self) -> Result<(), Error>;

    /// Reads entries of a stream from the one that holds `from`, up to about `bytes_max` of bodies
    /// but at least one entry.
    ///
    /// # Errors
    /// `Corrupted` when the bytes are damaged, `StorageFailed` when they cannot be read.
    fn read(
        &mut self,
        group: GroupId,
        stream: StreamId,
        from: Lsn,
        bytes_max: usize,
    ) -> Result<LogSlice, Error>;

    /// Does a small part of the work that must not wait for a burst (preparing the next segment,
    /// recycling old ones). Returns whether there is more to do. Called between bursts.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn maintain(&mut self) -> Result<bool, Error> {
        Ok(false)
    }

    /// Lets each stream of `group` take up to `bytes` of the medium, for slow followers: the oldest
    /// entries that its checkpoint covers go when there is more. What the checkpoint does not cover
    /// counts and stays. Not stored: said again after each start.
    fn set_retention(&mut self, group: GroupId, bytes: u64) {
        let _ = (group, bytes);
    }

    /// States on the medium that everything synced so far is, so that damage to the newest records
    /// is told from a torn tail. For idle moments and shutdowns.
    ///
    /// # Errors
    /// As [`write`](Self::write) and [`sync`](Self::sync).
    fn seal(&mut self) -> Result<(), Error> {
        Ok(())
    }

    /// What the log held when it was opened, per group.
    fn recovered(&self) -> &std::collections::BTreeMap<GroupId, RecoveredGroup>;

    /// What the log holds of `group` now, to start its replica anew while the node runs: as
    /// [`recovered`](Self::recovered) would say after a restart. Everything written is on stable
    /// storage first.
    ///
    /// # Errors
    /// As [`sync`](Self::sync), and `Unsupported` for a store that can only say so when opened.
    fn recover(&mut self, group: GroupId) -> Result<RecoveredGroup, Error> {
        Err(Error::new(ErrorKind::Unsupported, "recover a replica").with("group", group))
    }

    /// Bytes that the log occupies on its medium.
    fn bytes_on_disk(&self) -> u64;
}

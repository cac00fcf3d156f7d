//! What drivers read of a log for the sake of discarded writes when they start a replica.

use super::DISCARDS;
use crate::{
    Entry, EntryId, Error, ErrorKind, GroupId, LogSlice, LogStore, Lsn, RecoveredGroup, StreamId,
};

/// Bytes of one read.
const READ_BYTES: usize = 1024 * 1024;

/// Reads the stream of discarded writes, for [`Boot::discards`](crate::Boot). Where the log is
/// damaged, what is left of it: the replica writes that anew.
///
/// # Errors
/// Those of [`LogStore::read`], and `Corrupted` when entries are missing from a log that is not
/// known to be damaged.
pub fn read_discards(
    log: &mut dyn LogStore,
    group: GroupId,
    recovered: &RecoveredGroup,
) -> Result<Vec<Entry>, Error> {
    let mut entries: Vec<Entry> = Vec::new();
    let Some(extent) = recovered.streams.get(&DISCARDS) else {
        return Ok(entries);
    };
    let mut next = extent.base.lsn.next();
    while next <= extent.last.lsn {
        let found = match log.read(group, DISCARDS, next, READ_BYTES) {
            Err(error) if recovered.damaged && *error.kind() == ErrorKind::Corrupted => {
                next = next.next();
                continue;
            }
            found => found?,
        };
        match found {
            LogSlice::Entries(more) if !more.is_empty() => {
                next = more.last().map_or(next, |entry| entry.last_lsn().next());
                entries.extend(more);
            }
            LogSlice::Entries(_) | LogSlice::Trimmed { .. } => {
                return Err(Error::new(ErrorKind::Corrupted, "recover discarded writes")
                    .with("group", group)
                    .with("missing", next));
            }
        }
    }
    Ok(entries)
}

/// After which record the tail is to be read of a replica whose state is at `position`: after that
/// one, unless the state is a snapshot of a later leadership than any in the log. Then a crash came
/// before the log was told, and what it holds may have to be journaled.
pub fn tail_start(recovered: &RecoveredGroup, position: EntryId) -> Lsn {
    let extent = recovered.streams.get(&StreamId(0));
    match extent {
        Some(extent) if extent.last.epoch < position.epoch => extent.base.lsn.min(position.lsn),
        _ => position.lsn,
    }
}

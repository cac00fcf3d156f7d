//! Positions on the wire: hand-framed, because frontiers are maps and maps do not decode safely.
//!
//! ```text
//! entry     1 | epoch u64 | lsn u64
//! frontier  2 | count u16 | (incarnation u128 | lsn u64) * count
//! dots      3 | count u16 | (key hash u64 | incarnation u128 | counter u64) * count
//! entries   4 | count u16 | (epoch u64 | lsn u64) * count
//! ```

use bytes::{BufMut, BytesMut};
use repertoire_core::cursor::Cursor;
use repertoire_core::{
    DecodeError, Dot, EPOCHS_MAX, EntryId, Frontier, Incarnation, LeaderEpoch, Lsn, Position,
};

/// Most origins or dots of a position on the wire. Sessions escalate long before.
pub const POSITION_ENTRIES_MAX: usize = 1024;

const ENTRY: u8 = 1;
const FRONTIER: u8 = 2;
const DOTS: u8 = 3;
const ENTRIES: u8 = 4;

/// Appends a position.
///
/// A position with more entries than the cap is written without those beyond it: an answer that
/// promises less than it could is still true.
pub(crate) fn put_position(out: &mut BytesMut, position: &Position) {
    match position {
        Position::Entry(id) => {
            out.put_u8(ENTRY);
            put_entry_id(out, *id);
        }
        Position::Frontier(frontier) => {
            out.put_u8(FRONTIER);
            put_count(out, frontier.origins().count());
            for (origin, lsn) in frontier.origins().take(POSITION_ENTRIES_MAX) {
                out.put_u128_le(origin.0);
                out.put_u64_le(lsn.0);
            }
        }
        Position::Dots(dots) => {
            out.put_u8(DOTS);
            put_count(out, dots.len());
            for (hash, dot) in dots.iter().take(POSITION_ENTRIES_MAX) {
                out.put_u64_le(*hash);
                out.put_u128_le(dot.incarnation.0);
                out.put_u64_le(dot.counter);
            }
        }
        Position::Entries(ids) => {
            out.put_u8(ENTRIES);
            put_count(out, ids.len());
            for id in ids.iter().take(POSITION_ENTRIES_MAX) {
                put_entry_id(out, *id);
            }
        }
    }
}

/// Appends an entry id.
pub(crate) fn put_entry_id(out: &mut BytesMut, id: EntryId) {
    out.put_u64_le(id.epoch.0);
    out.put_u64_le(id.lsn.0);
}

/// Reads an entry id.
pub(crate) fn take_entry_id(cursor: &mut Cursor<'_>) -> Result<EntryId, DecodeError> {
    let epoch = LeaderEpoch(cursor.u64("epoch")?);
    Ok(EntryId::new(epoch, Lsn(cursor.u64("lsn")?)))
}

/// Reads a position.
pub(crate) fn take_position(cursor: &mut Cursor<'_>) -> Result<Position, DecodeError> {
    match cursor.u8("position")? {
        ENTRY => take_entry_id(cursor).map(Position::Entry),
        FRONTIER => {
            let mut frontier = Frontier::default();
            for _ in 0..take_count(cursor)? {
                let origin = Incarnation(cursor.u128("origin")?);
                frontier.raise(origin, Lsn(cursor.u64("lsn")?));
            }
            Ok(Position::Frontier(frontier))
        }
        DOTS => {
            let count = take_count(cursor)?;
            let mut dots = Vec::new();
            for _ in 0..count {
                let hash = cursor.u64("key hash")?;
                let incarnation = Incarnation(cursor.u128("incarnation")?);
                let counter = cursor.u64("counter")?;
                dots.push((
                    hash,
                    Dot {
                        incarnation,
                        counter,
                    },
                ));
            }
            Ok(Position::Dots(dots))
        }
        ENTRIES => take_entries(cursor),
        other => Err(DecodeError::Invalid {
            field: "position",
            value: other.into(),
        }),
    }
}

/// Sessions keep few leaderships; more are refused, because dropping one would drop a guarantee.
fn take_entries(cursor: &mut Cursor<'_>) -> Result<Position, DecodeError> {
    let count = cursor.u16("entries")?;
    if usize::from(count) > EPOCHS_MAX {
        return Err(DecodeError::TooLong {
            field: "entries",
            len: count.into(),
            max: EPOCHS_MAX as u64,
        });
    }
    let entries = (0..count).map(|_| take_entry_id(cursor));
    entries.collect::<Result<_, _>>().map(Position::Entries)
}

fn put_count(out: &mut BytesMut, count: usize) {
    let count = count.min(POSITION_ENTRIES_MAX);
    out.put_u16_le(u16::try_from(count).unwrap_or(u16::MAX));
}

fn take_count(cursor: &mut Cursor<'_>) -> Result<u16, DecodeError> {
    let count = cursor.u16("entries")?;
    if usize::from(count) > POSITION_ENTRIES_MAX {
        return Err(DecodeError::TooLong {
            field: "entries",
            len: count.into(),
            max: POSITION_ENTRIES_MAX as u64,
        });
    }
    Ok(count)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use repertoire_core::cursor::Cursor;
    use repertoire_core::{
        DecodeError, Dot, EPOCHS_MAX, EntryId, Frontier, Incarnation, LeaderEpoch, Lsn, Position,
    };

    use super::{put_position, take_position};

    #[test]
    fn more_leaderships_than_a_session_keeps_are_refused() {
        let mut out = BytesMut::new();
        let ids = vec![EntryId::new(LeaderEpoch(1), Lsn(2)); EPOCHS_MAX + 1];
        put_position(&mut out, &Position::Entries(ids));
        let taken = take_position(&mut Cursor::new(&out));
        assert!(matches!(
            taken,
            Err(DecodeError::TooLong { len: 5, max: 4, .. })
        ));
    }

    #[test]
    fn positions_survive_the_round_trip() {
        let mut frontier = Frontier::default();
        frontier.raise(Incarnation(1), Lsn(2));
        frontier.raise(Incarnation(u128::MAX), Lsn(u64::MAX));
        let dot = Dot {
            incarnation: Incarnation(4),
            counter: 5,
        };
        for position in [
            Position::Entry(EntryId::new(LeaderEpoch(7), Lsn(8))),
            Position::Frontier(frontier),
            Position::Dots(vec![(3, dot)]),
            Position::Entries(vec![EntryId::new(LeaderEpoch(1), Lsn(2)); EPOCHS_MAX]),
        ] {
            let mut out = BytesMut::new();
            put_position(&mut out, &position);
            let mut cursor = Cursor::new(&out);
            assert_eq!(take_position(&mut cursor), Ok(position));
            assert_eq!(cursor.finish(), Ok(()));
        }
    }
}

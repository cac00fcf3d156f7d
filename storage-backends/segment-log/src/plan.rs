//! What a burst would do: checked before a byte is written, then turned into records.

use std::collections::BTreeMap;

use repertoire_core::{Error, ErrorKind, GroupId, GroupLogOp, LogOp, Lsn, StreamId};

use crate::Options;
use crate::format::{Draft, Kind, Prefix, epoch_prefix};
use crate::index::Index;

/// A stream as it will be when the operations looked at so far have happened.
#[derive(Clone, Copy)]
struct Planned {
    base: Lsn,
    last: Lsn,
}

/// The streams that a burst touches.
#[derive(Default)]
struct Streams(BTreeMap<(GroupId, StreamId), Planned>);

impl Streams {
    fn planned(&mut self, index: &Index, group: GroupId, stream: StreamId) -> &mut Planned {
        self.0.entry((group, stream)).or_insert_with(|| {
            let known = index.stream(group, stream);
            Planned {
                base: known.map_or(Lsn::ZERO, |stream| stream.base().lsn),
                last: known.map_or(Lsn::ZERO, |stream| stream.last().lsn),
            }
        })
    }
}

/// Checks that every operation fits what the log holds and what came before it in the burst.
///
/// # Errors
/// `TooLarge` for a record above the limit, `Unexpected` for an operation that contradicts the
/// log: a bug of the caller, who must not go on as if it had happened.
pub(crate) fn validate(
    index: &Index,
    options: &Options,
    burst: &[GroupLogOp],
) -> Result<(), Error> {
    let mut streams = Streams::default();
    for (number, op) in burst.iter().enumerate() {
        match &op.op {
            LogOp::HardState(state) => check_size(state.len(), options)?,
            LogOp::Checkpoint { .. } | LogOp::Repaired => {}
            LogOp::Append { stream, entry } => {
                check_size(entry.encoded_len(), options)?;
                let stream = streams.planned(index, op.group, *stream);
                if entry.first != stream.last.next() || entry.count == 0 {
                    return Err(contradiction(op, entry.first, *stream));
                }
                stream.last = entry.last_lsn();
            }
            LogOp::Truncate { stream: id, last } => {
                let stream = streams.planned(index, op.group, *id);
                let earlier = burst.get(..number).unwrap_or(&[]);
                let possible = *last >= stream.base
                    && (*last >= stream.last || ends(index, earlier, op.group, *id, *last));
                if !possible {
                    return Err(contradiction(op, *last, *stream));
                }
                stream.last = stream.last.min(*last);
            }
            LogOp::Reset { stream, base } => {
                let (base, last) = (base.lsn, base.lsn);
                *streams.planned(index, op.group, *stream) = Planned { base, last };
            }
        }
    }
    Ok(())
}

/// Whether an entry ends at `last`, in the log or earlier in the burst.
fn ends(
    index: &Index,
    earlier: &[GroupLogOp],
    group: GroupId,
    stream: StreamId,
    last: Lsn,
) -> bool {
    let in_log = index
        .stream(group, stream)
        .map_or(last == Lsn::ZERO, |known| known.ends_at(last));
    in_log
        || earlier.iter().any(|op| match &op.op {
            LogOp::Append { stream: s, entry } => {
                (op.group, *s) == (group, stream) && entry.last_lsn() == last
            }
            LogOp::Reset { stream: s, base } => {
                (op.group, *s) == (group, stream) && base.lsn == last
            }
            LogOp::Truncate { .. }
            | LogOp::HardState(_)
            | LogOp::Checkpoint { .. }
            | LogOp::Repaired => false,
        })
}

fn check_size(len: usize, options: &Options) -> Result<(), Error> {
    let max = u64::from(options.record_bytes_max);
    if len as u64 > max {
        let len = len as u64;
        return Err(Error::new(
            ErrorKind::TooLarge { len, max },
            "writing to the log",
        ));
    }
    Ok(())
}

fn contradiction(op: &GroupLogOp, at: Lsn, before: Planned) -> Error {
    let what = match &op.op {
        LogOp::Append { .. } => "append",
        LogOp::Truncate { .. } => "truncate",
        LogOp::HardState(_) | LogOp::Checkpoint { .. } | LogOp::Reset { .. } | LogOp::Repaired => {
            "other"
        }
    };
    Error::new(ErrorKind::Unexpected, "writing to the log")
        .with("operation", what)
        .with("group", op.group)
        .with("at", at)
        .with("base", before.base)
        .with("last", before.last)
}

/// Whether the burst consists only of operations that let the log shrink; those may use the
/// segment that is held in reserve, so that a full log can be emptied.
pub(crate) fn frees_space(burst: &[GroupLogOp]) -> bool {
    burst
        .iter()
        .all(|op| !matches!(op.op, LogOp::Append { .. }))
}

/// The records of a burst; operations are numbered from `order`.
pub(crate) fn drafts(burst: &[GroupLogOp], order: u64) -> Vec<Draft<'_>> {
    let numbers = order..;
    let numbered = burst.iter().zip(numbers);
    numbered.map(|(op, order)| draft(op, order)).collect()
}

fn draft(op: &GroupLogOp, order: u64) -> Draft<'_> {
    let of = |kind, stream, position: Lsn, prefix, body| Draft {
        kind,
        group: op.group,
        stream,
        position: position.0,
        order,
        prefix,
        body,
    };
    let none: &[u8] = &[];
    match &op.op {
        LogOp::Append { stream, entry } => {
            let head = Prefix::of(&entry.encode_head());
            of(Kind::Append, *stream, entry.first, head, &entry.body)
        }
        LogOp::Truncate { stream, last } => of(Kind::Truncate, *stream, *last, Prefix::EMPTY, none),
        LogOp::HardState(state) => {
            let stream = StreamId::default();
            of(Kind::HardState, stream, Lsn::ZERO, Prefix::EMPTY, state)
        }
        LogOp::Checkpoint { stream, upto } => of(
            Kind::Checkpoint,
            *stream,
            upto.lsn,
            epoch_prefix(*upto),
            none,
        ),
        LogOp::Reset { stream, base } => {
            of(Kind::Reset, *stream, base.lsn, epoch_prefix(*base), none)
        }
        LogOp::Repaired => {
            let stream = StreamId::default();
            of(Kind::Repaired, stream, Lsn::ZERO, Prefix::EMPTY, none)
        }
    }
}

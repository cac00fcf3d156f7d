//! Telling damage from a torn tail.
//!
//! Every burst header states up to where the log was synced when it was written. That is a fact,
//! whatever became of that burst. So what is missing before the furthest such point was lost on the
//! disk: it is reported and never cut. What is missing after it was never promised: the log ends
//! there, and records behind it (pages persist in any order) are cut off with it.

use repertoire_core::GroupId;
use repertoire_core::sabotage::{Bug, planted};

use super::scan::{Piece, Scanned};
use crate::format::{BurstInfo, RecordHead, SEGMENT_HEADER_BYTES, Statement};
use crate::{Damage, LogPosition};

/// What recovery makes of the scanned segments.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// The records that count, in log order, without burst headers.
    pub records: Vec<(RecordHead, Statement)>,
    pub damage: Vec<Damage>,
    /// Where the log ends; none when no record was found.
    pub end: Option<LogPosition>,
    /// Checksum of the last record's head.
    pub previous: u32,
    /// The last burst's number.
    pub burst: u64,
    /// The next operation's number.
    pub order: u64,
    /// The oldest segment of value.
    pub oldest: u64,
    /// Whether the last record states that all before it is synced.
    pub sealed: bool,
}

/// The facts that burst headers state, wherever they lie.
fn facts(scanned: &[Scanned]) -> (LogPosition, u64) {
    let pieces = scanned.iter().flat_map(|segment| &segment.pieces);
    let infos = pieces.filter_map(|piece| match piece {
        Piece::Record(_, Statement::Burst(info)) => Some(info),
        Piece::Record(..) | Piece::BadPayload(_) | Piece::Gap(..) => None,
    });
    infos.fold(Default::default(), |(synced, oldest), info| {
        (info.synced.max(synced), info.oldest.max(oldest))
    })
}

struct Walk {
    synced: LogPosition,
    /// Checksum that the next record must name; none after damage, and at the start.
    chain: Option<u32>,
    verdict: Verdict,
}

pub(super) fn judge(scanned: &[Scanned]) -> Verdict {
    let (synced, oldest) = facts(scanned);
    // While nothing was freed, the log starts with segment one, and there the chain does too.
    let oldest = oldest.max(1);
    let pieces = scanned.iter().map(|segment| segment.pieces.len()).sum();
    let mut walk = Walk {
        synced,
        chain: (oldest == 1).then_some(0),
        verdict: Verdict {
            records: Vec::with_capacity(pieces),
            oldest,
            ..Verdict::default()
        },
    };
    let mut expected = oldest;
    for segment in scanned.iter().filter(|s| s.sequence >= oldest) {
        let missing = expected != segment.sequence;
        expected = segment.sequence + 1;
        if missing && !walk.lose_segments(segment.sequence) {
            break;
        }
        if !segment
            .pieces
            .iter()
            .all(|piece| walk.take(segment.sequence, piece))
        {
            break;
        }
    }
    walk.finish()
}

impl Walk {
    /// Segments before `sequence` are not there, or empty. `false` when that ends the log.
    fn lose_segments(&mut self, sequence: u64) -> bool {
        let from = self.verdict.end.unwrap_or(LogPosition {
            sequence: self.verdict.oldest,
            offset: SEGMENT_HEADER_BYTES,
        });
        let until = LogPosition {
            sequence,
            offset: 0,
        };
        self.chain = None;
        let reported = self
            .verdict
            .damage
            .last()
            .is_some_and(|last| last.until == until);
        reported || self.lost(from, until, None)
    }

    /// Looks at one piece. `false` when the log ends before it.
    fn take(&mut self, sequence: u64, piece: &Piece) -> bool {
        let at = |offset| LogPosition { sequence, offset };
        let (start, end) = (at(piece.start()), at(piece.end()));
        let first = self.verdict.end.is_none() && sequence != self.verdict.oldest;
        if first && !self.lose_segments(sequence) {
            return false;
        }
        let goes_on = match piece {
            Piece::Gap(..) => {
                let goes_on = self.lost(start, end, None);
                self.chain = None;
                goes_on
            }
            Piece::BadPayload(head) => {
                // A burst header belongs to no group, so it tells nothing about whom it concerns.
                let group = (head.kind != crate::format::Kind::Burst as u8).then_some(head.group);
                let goes_on = self.follows(head, start) && self.lost(start, end, group);
                self.chain = Some(head.crc);
                goes_on
            }
            Piece::Record(head, statement) => {
                let is_far = matches!(statement, Statement::Burst(info)
                    if head.position > info.synced_upto + 8 && planted(Bug::RecoverFewBursts));
                let goes_on = !is_far && self.follows(head, start);
                self.chain = Some(head.crc);
                goes_on
            }
        };
        if goes_on {
            self.accept(piece, end);
        }
        goes_on
    }

    /// Checks the chain: a record that does not name the one before it follows a lost one.
    fn follows(&mut self, head: &RecordHead, start: LogPosition) -> bool {
        let broken = self.chain.is_some_and(|chain| chain != head.previous);
        !broken || self.lost(self.verdict.end.unwrap_or(start), start, None)
    }

    /// Records are lost between two positions. `false` when that ends the log.
    fn lost(&mut self, at: LogPosition, until: LogPosition, group: Option<GroupId>) -> bool {
        if at >= self.synced {
            return planted(Bug::RecoverPastTear);
        }
        if planted(Bug::RotTakenForTornTail) {
            return false;
        }
        self.verdict.damage.push(Damage { at, until, group });
        true
    }

    fn accept(&mut self, piece: &Piece, end: LogPosition) {
        let verdict = &mut self.verdict;
        verdict.end = Some(end);
        verdict.sealed = false;
        let (head, statement) = match piece {
            Piece::Gap(..) => return,
            Piece::BadPayload(head) => {
                verdict.previous = head.crc;
                return;
            }
            Piece::Record(head, statement) => (head, statement),
        };
        verdict.previous = head.crc;
        let start = LogPosition {
            offset: head.offset,
            ..end
        };
        if let Statement::Burst(BurstInfo { synced, .. }) = statement {
            verdict.burst = verdict.burst.max(head.position);
            verdict.order = verdict.order.max(head.order);
            verdict.sealed = *synced == start;
        } else {
            verdict.order = verdict.order.max(head.order + 1);
            verdict.records.push((*head, statement.clone()));
        }
    }

    fn finish(mut self) -> Verdict {
        if let Some(end) = self.verdict.end
            && end < self.synced
            && !planted(Bug::RotTakenForTornTail)
        {
            let (at, until) = (end, self.synced);
            let group = None;
            self.verdict.damage.push(Damage { at, until, group });
        }
        self.verdict
    }
}

//! Log matching (SL2): an entry of one epoch at one position has one content, on every log; logs
//! have no holes, and nothing that was applied is ever cut off, nor anything of the leadership that is
//! being followed.

use std::fmt;

use repertoire_core::{Entry, LogOp};
use xxhash_rust::xxh3::xxh3_64_with_seed;

use crate::invariants::Findings;
use crate::invariants::one_leader::Origins;
use crate::watch::Extent;

const ID: &str = "SL2.log-matching";

#[derive(Clone, Copy, Debug, Default)]
struct Known {
    epoch: u64,
    hash: u64,
}

/// Every entry that any log was ever given.
#[derive(Debug, Default)]
pub(crate) struct LogCanon {
    /// By first position: the newest epoch's entry there.
    newest: Vec<Known>,
    /// Entries that a newer epoch replaced.
    older: Vec<(u64, Known)>,
    origins: Origins,
}

/// Who does it, for the report.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    pub(crate) node: usize,
    pub(crate) group: usize,
}

impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "node {}, keyspace {}", self.node, self.group)
    }
}

impl LogCanon {
    /// Judges an operation that a replica orders on its log, of which `written` is the extent so
    /// far, and `applied` what its engine was given. `epoch` is the newest that it says it knows.
    pub(crate) fn judge(
        &mut self,
        at: Place,
        op: &LogOp,
        written: &Extent,
        (applied, epoch): (u64, u64),
        findings: &mut Findings,
    ) {
        match op {
            LogOp::Append { entry, .. } => self.append(at, entry, written, findings),
            LogOp::Truncate { last, .. } => {
                findings.require(last.0 >= applied, ID, || {
                    format!("{at:?}: cuts back to {last}, but {applied} was applied")
                });
                // A leader's own log only grows, and who follows it holds a part of that.
                let is_older = last.0 >= written.last() || written.last_epoch() < epoch;
                findings.require(is_older, ID, || {
                    format!("{at:?}: cuts back to {last} what epoch {epoch} made, and follows it")
                });
            }
            LogOp::Reset { .. }
            | LogOp::HardState(_)
            | LogOp::Checkpoint { .. }
            | LogOp::Repaired => {}
        }
    }

    fn append(&mut self, at: Place, entry: &Entry, written: &Extent, findings: &mut Findings) {
        let (epoch, first) = (entry.epoch.0, entry.first.0);
        let next = written.last() + 1;
        findings.require(first == next, ID, || {
            format!("{at:?}: appends {first}@{epoch} where {next} comes next")
        });
        findings.require(epoch >= written.last_epoch(), "A5.monotone-epoch", || {
            let last = written.last_epoch();
            format!("{at:?}: appends epoch {epoch} after epoch {last}")
        });
        let seed = u64::from(entry.count) ^ entry.wall.0.rotate_left(32) ^ entry.kind as u64;
        let hash = xxh3_64_with_seed(&entry.body, seed);
        match self.find(epoch, first) {
            Some(known) => findings.require(known == hash, ID, || {
                format!("{at:?}: appends another entry at {first}@{epoch} than others did")
            }),
            None => {
                self.insert(epoch, first, hash);
                self.origins.judge(at, epoch, first, findings);
            }
        }
    }

    fn find(&self, epoch: u64, first: u64) -> Option<u64> {
        let newest = self.newest.get(first as usize)?;
        if newest.epoch == epoch {
            return Some(newest.hash);
        }
        let same = |known: &&(u64, Known)| known.0 == first && known.1.epoch == epoch;
        self.older.iter().find(same).map(|known| known.1.hash)
    }

    fn insert(&mut self, epoch: u64, first: u64, hash: u64) {
        let index = first as usize;
        if self.newest.len() <= index {
            self.newest.resize(index + 1, Known::default());
        }
        let place = &mut self.newest[index];
        let known = Known { epoch, hash };
        if place.epoch == 0 {
            *place = known;
        } else if place.epoch < epoch {
            self.older.push((first, std::mem::replace(place, known)));
        } else {
            self.older.push((first, known));
        }
    }
}

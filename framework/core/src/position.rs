//! Positions in a history. They *contain*; they do not compare.
//!
//! A scalar `have >= need` is wrong after a failover that discarded a tail, across keyspaces and
//! across origins. So [`Position`] has no order: whether a replica has seen a position is answered
//! by its [`EpochHistory`](crate::EpochHistory) (single-leader), its frontier (multi-leader) or its
//! dots (leaderless).

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Incarnation, LeaderEpoch};

/// Log sequence number: position of one record in one origin's log. The first record is 1.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Lsn(pub u64);

impl Lsn {
    /// Before the first record.
    pub const ZERO: Self = Self(0);

    /// The next position.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The position `records` later, saturating.
    pub const fn plus(self, records: u64) -> Self {
        Self(self.0.saturating_add(records))
    }

    /// Records in `(earlier, self]`; zero when `earlier` is not earlier.
    pub const fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

impl fmt::Display for Lsn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "lsn {}", self.0)
    }
}

/// A record named by the leadership that made it and its place in the log.
///
/// Two replicas that hold the same `EntryId` hold the same history up to it (log matching).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct EntryId {
    /// The leadership that made the record.
    pub epoch: LeaderEpoch,
    /// Its place in the log.
    pub lsn: Lsn,
}

impl EntryId {
    /// The empty history.
    pub const ZERO: Self = Self {
        epoch: LeaderEpoch(0),
        lsn: Lsn(0),
    };

    /// Builds an id from its parts.
    pub const fn new(epoch: LeaderEpoch, lsn: Lsn) -> Self {
        Self { epoch, lsn }
    }

    /// Whether a log that ends here is at least as up to date as one that ends at `other`:
    /// the later epoch wins, then the longer log. For elections only; not an order of positions.
    pub fn is_up_to_date_with(self, other: Self) -> bool {
        (self.epoch, self.lsn) >= (other.epoch, other.lsn)
    }
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.lsn.0, self.epoch.0)
    }
}

/// Per origin, the highest position seen without a hole. A missing origin means zero.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier(BTreeMap<Incarnation, Lsn>);

impl Frontier {
    /// What this frontier has seen of `origin`.
    pub fn get(&self, origin: Incarnation) -> Lsn {
        self.0.get(&origin).copied().unwrap_or_default()
    }

    /// Raises the position of `origin` to `lsn`; never lowers it. Zero entries are not stored.
    pub fn raise(&mut self, origin: Incarnation, lsn: Lsn) {
        if lsn > self.get(origin) {
            self.0.insert(origin, lsn);
        }
    }

    /// Whether every origin of `other` has been seen at least as far here.
    pub fn contains(&self, other: &Self) -> bool {
        other
            .0
            .iter()
            .all(|(origin, lsn)| self.get(*origin) >= *lsn)
    }

    /// The origins seen so far, in order.
    pub fn origins(&self) -> impl Iterator<Item = (Incarnation, Lsn)> + '_ {
        self.0.iter().map(|(origin, lsn)| (*origin, *lsn))
    }
}

/// One event of one incarnation: the name of a write where no leader orders them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// Who minted it.
    pub incarnation: Incarnation,
    /// The how-manieth of that incarnation; the first is 1.
    pub counter: u64,
}

/// What a session must be able to see, in the words of the keyspace's family.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Position {
    /// Single-leader: one record of one leadership.
    Entry(EntryId),
    /// Multi-leader: a position per origin.
    Frontier(Frontier),
    /// Leaderless: the dots of single writes, with the hash of their keys.
    Dots(Vec<(u64, Dot)>),
    /// Single-leader: records of several leaderships, all of which must be contained.
    Entries(Vec<EntryId>),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Entry(id) => write!(f, "{id}"),
            Self::Frontier(frontier) => {
                let parts = frontier.origins().map(|(o, l)| format!("{o}:{}", l.0));
                write!(f, "{{{}}}", parts.collect::<Vec<_>>().join(","))
            }
            Self::Dots(dots) => write!(f, "{} dots", dots.len()),
            Self::Entries(ids) => {
                let parts: Vec<_> = ids.iter().map(ToString::to_string).collect();
                write!(f, "{{{}}}", parts.join(","))
            }
        }
    }
}

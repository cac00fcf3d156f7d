//! Exactly-once effect: what each client's recent writes did.
//!
//! The table is part of the replicated state. Every replica builds it from the log, it travels
//! with snapshots, and it expires only by the times *inside* log entries, so that all replicas
//! agree on it at equal positions (LORE S36).

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{ClientId, DecodeError, EntryId, RequestId, Wall};

/// Hash of a request's body, to tell a retry from a reused id.
///
/// CRC-32C: a reuse goes unnoticed once in 2³² times, and only harms the client that did it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PayloadHash(pub u32);

impl PayloadHash {
    /// The hash of an encoded operation.
    pub fn of(body: &[u8]) -> Self {
        Self(crc32c::crc32c(body))
    }
}

/// What is remembered of one applied write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remembered {
    /// Hash of the request's body.
    pub hash: PayloadHash,
    /// Where it was applied.
    pub position: EntryId,
    /// What it returned.
    #[serde(with = "crate::blob")]
    pub result: Bytes,
}

// ANCHOR: verdict
/// Verdict on an incoming request id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Never seen: go on.
    New,
    /// Applied before: answer with what it returned then.
    Done(Remembered),
    /// Seen with another payload: refuse.
    Reused,
    /// Below the window: nobody knows any more. Never apply it.
    Expired,
    /// So far ahead of the client's oldest unanswered write that the window cannot hold both.
    Ahead,
}
// ANCHOR_END: verdict

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Session {
    /// Replies up to here may be forgotten: the client said so, or the window slid past.
    floor: u64,
    /// Writes `floor+1 ..`; `None` is a hole that was refused or is still under way.
    window: VecDeque<Option<Remembered>>,
    /// Time in the last entry of this client.
    last_seen: Wall,
}

/// Most writes of one client between its oldest unanswered one and its newest. A window of full
/// depth weighs about 4 MiB.
pub const WINDOW_MAX: usize = 1 << 16;

/// The dedup table of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DedupTable {
    sessions: BTreeMap<ClientId, Session>,
    /// Sessions idle since before this time were dropped. An unknown client that was created
    /// earlier may be one of them, so its writes are refused rather than applied twice.
    expired_before: Wall,
}

impl DedupTable {
    /// Judges an incoming request against what was applied.
    pub fn check(&self, id: &RequestId, hash: PayloadHash) -> Verdict {
        let Some(session) = self.sessions.get(&id.client) else {
            let may_be_forgotten = id.client.created() < self.expired_before;
            return if may_be_forgotten {
                Verdict::Expired
            } else {
                Verdict::New
            };
        };
        if id.seq <= session.floor {
            return Verdict::Expired;
        }
        let index = slot(id.seq, session.floor);
        if index >= WINDOW_MAX {
            return Verdict::Ahead;
        }
        match session.window.get(index) {
            None | Some(None) => Verdict::New,
            Some(Some(known)) if known.hash == hash => Verdict::Done(known.clone()),
            Some(Some(_)) => Verdict::Reused,
        }
    }

    /// Notes an applied write. Call it in log order on every replica.
    ///
    /// Returns `false` when the id was applied before or lies outside the window: the caller must
    /// then skip the write's effects. (A correct leader never logs such a write; a follower need
    /// not trust that.)
    #[must_use]
    pub fn record(&mut self, id: &RequestId, at: Wall, remembered: Remembered) -> bool {
        if id.client.created() < self.expired_before && !self.sessions.contains_key(&id.client) {
            return false;
        }
        let session = self.sessions.entry(id.client).or_insert_with(|| Session {
            floor: id.acked_upto,
            ..Session::default()
        });
        session.last_seen = session.last_seen.max(at);
        if id.seq <= session.floor {
            return false;
        }
        let index = slot(id.seq, session.floor);
        if index >= WINDOW_MAX {
            return false;
        }
        if index >= session.window.len() {
            session.window.resize(index, None);
            session.window.push_back(Some(remembered));
        } else {
            match session.window.get_mut(index) {
                Some(place @ None) => *place = Some(remembered),
                _ => return false,
            }
        }
        session.trim(id.acked_upto);
        true
    }

    /// Drops sessions whose last write is older than `before`, by the times in the entries.
    ///
    /// A client whose clock ran ahead may name a later creation than that. Its session stays: once
    /// dropped, [`check`](Self::check) would take it for a new one, and apply a retry twice.
    pub fn expire(&mut self, before: Wall) {
        self.sessions
            .retain(|client, session| session.last_seen.max(client.created()) >= before);
        self.expired_before = self.expired_before.max(before);
    }

    /// Whether sessions idle since before `wall - lifetime` are due to be dropped. Depends on the
    /// table alone, so every replica drops them at the same entry.
    pub fn is_expiry_due(&self, wall: Wall, lifetime_ms: u64) -> bool {
        wall.0.saturating_sub(lifetime_ms) > self.expired_before.0.saturating_add(lifetime_ms / 8)
    }

    /// Whether the client's session is certainly still known, or new, once an entry of time `wall`
    /// is applied, whatever the entries before it expire.
    ///
    /// A leader logs no write for which this fails. Else the session could be dropped by an entry
    /// that is under way, begin anew with that write, and take a retry of an older one for new.
    pub fn outlives(&self, client: ClientId, wall: Wall, lifetime_ms: u64) -> bool {
        let seen = self.sessions.get(&client).map(|known| known.last_seen);
        let newest = seen.unwrap_or_default().max(client.created());
        newest.0 >= wall.0.saturating_sub(lifetime_ms)
    }

    /// Clients remembered.
    pub fn clients(&self) -> usize {
        self.sessions.len()
    }

    /// Writes remembered, over all clients.
    pub fn remembered(&self) -> usize {
        self.sessions
            .values()
            .map(|s| s.window.iter().flatten().count())
            .sum()
    }
}

/// Records of one exported row; a row stays far below a snapshot chunk.
const PART_RECORDS: usize = 256;

/// Key of the row that holds what is not about one client.
const META_KEY: &[u8] = b"\0dedup";
/// Prefix of the rows that hold clients.
const CLIENT_PREFIX: &[u8] = b"\0dedup/";

#[derive(Serialize, Deserialize)]
struct Part {
    floor: u64,
    last_seen: Wall,
    records: Vec<Option<Remembered>>,
}

impl DedupTable {
    /// The table as rows of the replicated space, in key order: what snapshots and digests hold.
    pub fn export(&self, row: &mut dyn FnMut(&[u8], &[u8])) {
        row(META_KEY, &self.expired_before.0.to_be_bytes());
        for (client, session) in &self.sessions {
            let records: Vec<_> = session.window.iter().cloned().collect();
            // A client whose window is empty is remembered by one empty part.
            let mut parts = records
                .chunks(PART_RECORDS)
                .map(<[_]>::to_vec)
                .collect::<Vec<_>>();
            if parts.is_empty() {
                parts.push(Vec::new());
            }
            for (number, records) in (0_u32..).zip(parts) {
                let mut key = CLIENT_PREFIX.to_vec();
                key.extend_from_slice(&client.0.to_be_bytes());
                key.extend_from_slice(&number.to_be_bytes());
                let (floor, last_seen) = (session.floor, session.last_seen);
                let part = Part {
                    floor,
                    last_seen,
                    records,
                };
                row(&key, &postcard::to_stdvec(&part).unwrap_or_default());
            }
        }
    }

    /// Takes a row of [`export`](Self::export) back; rows must come in the order of their keys.
    /// Returns `false` for rows that are not of this table.
    ///
    /// # Errors
    /// When such a row is damaged.
    pub fn import(&mut self, key: &[u8], value: &[u8]) -> Result<bool, DecodeError> {
        if key == META_KEY {
            self.expired_before = Wall(u64::from_be_bytes(fixed(value)?));
            return Ok(true);
        }
        let Some(client) = key.strip_prefix(CLIENT_PREFIX) else {
            return Ok(false);
        };
        let (client, _) = client.split_at_checked(16).ok_or(DecodeError::Head)?;
        let client = ClientId(u128::from_be_bytes(fixed(client)?));
        let part: Part = postcard::from_bytes(value).map_err(|_| DecodeError::Head)?;
        let session = self.sessions.entry(client).or_default();
        session.floor = part.floor;
        session.last_seen = part.last_seen;
        session.window.extend(part.records);
        Ok(true)
    }
}

fn fixed<const N: usize>(bytes: &[u8]) -> Result<[u8; N], DecodeError> {
    bytes.try_into().map_err(|_| DecodeError::Head)
}

impl Session {
    fn trim(&mut self, acked_upto: u64) {
        while self.floor < acked_upto && self.window.pop_front().is_some() {
            self.floor += 1;
        }
    }
}

fn slot(seq: u64, floor: u64) -> usize {
    usize::try_from(seq.saturating_sub(floor).saturating_sub(1)).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(seq: u64, acked_upto: u64) -> RequestId {
        RequestId {
            client: ClientId::new(Wall(10), 7),
            seq,
            acked_upto,
        }
    }

    fn done(hash: u32) -> Remembered {
        Remembered {
            hash: PayloadHash(hash),
            position: EntryId::ZERO,
            result: Bytes::new(),
        }
    }

    #[test]
    fn a_retry_gets_the_first_answer() {
        let mut table = DedupTable::default();
        assert_eq!(table.check(&id(1, 0), PayloadHash(5)), Verdict::New);
        assert!(table.record(&id(1, 0), Wall(1), done(5)));
        assert_eq!(
            table.check(&id(1, 0), PayloadHash(5)),
            Verdict::Done(done(5))
        );
        assert_eq!(table.check(&id(1, 0), PayloadHash(6)), Verdict::Reused);
        assert!(!table.record(&id(1, 0), Wall(2), done(5)));
    }

    #[test]
    fn out_of_order_arrivals_leave_holes_that_can_be_filled() {
        let mut table = DedupTable::default();
        assert!(table.record(&id(3, 0), Wall(1), done(3)));
        assert_eq!(table.check(&id(2, 0), PayloadHash(2)), Verdict::New);
        assert!(table.record(&id(2, 0), Wall(1), done(2)));
        assert_eq!(table.remembered(), 2);
    }

    #[test]
    fn acknowledged_replies_are_forgotten_and_never_applied_again() {
        let mut table = DedupTable::default();
        assert!(table.record(&id(1, 0), Wall(1), done(1)));
        assert!(table.record(&id(2, 1), Wall(1), done(2)));
        assert_eq!(table.check(&id(1, 0), PayloadHash(1)), Verdict::Expired);
        assert_eq!(table.remembered(), 1);
    }

    #[test]
    fn an_exported_table_comes_back_equal() {
        let mut table = DedupTable::default();
        for seq in 1..700 {
            assert!(table.record(&id(seq, seq / 9), Wall(seq), done(3)));
        }
        let mut copy = DedupTable::default();
        table.export(&mut |key, value| assert_eq!(copy.import(key, value), Ok(true)));
        assert_eq!(copy, table);
    }

    #[test]
    fn a_session_expires_by_entry_time_and_is_not_mistaken_for_a_new_one() {
        let mut table = DedupTable::default();
        assert!(table.record(&id(4, 0), Wall(10), done(4)));
        table.expire(Wall(11));
        assert_eq!(table.clients(), 0);
        assert_eq!(table.check(&id(4, 0), PayloadHash(4)), Verdict::Expired);
        let fresh = RequestId {
            client: ClientId::new(Wall(11), 8),
            seq: 1,
            acked_upto: 0,
        };
        assert_eq!(table.check(&fresh, PayloadHash(1)), Verdict::New);
    }

    #[test]
    fn a_session_that_was_created_by_a_clock_ahead_is_not_forgotten_early() {
        let mut table = DedupTable::default();
        let early = RequestId {
            client: ClientId::new(Wall(50), 7),
            seq: 1,
            acked_upto: 0,
        };
        assert!(table.record(&early, Wall(10), done(1)));
        table.expire(Wall(40));
        assert_eq!(
            table.check(&early, PayloadHash(1)),
            Verdict::Done(done(1)),
            "a retry is not a new write"
        );
    }

    #[test]
    fn a_forgotten_session_never_begins_anew() {
        let mut table = DedupTable::default();
        let (first, second) = (id(1, 0), id(2, 0));
        assert!(table.record(&first, Wall(10), done(1)));
        assert!(table.outlives(second.client, Wall(1010), 1000));
        assert!(!table.outlives(second.client, Wall(1011), 1000));
        table.expire(Wall(11));
        assert!(!table.record(&second, Wall(1011), done(2)));
        assert_eq!(table.check(&first, PayloadHash(1)), Verdict::Expired);
    }
}

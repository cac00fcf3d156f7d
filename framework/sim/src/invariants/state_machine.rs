//! State-machine safety (SL2, A6): every replica makes the same changes at the same position, and
//! as many of them. The first replica to apply an entry fixes its content for ever.

use crate::invariants::Findings;
use crate::watch::{Content, KeyId, Stamp, Tape, TapeRecord};

const ID: &str = "SL2.state-machine-safety";

/// A change of one key.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Version {
    /// The last record of the entry that made it.
    pub(crate) lsn: u64,
    pub(crate) content: Content,
    /// Whether it carries an expiry.
    pub(crate) expires: bool,
}

/// What one keyspace has become, entry by entry.
#[derive(Debug)]
pub(crate) struct Canon {
    keys: u16,
    entries: Vec<TapeRecord>,
    versions: Vec<Vec<Version>>,
}

impl Canon {
    pub(crate) fn new(keys: u16) -> Self {
        Self {
            keys,
            entries: Vec::new(),
            versions: vec![Vec::new(); usize::from(keys) * 4],
        }
    }

    /// The last position that any replica has applied.
    pub(crate) fn end(&self) -> u64 {
        self.entries.last().map_or(0, |entry| entry.lsn)
    }

    /// Where a replica goes on whose state covers everything up to `lsn`; `None` when no entry ends
    /// there.
    pub(crate) fn place_after(&self, lsn: u64) -> Option<usize> {
        if lsn == 0 {
            return Some(0);
        }
        let found = self.entries.binary_search_by_key(&lsn, |entry| entry.lsn);
        found.ok().map(|place| place + 1)
    }

    /// Where the entry that ends at `lsn` begins: the end of the one before it.
    pub(crate) fn before_entry(&self, lsn: u64) -> u64 {
        let at = self.entries.partition_point(|entry| entry.lsn < lsn);
        at.checked_sub(1)
            .and_then(|at| self.entries.get(at))
            .map_or(0, |entry| entry.lsn)
    }

    /// Compares what a replica applied since last time, from `place` on.
    pub(crate) fn absorb(
        &mut self,
        node: usize,
        group: usize,
        place: &mut usize,
        tape: &mut Tape,
        findings: &mut Findings,
    ) {
        for record in tape.records.drain(..) {
            match self.entries.get(*place) {
                Some(known) if *known == record => {}
                Some(known) => findings.add(ID, || {
                    let expected = (known.lsn, known.changes, known.hash);
                    let got = (record.lsn, record.changes, record.hash);
                    format!(
                        "node {node}, keyspace {group}: applied (position, changes, hash) {got:x?} \
                         where another replica applied {expected:x?}"
                    )
                }),
                None => {
                    let end = self.end();
                    findings.require(record.lsn > end, ID, || {
                        format!("node {node}, keyspace {group}: applied {record:?} after {end}")
                    });
                    self.entries.push(record);
                }
            }
            *place += 1;
        }
        let end = tape.known;
        for write in tape.writes.drain(..).filter(|write| write.lsn > end) {
            let version = Version {
                lsn: write.lsn,
                content: write.content,
                expires: write.expires,
            };
            if let Some(versions) = self.versions.get_mut(write.key.dense(self.keys)) {
                versions.push(version);
            }
        }
        tape.known = self.end();
    }

    pub(crate) fn versions(&self, key: KeyId) -> &[Version] {
        self.versions
            .get(key.dense(self.keys))
            .map_or(&[], Vec::as_slice)
    }

    /// What `key` holds once everything up to `lsn` is applied.
    pub(crate) fn at(&self, key: KeyId, lsn: u64) -> Option<&Version> {
        let versions = self.versions(key);
        let after = versions.partition_point(|version| version.lsn <= lsn);
        versions.get(after.checked_sub(1)?)
    }

    /// All keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = KeyId> + use<> {
        let keys = self.keys;
        crate::watch::KeyKind::ALL
            .into_iter()
            .flat_map(move |kind| (0..keys).map(move |number| KeyId { kind, number }))
    }

    /// What `key` held just before the write of that name, if that write took effect.
    pub(crate) fn before(&self, key: KeyId, stamp: Stamp) -> Option<Content> {
        let versions = self.versions(key);
        let at = versions
            .iter()
            .position(|version| version.content == Content::Written(stamp))?;
        let earlier = at.checked_sub(1).and_then(|at| versions.get(at));
        Some(earlier.map_or(Content::Absent, |version| version.content))
    }
}

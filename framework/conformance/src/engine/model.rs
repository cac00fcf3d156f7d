//! The model that engines are compared with.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire_core::{
    Applied, Lsn, RowDigest, Space, StateChange, StateDigest, StorageEngine, WriteBatch,
};

use crate::Random;
use crate::must::must;

/// A row's place.
pub(super) type RowKey = (Space, Vec<u8>);

/// What an engine should hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    pub(super) rows: BTreeMap<RowKey, Vec<u8>>,
    pub(super) applied: Applied,
}

impl Model {
    pub(super) fn apply(&mut self, batch: &WriteBatch<'_>) {
        for change in &batch.changes {
            let key = (change.space, change.key.to_vec());
            match &change.value {
                Some(value) => self.rows.insert(key, value.to_vec()),
                None => self.rows.remove(&key),
            };
        }
        self.applied = batch.applied.clone();
    }

    /// Rows that belong into snapshots and digests.
    pub(super) fn shared(&self) -> BTreeMap<RowKey, Vec<u8>> {
        let mut rows = self.rows.clone();
        rows.retain(|(space, _), _| *space != Space::Local);
        rows
    }

    pub(super) fn digest(&self) -> StateDigest {
        let mut digest = StateDigest::default();
        for ((space, key), value) in self.shared() {
            digest.add(RowDigest::of(space, &key, &value));
        }
        digest
    }

    /// Compares everything that an engine tells.
    #[track_caller]
    pub(super) fn assert_same(&self, engine: &dyn StorageEngine) {
        assert_eq!(engine.applied(), &self.applied, "applied position");
        for space in Space::ALL {
            let wanted: Vec<_> = self.rows.iter().filter(|((s, _), _)| *s == space).collect();
            let len = must(engine.len(space), "len");
            assert_eq!(len, wanted.len() as u64, "rows in {space:?}");
            for ((_, key), value) in wanted {
                let found = must(engine.get(space, key), "get");
                assert_eq!(
                    found.as_deref(),
                    Some(value.as_slice()),
                    "{space:?} {key:?}"
                );
            }
        }
        assert_eq!(must(engine.digest(), "digest"), self.digest(), "digest");
    }
}

/// Random batches over keys that meet often enough to overwrite, delete and come back.
#[derive(Debug)]
pub(super) struct Workload {
    pub(super) random: Random,
    keys: Vec<Vec<u8>>,
    lsn: u64,
}

impl Workload {
    pub(super) fn new(seed: u64, keys: usize) -> Self {
        let mut random = Random::new(seed);
        let keys = (0..keys).map(|_| random_key(&mut random)).collect();
        Self {
            random,
            keys,
            lsn: 0,
        }
    }

    pub(super) fn key(&mut self) -> Vec<u8> {
        let at = self.random.below(self.keys.len());
        self.keys.get(at).cloned().unwrap_or_default()
    }

    pub(super) fn batch(&mut self, len_max: usize) -> WriteBatch<'static> {
        let len = 1 + self.random.below(len_max);
        self.lsn += len as u64;
        let frontier = Bytes::from(self.random.bytes(4));
        let lsn = Lsn(self.lsn);
        let mut batch = WriteBatch::new(Applied { lsn, frontier });
        for _ in 0..len {
            let space = match self.random.below(10) {
                0 => Space::Replicated,
                1 => Space::Local,
                _ => Space::Data,
            };
            let key = Cow::Owned(self.key());
            let value =
                (!self.random.chance(25)).then(|| Cow::Owned(random_value(&mut self.random)));
            batch.changes.push(StateChange { space, key, value });
        }
        batch
    }
}

/// Lengths around what an engine may keep inline; few distinct bytes, so that keys share prefixes
/// and hold zeros.
fn random_key(random: &mut Random) -> Vec<u8> {
    let len = if random.chance(90) {
        random.below(40)
    } else {
        random.below(500)
    };
    let mut key = random.bytes(len);
    for byte in &mut key {
        *byte %= 3;
    }
    key
}

fn random_value(random: &mut Random) -> Vec<u8> {
    let len = match random.below(20) {
        0 => 0,
        1 => random.below(20_000),
        _ => random.below(200),
    };
    random.bytes(len)
}

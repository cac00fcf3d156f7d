//! The lost-update ledger (A1, A2, SL4, SL10): every acknowledged write is in the final state or was
//! replaced; nothing is there that no client wrote or that was refused; counters add up.

use std::collections::{BTreeMap, VecDeque};

use repertoire_checker::{Evidence, History, Ledger, OpId, OpKind, Operation, SessionId, WriteId};
use repertoire_core::StorageEngine;

use crate::client::{Ask, Ending, Level, Op};
use crate::invariants::Findings;
use crate::invariants::state_machine::Canon;
use crate::watch::{Content, KeyId, KeyKind, Stamp};

const LEVEL: &str = "acknowledged";

const fn write_id(stamp: Stamp) -> WriteId {
    WriteId(stamp.0)
}

/// One keyspace's operations in the words of the checkers.
#[derive(Debug)]
pub(crate) struct Account {
    /// Those on keys that never expire.
    history: History,
    /// Keys with a delete whose place nobody knows: no checker can tell what a read of "absent" saw.
    unnamed: Vec<KeyId>,
    deletes: Deletes,
}

impl Account {
    pub(crate) fn new(group: usize, ops: &[Op], canon: &Canon) -> Self {
        let deletes = Deletes::new(group, ops, canon);
        let mut account = Self {
            history: History::new(),
            unnamed: Vec::new(),
            deletes: Deletes::default(),
        };
        for (number, op) in ops.iter().enumerate().filter(|(_, op)| op.group == group) {
            account.add(number, op, canon, &deletes);
        }
        account.deletes = deletes;
        account
    }

    fn add(&mut self, number: usize, op: &Op, canon: &Canon, deletes: &Deletes) {
        let mut push = |part: u64, key: KeyId, kind: OpKind| {
            // A key that expired lost its last write on purpose.
            if key.kind == KeyKind::Expiring {
                return;
            }
            let id = OpId(((number as u64) << 1) | part);
            // A contradiction in the clients' own records would be a fault of the harness.
            let pushed = self.history.push(recorded(id, op, key, kind));
            debug_assert!(pushed.is_ok(), "{pushed:?}");
        };
        let write = |stamp| OpKind::Write {
            id: write_id(stamp),
        };
        match op.ask {
            Ask::Put { key, stamp } => push(0, key, write(stamp)),
            Ask::Delete { key, stamp } => {
                push(
                    0,
                    key,
                    OpKind::Delete {
                        id: write_id(stamp),
                    },
                );
                if op.ending == Ending::Unknown {
                    self.unnamed.push(key);
                }
            }
            Ask::Batch { keys, stamps } => {
                push(0, keys[0], write(stamps[0]));
                push(1, keys[1], write(stamps[1]));
            }
            Ask::Swap { key, stamp, .. } => push(0, key, write(stamp)),
            Ask::Add { key, stamp } => {
                let kind = OpKind::Increment {
                    id: write_id(stamp),
                    by: 1,
                    observed: None,
                };
                push(0, key, kind);
            }
            Ask::Get {
                key,
                level: Level::Leader,
            } if key.kind == KeyKind::Register && op.ending == Ending::Done => {
                let observed = match op.seen {
                    Content::Written(stamp) => Some(write_id(stamp)),
                    _ => deletes.name(key, canon.at(key, op.position.lsn.0).map(|v| v.lsn)),
                };
                push(0, key, OpKind::Read { observed });
            }
            Ask::Get { .. } | Ask::Digest => {}
        }
    }

    /// The part for the register checker: keys whose every write has a name.
    pub(crate) fn registers(&self) -> History {
        let unnamed: Vec<[u8; 3]> = self.unnamed.iter().map(|key| key.bytes()).collect();
        self.history.filtered(|op| {
            op.key.first() == Some(&(KeyKind::Register as u8))
                && !unnamed.iter().any(|key| key[..] == op.key[..])
        })
    }

    /// Audits the final state.
    pub(crate) fn audit(
        &self,
        group: usize,
        canon: &Canon,
        engine: &dyn StorageEngine,
        findings: &mut Findings,
    ) {
        let deletes = &self.deletes;
        if let Some((key, lsn)) = deletes.nobodys.first() {
            findings.add("A2.phantom", || {
                format!("keyspace {group}: {key:?} vanished at {lsn}, and nobody deleted it")
            });
        }
        let mut evidence = Evidence::new();
        for key in canon.keys().filter(|key| key.kind != KeyKind::Expiring) {
            let cell = engine.get(repertoire_core::Space::Data, &key.bytes());
            let (content, _) = cell.map_or((Content::Foreign(1), false), |cell| {
                Content::of_cell(key, cell.as_deref())
            });
            match content {
                Content::Written(stamp) => evidence.visible(key.bytes(), [write_id(stamp)]),
                Content::Number(value) => evidence.counter(key.bytes(), value),
                Content::Absent if key.kind == KeyKind::Counter => evidence.counter(key.bytes(), 0),
                Content::Absent => evidence.visible(key.bytes(), []),
                Content::Foreign(hash) => {
                    findings.add("A2.phantom", || {
                        format!("keyspace {group}: {key:?} ends with bytes ({hash:x}) of nobody")
                    });
                    continue;
                }
            };
            let applied = canon
                .versions(key)
                .iter()
                .enumerate()
                .filter_map(|(at, version)| match version.content {
                    Content::Written(stamp) => Some(write_id(stamp)),
                    Content::Absent => deletes.by_version(key, at),
                    Content::Number(_) | Content::Foreign(_) => None,
                });
            let applied: Vec<WriteId> = applied.collect();
            evidence.applied(key.bytes(), applied);
        }
        let ledger = Ledger::new(&self.history).lossless(LEVEL);
        findings.absorb(ledger.audit(&evidence));
    }
}

/// Which delete made which "absent": by the positions that acknowledgements named.
#[derive(Debug, Default)]
struct Deletes {
    /// Key and index of the version, to the delete.
    named: BTreeMap<(KeyId, usize), WriteId>,
    by_lsn: BTreeMap<(KeyId, u64), WriteId>,
    /// A place where a key vanished although no client had it deleted.
    nobodys: Vec<(KeyId, u64)>,
}

type ByKey<T> = BTreeMap<KeyId, VecDeque<T>>;

impl Deletes {
    fn new(group: usize, ops: &[Op], canon: &Canon) -> Self {
        let (mut acknowledged, mut unknown): (ByKey<(u64, Stamp)>, ByKey<Stamp>) =
            (BTreeMap::new(), BTreeMap::new());
        for op in ops.iter().filter(|op| op.group == group) {
            match (op.ask, op.ending) {
                (Ask::Delete { key, stamp }, Ending::Done) => {
                    let list = acknowledged.entry(key).or_default();
                    list.push_back((op.position.lsn.0, stamp));
                }
                (Ask::Delete { key, stamp }, Ending::Unknown) => {
                    unknown.entry(key).or_default().push_back(stamp);
                }
                _ => {}
            }
        }
        let (mut named, mut by_lsn, mut nobodys) = (BTreeMap::new(), BTreeMap::new(), Vec::new());
        for key in canon.keys().filter(|key| key.kind == KeyKind::Register) {
            let mut queue = acknowledged.remove(&key).unwrap_or_default();
            queue.make_contiguous().sort_unstable();
            let mut maybes = unknown.remove(&key).unwrap_or_default();
            for (at, version) in canon.versions(key).iter().enumerate() {
                // Versions carry the last position of their entry; acknowledgements name the record.
                let start = canon.before_entry(version.lsn);
                let fits = |delete: &mut (u64, Stamp)| delete.0 <= version.lsn && delete.0 > start;
                if version.content != Content::Absent {
                    continue;
                }
                if let Some((_, stamp)) = queue.pop_front_if(fits) {
                    by_lsn.insert((key, version.lsn), write_id(stamp));
                    named.insert((key, at), write_id(stamp));
                } else if let Some(stamp) = maybes.pop_front() {
                    // Which of the unanswered deletes it was makes no difference to the ledger.
                    named.insert((key, at), write_id(stamp));
                } else {
                    nobodys.push((key, version.lsn));
                }
            }
        }
        let mut deletes = Self {
            named,
            by_lsn,
            nobodys,
        };
        deletes.nobodys.truncate(1);
        deletes
    }

    fn by_version(&self, key: KeyId, at: usize) -> Option<WriteId> {
        self.named.get(&(key, at)).copied()
    }

    /// The delete that a read of "absent" saw, whose version has that position.
    fn name(&self, key: KeyId, lsn: Option<u64>) -> Option<WriteId> {
        self.by_lsn.get(&(key, lsn?)).copied()
    }
}

/// One operation as its client recorded it.
fn recorded(id: OpId, op: &Op, key: KeyId, kind: OpKind) -> Operation {
    let session = SessionId(op.client as u64);
    let operation = Operation::new(id, session, key.bytes(), kind, op.invoked);
    match op.ending {
        Ending::Done if op.ask.is_write() => operation.ok(op.returned).acked_at(LEVEL),
        Ending::Done => operation.ok(op.returned),
        Ending::Refused => operation.refused(op.returned),
        Ending::Open | Ending::Unknown => operation,
    }
}

//! Inventing operations.

use bytes::Bytes;
use repertoire_core::{Acks, EntryId, Operation, RequestId};

use super::{Ask, Client, Ending, Increment, Level, Op};
use crate::clock::{MILLI, Nanos};
use crate::plan::draw_acks;
use crate::rng::Rng;
use crate::watch::{KeyId, KeyKind, Stamp};

/// What all clients of a run share.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workload {
    /// Keys of each kind.
    pub(crate) keys: u16,
    /// Replicas that count for acknowledgements.
    pub(crate) voters: usize,
    /// Whether their number changes: then writes ask for what any group of them can give.
    pub(crate) churns: bool,
    /// Those of them that writes may count on.
    pub(crate) up: usize,
    /// Copies that every write asks for: with fewer, a failover may lose it.
    pub(crate) copies_min: usize,
    /// The wall time of the client's node, for expiries.
    pub(crate) wall_ms: u64,
    /// Whether expiring puts are part of the run.
    pub(crate) expiring: bool,
}

impl Workload {
    /// The next operation of a client.
    pub(crate) fn invent(
        self,
        number: usize,
        client: &mut Client,
        last_swap: &[Option<Stamp>],
        now: Nanos,
    ) -> Op {
        let is_read = client.rng.below(1000) < client.plan.reads;
        let mut id = RequestId::default();
        let ask = if is_read {
            self.read(&mut client.rng)
        } else {
            id = client.next_id();
            // The stamp's session tells sessions of one client apart, which renewed it.
            let session = (id.client.0 as u64) ^ ((number as u64 + 1) << 48);
            let stamp = |part| Stamp::new(session, id.seq, part);
            self.write(&mut client.rng, last_swap, stamp)
        };
        let rng = &mut client.rng;
        let acks = (!is_read && rng.one_in(3)).then(|| {
            let drawn = draw_acks(self.voters, self.up, rng);
            let is_kept = drawn.copies(self.voters) >= self.copies_min;
            if is_kept && !self.churns {
                drawn
            } else {
                Acks::Majority
            }
        });
        Op {
            client: number,
            group: client.plan.group,
            ask,
            id,
            body: self.encode(&ask, rng),
            acks,
            invoked: now,
            returned: 0,
            ending: Ending::Open,
            attempts: 0,
            may_be_applied: false,
            token: client.token,
            position: EntryId::ZERO,
            seen: crate::watch::Content::Absent,
            copies: 0,
        }
    }

    fn key(self, kind: KeyKind, rng: &mut Rng) -> KeyId {
        let number = rng.below(u64::from(self.keys)) as u16;
        KeyId { kind, number }
    }

    fn read(self, rng: &mut Rng) -> Ask {
        if rng.one_in(60) {
            return Ask::Digest;
        }
        let kinds = if self.expiring { 4 } else { 3 };
        let kind = KeyKind::ALL[rng.index(kinds)];
        let level = match rng.below(5) {
            0 => Level::Local,
            1 => Level::Session,
            2 => Level::Bounded(MILLI << rng.below(12)),
            _ => Level::Leader,
        };
        let key = self.key(kind, rng);
        Ask::Get { key, level }
    }

    fn write(self, rng: &mut Rng, last_swap: &[Option<Stamp>], stamp: impl Fn(u8) -> Stamp) -> Ask {
        match rng.below(100) {
            0..45 => Ask::Put {
                key: self.key(KeyKind::Register, rng),
                stamp: stamp(0),
            },
            45..53 => Ask::Delete {
                key: self.key(KeyKind::Register, rng),
                stamp: stamp(0),
            },
            53..62 => {
                let mut keys = [
                    self.key(KeyKind::Register, rng),
                    self.key(KeyKind::Register, rng),
                ];
                if keys[0] == keys[1] {
                    keys[1].number = (keys[1].number + 1) % self.keys.max(2);
                }
                let stamps = [stamp(0), stamp(1)];
                Ask::Batch { keys, stamps }
            }
            62..76 => {
                let key = self.key(KeyKind::Swapped, rng);
                // Mostly what the client believes the key to hold, so that most swaps succeed.
                let expected = last_swap.get(usize::from(key.number)).copied().flatten();
                let expected = if rng.one_in(12) { None } else { expected };
                let stamp = stamp(0);
                Ask::Swap {
                    key,
                    expected,
                    stamp,
                }
            }
            76..95 => Ask::Add {
                key: self.key(KeyKind::Counter, rng),
                stamp: stamp(0),
            },
            _ if self.expiring => Ask::Put {
                key: self.key(KeyKind::Expiring, rng),
                stamp: stamp(0),
            },
            _ => Ask::Put {
                key: self.key(KeyKind::Register, rng),
                stamp: stamp(0),
            },
        }
    }

    /// The body of a write; empty for a read.
    fn encode(self, ask: &Ask, rng: &mut Rng) -> Bytes {
        let padding = if rng.one_in(20) { 1500 } else { rng.index(120) };
        match ask {
            Ask::Put { key, stamp } => {
                let expires_at =
                    (key.kind == KeyKind::Expiring).then(|| self.wall_ms + rng.between(1, 200));
                Operation::Put {
                    key: &key.bytes(),
                    value: &stamp.value(padding),
                    expires_at,
                }
                .encode()
            }
            Ask::Delete { key, .. } => Operation::Delete { key: &key.bytes() }.encode(),
            Ask::Batch { keys, stamps } => {
                let keys = keys.map(KeyId::bytes);
                let values = stamps.map(|stamp| stamp.value(padding));
                let put = |at: usize| Operation::Put {
                    key: &keys[at],
                    value: &values[at],
                    expires_at: None,
                };
                Operation::Batch(vec![put(0), put(1)]).encode()
            }
            Ask::Swap {
                key,
                expected,
                stamp,
            } => {
                // The padding of the expected value must be known, so swapped values have none.
                let expected = expected.map(|stamp| stamp.value(0));
                Operation::CompareAndSet {
                    key: &key.bytes(),
                    expected: expected.as_deref(),
                    new: Some(&stamp.value(0)),
                }
                .encode()
            }
            Ask::Add { key, .. } => Operation::Call {
                function: Increment::NAME,
                args: &key.bytes(),
            }
            .encode(),
            Ask::Get { .. } | Ask::Digest => Bytes::new(),
        }
    }
}

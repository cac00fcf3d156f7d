//! Histories that failovers cut back, and the ids that were given in them.

use std::collections::BTreeSet;
use std::num::NonZeroU32;

use crate::{EntryId, ErrorKind, LeaderEpoch, Lsn, Operation, Reservation, SequenceId};

/// A counter with an asynchronous history: each entry of it may be discarded by the next leader.
struct Group {
    epoch: u64,
    /// The counter after each entry, with the epoch of the entry.
    log: Vec<(u64, Vec<u8>)>,
}

impl Group {
    fn found(&self) -> Option<&[u8]> {
        self.log.last().map(|(_, value)| value.as_slice())
    }

    /// Carries out a compare-and-set, or refuses it.
    fn execute(&mut self, operation: &Operation<'_>) -> Option<EntryId> {
        let Operation::CompareAndSet { expected, new, .. } = operation else {
            panic!("a reservation is a compare-and-set");
        };
        if *expected != self.found() {
            return None;
        }
        self.log.push((self.epoch, new.unwrap().to_vec()));
        let lsn = Lsn(self.log.len() as u64);
        Some(EntryId::new(LeaderEpoch(self.epoch), lsn))
    }

    /// Another leader, who lacks the last `lost` entries.
    fn fail_over(&mut self, lost: usize) {
        self.epoch += 1;
        self.log.truncate(self.log.len().saturating_sub(lost));
    }
}

/// What clients were given over many failovers.
fn given(seed: u64) -> Vec<SequenceId> {
    let mut state = seed;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % below
    };
    let mut group = Group {
        epoch: 1,
        log: Vec::new(),
    };
    let mut stale: Option<Vec<u8>> = None;
    let mut ids = Vec::new();
    for _ in 0..200 {
        if draw(5) == 0 {
            group.fail_over(usize::try_from(draw(4)).unwrap());
        }
        // Some clients found the counter long ago.
        let found = match draw(4) {
            0 => stale.clone(),
            _ => group.found().map(<[u8]>::to_vec),
        };
        if draw(3) == 0 {
            stale.clone_from(&found);
        }
        let count = NonZeroU32::new(u32::try_from(1 + draw(3)).unwrap()).unwrap();
        let wanted = Reservation::after(found.as_deref(), count).unwrap();
        if let Some(at) = group.execute(&wanted.operation(b"ids")) {
            ids.extend(wanted.granted(at));
        }
    }
    ids
}

#[test]
fn no_id_is_given_twice_whatever_failovers_discard() {
    let mut numbers_given_twice = 0;
    for seed in 0..500 {
        let ids = given(seed);
        assert!(ids.len() > 100, "seed {seed} gives {}", ids.len());
        let distinct: BTreeSet<&SequenceId> = ids.iter().collect();
        assert_eq!(distinct.len(), ids.len(), "seed {seed}");
        let packed: BTreeSet<u64> = ids.iter().map(|id| id.to_u64().unwrap()).collect();
        assert_eq!(packed.len(), ids.len(), "seed {seed}");
        let numbers: BTreeSet<u64> = ids.iter().map(|id| id.number).collect();
        numbers_given_twice += ids.len() - numbers.len();
    }
    assert!(numbers_given_twice > 1000, "failovers take numbers back");
}

#[test]
fn ids_are_packed_in_order_or_not_at_all() {
    let id = |epoch, number| SequenceId {
        epoch: LeaderEpoch(epoch),
        number,
    };
    let rising = [
        id(1, 1),
        id(1, (1 << 40) - 1),
        id(2, 0),
        id((1 << 23) - 1, 7),
    ];
    let packed = rising.map(|id| id.to_u64().unwrap());
    assert!(packed.is_sorted() && packed.iter().all(|id| i64::try_from(*id).is_ok()));
    assert_eq!(packed.map(SequenceId::from_u64), rising);
    assert_eq!(id(1 << 23, 0).to_u64(), None);
    assert_eq!(id(0, 1 << 40).to_u64(), None);
    assert_eq!(id(3, 14).to_string(), "14@3");
}

#[test]
fn a_key_that_is_no_counter_and_the_end_of_the_numbers_are_refused() {
    let one = NonZeroU32::MIN;
    let refused = |found: &[u8]| Reservation::after(Some(found), one).unwrap_err();
    for text in [&b""[..], b"-1", b"ten", b"\xff", b"18446744073709551616"] {
        let error = refused(text);
        assert_eq!(error.kind(), &ErrorKind::Malformed, "{error}");
    }
    let error = refused(u64::MAX.to_string().as_bytes());
    assert_eq!(error.kind(), &ErrorKind::Unsupported, "{error}");
}

use bytes::{BufMut, BytesMut};
use proptest::prelude::*;

use super::*;
use crate::op::put_blob;

/// An entry whose records are the writes `seq..seq + count` of one client.
fn entry(epoch: u64, first: u64, client: u128, seq: u64, count: u32) -> Entry {
    let mut body = BytesMut::new();
    body.put_u128_le(client);
    body.put_u64_le(seq);
    body.put_u64_le(0);
    body.put_u32_le(count);
    for _ in 0..count {
        body.put_u32_le(7);
        put_blob(&mut body, b"");
        put_blob(&mut body, b"payload");
    }
    Entry {
        epoch: LeaderEpoch(epoch),
        first: Lsn(first),
        count,
        body: body.freeze(),
        ..Entry::default()
    }
}

fn id(epoch: u64, lsn: u64) -> EntryId {
    EntryId::new(LeaderEpoch(epoch), Lsn(lsn))
}

fn listed(journal: &Journal) -> Vec<EntryId> {
    journal.open().map(|write| write.position).collect()
}

/// The stream as a log would hold it after `ops`.
fn carry_out(stream: &mut Vec<Entry>, last: &mut Lsn, fx: &mut Effects<()>) {
    for op in fx.log.drain(..) {
        match op {
            LogOp::Append { stream: id, entry } => {
                assert_eq!((id, entry.first), (DISCARDS, last.next()));
                *last = entry.last_lsn();
                stream.push(entry);
            }
            LogOp::Reset { stream: id, base } => {
                assert_eq!(id, DISCARDS);
                *last = base.lsn;
                stream.clear();
            }
            other => panic!("{other:?} has nothing to do with it"),
        }
    }
}

#[test]
fn a_write_is_listed_with_all_that_a_decision_needs() {
    let (mut journal, mut fx) = (Journal::default(), Effects::<()>::default());
    journal.discard(&entry(3, 10, 5, 1, 2), true, &mut fx);
    let first = journal.open().next().unwrap();
    assert_eq!(first.position, id(3, 10));
    assert_eq!((first.id.client, first.id.seq), (ClientId(5), 1));
    assert_eq!(first.payload.as_ref(), b"payload");
    assert!(first.is_likely_acknowledged());
    assert_eq!(listed(&journal), [id(3, 10), id(3, 11)]);
}

#[test]
fn what_is_discarded_twice_is_listed_once() {
    let (mut journal, mut fx) = (Journal::default(), Effects::<()>::default());
    let lost = entry(3, 10, 5, 1, 2);
    journal.discard(&lost, false, &mut fx);
    let written = fx.log.len();
    journal.discard(&lost, false, &mut fx);
    assert_eq!((journal.len(), fx.log.len()), (2, written));
}

#[test]
fn a_request_that_comes_again_is_not_discarded() {
    let (mut journal, mut fx) = (Journal::default(), Effects::<()>::default());
    journal.discard(&entry(3, 10, 5, 1, 2), false, &mut fx);
    journal.applied(&entry(4, 10, 5, 2, 1), &mut fx);
    assert_eq!(listed(&journal), [id(3, 10)]);
    journal.applied(&entry(4, 11, 6, 1, 1), &mut fx);
    assert_eq!(
        journal.len(),
        1,
        "another client's first write is another one"
    );
}

#[test]
fn beyond_the_bound_place_and_number_are_kept() {
    let (mut journal, mut fx) = (Journal::default(), Effects::<()>::default());
    journal.bytes = DISCARDS_BYTES_MAX;
    journal.discard(&entry(3, 10, 5, 1, 2), false, &mut fx);
    assert_eq!(journal.unlisted().collect::<Vec<_>>(), [(id(3, 10), 2)]);
    assert!(journal.open().next().is_none() && !journal.is_empty());
    assert_eq!(
        journal.settle(&[id(3, 10)], Settlement::Acknowledged, &mut fx),
        1
    );
    assert!(journal.is_empty());
}

#[test]
fn a_settled_journal_leaves_nothing_on_disk() {
    let (mut journal, mut fx) = (Journal::default(), Effects::<()>::default());
    let (mut stream, mut last) = (Vec::new(), Lsn::ZERO);
    journal.discard(&entry(3, 10, 5, 1, 2), false, &mut fx);
    journal.settle(&[id(3, 10)], Settlement::Acknowledged, &mut fx);
    carry_out(&mut stream, &mut last, &mut fx);
    assert!(!stream.is_empty());
    journal.settle(&[id(3, 11), id(9, 9)], Settlement::Replayed, &mut fx);
    carry_out(&mut stream, &mut last, &mut fx);
    assert!(stream.is_empty());
    journal.discard(&entry(4, 20, 5, 3, 1), false, &mut fx);
    carry_out(&mut stream, &mut last, &mut fx);
    assert_eq!(listed(&Journal::recover(last, &stream)), [id(4, 20)]);
}

proptest! {
    #[test]
    fn a_restart_forgets_nothing(
        steps in prop::collection::vec((0_u8..5, 0_u64..40, 1_u32..4), 1..40),
    ) {
        let (mut journal, mut fx) = (Journal::default(), Effects::<()>::default());
        let (mut stream, mut last) = (Vec::new(), Lsn::ZERO);
        let mut next = 1;
        for (kind, pick, count) in steps {
            match kind {
                0 | 1 => {
                    journal.discard(&entry(1, next, 5, next, count), false, &mut fx);
                    next += u64::from(count);
                }
                2 => drop(journal.settle(&[id(1, pick)], Settlement::Acknowledged, &mut fx)),
                3 => journal.applied(&entry(2, pick + 1, 5, pick, count), &mut fx),
                _ => journal.rewrite(&mut fx),
            }
            carry_out(&mut stream, &mut last, &mut fx);
            let again = Journal::recover(last, &stream);
            prop_assert_eq!(listed(&again), listed(&journal));
            prop_assert_eq!(again.bytes, journal.bytes);
            prop_assert_eq!(again.last, journal.last);
        }
    }
}

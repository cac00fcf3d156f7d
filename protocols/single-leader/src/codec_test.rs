use proptest::prelude::*;
use repertoire_core::{Acks, Encoded, EntryKind, FormatTag, Wall};

use super::*;
use crate::message::{Stage, Standing};

fn entry(epoch: u64, first: u64, count: u32, body: &[u8]) -> Entry {
    Entry {
        epoch: LeaderEpoch(epoch),
        first: Lsn(first),
        count,
        wall: Wall(7),
        kind: EntryKind::Records,
        format: FormatTag(1),
        acks: Acks::Majority,
        body: Bytes::copy_from_slice(body),
    }
}

fn append(entries: Vec<Entry>) -> Message {
    Message::Append(Append {
        epoch: LeaderEpoch(2),
        round: 5,
        prev: EntryId::new(LeaderEpoch(1), Lsn(3)),
        commit: Lsn(2),
        heard: None,
        entries,
    })
}

const STANDING: Standing = Standing {
    epoch: LeaderEpoch(2),
    boot: 9,
    round: 5,
};

fn ack(window: Option<u32>) -> Message {
    Message::Ack(Ack {
        standing: STANDING,
        durable: Lsn(3),
        received: Lsn(4),
        applied: Lsn(2),
        window,
    })
}

fn hex(bytes: &[u8]) -> String {
    let digits: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.concat()
}

/// The bytes of this version, for ever: a change here is a change of the protocol.
#[test]
fn the_bytes_of_each_message_stay_as_they_are() {
    let entry_head = "02000000000000000400000000000000010000000700000000000000000103000200\
                      0000";
    let reject = Message::Reject(Reject {
        standing: STANDING,
        hint: EntryId::new(LeaderEpoch(1), Lsn(3)),
        needs_snapshot: true,
    });
    let fenced = Message::Fenced(Fenced {
        seen: LeaderEpoch(3),
        own: LeaderEpoch(2),
    });
    let request = Message::VoteRequest(VoteRequest {
        voter: None,
        epoch: LeaderEpoch(3),
        last: EntryId::new(LeaderEpoch(1), Lsn(3)),
        stage: Stage::Vote,
    });
    let vote = Vote {
        epoch: LeaderEpoch(3),
        stage: Stage::PreVote,
        is_granted: true,
        seen: LeaderEpoch(2),
    };
    let (vote, blank) = (Message::Vote(vote), Message::BlankVote(vote));
    let wish = Message::TakeOver(TakeOver {
        epoch: LeaderEpoch(2),
        upto: Lsn(3),
    });
    let question = Message::RecoveryRequest(RecoveryRequest { boot: 9 });
    let answer = Message::RecoveryAnswer(RecoveryAnswer {
        boot: 9,
        epoch: LeaderEpoch(3),
        is_whole: true,
        is_empty: false,
        leads_upto: Some(Lsn(4)),
    });
    for (message, head, body) in [
        (append(Vec::new()), "00020501030200".to_owned(), ""),
        (
            append(vec![entry(2, 4, 1, b"hi")]),
            format!("0102050103020024{entry_head}"),
            "6869",
        ),
        (ack(None), "0202090503040200".to_owned(), ""),
        (ack(Some(0)), "020209050304020100".to_owned(), ""),
        (reject, "03020905010301".to_owned(), ""),
        (fenced, "040302".to_owned(), ""),
        (request, "0503010301".to_owned(), ""),
        (vote, "0603000102".to_owned(), ""),
        (wish, "070203".to_owned(), ""),
        (blank, "0a03000102".to_owned(), ""),
        (question, "0809".to_owned(), ""),
        (answer, "09090301000104".to_owned(), ""),
    ] {
        let encoded = message.encode();
        assert_eq!(
            (hex(&encoded.head), hex(&encoded.body)),
            (head, body.to_owned())
        );
    }
}

#[test]
fn the_bytes_of_heartbeats_with_more_to_say_stay_as_they_are() {
    let quiesce = Message::Quiesce(Quiesce {
        epoch: LeaderEpoch(2),
        round: 5,
        last: EntryId::new(LeaderEpoch(1), Lsn(3)),
        pause_ms: 5000,
    });
    let beat = Message::Append(Append {
        epoch: LeaderEpoch(2),
        round: 5,
        prev: EntryId::new(LeaderEpoch(1), Lsn(3)),
        commit: Lsn(2),
        heard: Some(Heard { boot: 9, round: 12 }),
        entries: Vec::new(),
    });
    for (message, head) in [(quiesce, "0b020501038827"), (beat, "0c020501030200090c")] {
        let encoded = message.encode();
        assert_eq!((&*hex(&encoded.head), encoded.body.len()), (head, 0));
    }
}

#[test]
fn the_body_of_a_single_entry_is_not_copied() {
    let single = entry(2, 4, 1, b"a body");
    let place = single.body.as_ptr();
    let encoded = append(vec![single]).encode();
    assert_eq!(encoded.body.as_ptr(), place);
    let Ok(Message::Append(decoded)) = Message::decode(encoded) else {
        panic!("it decodes");
    };
    assert_eq!(decoded.entries[0].body.as_ptr(), place);
}

#[test]
fn entries_that_do_not_follow_each_other_are_refused() {
    for entries in [
        vec![entry(2, 5, 1, b"a hole")],
        vec![entry(3, 4, 1, b"newer than its sender")],
        vec![entry(0, 4, 1, b"older than what it follows")],
        vec![
            entry(2, u64::MAX, 1, b"the last number"),
            entry(2, 1, 1, b"wraps"),
        ],
        vec![entry(2, 4, 2, b"fine"), entry(2, 5, 1, b"overlaps")],
        vec![entry(2, 4, 1, b"fine"), entry(1, 5, 1, b"goes back")],
    ] {
        assert!(Message::decode(append(entries).encode()).is_err());
    }
}

#[test]
fn nothing_follows_the_last_number_there_is() {
    let message = Message::Append(Append {
        epoch: LeaderEpoch(2),
        round: 5,
        prev: EntryId::new(LeaderEpoch(1), Lsn(u64::MAX)),
        commit: Lsn(2),
        heard: None,
        entries: vec![entry(2, 1, 1, b"wraps")],
    });
    assert!(Message::decode(message.encode()).is_err());
}

#[test]
fn a_count_that_the_body_cannot_hold_is_refused_without_allocating() {
    let encoded = append(vec![entry(2, 4, 1, b"a"), entry(2, 5, 1, b"b")]).encode();
    for packed in [3, 4096, u16::MAX] {
        let Head::Append(head) = postcard::from_bytes(&encoded.head).unwrap() else {
            panic!("two entries are packed");
        };
        let head = Head::Append(AppendHead { packed, ..head });
        assert!(Message::from_parts(head, encoded.body.clone()).is_err());
    }
}

proptest! {
    #[test]
    fn messages_survive_the_wire(
        bodies in prop::collection::vec((1_u32..4, prop::collection::vec(any::<u8>(), 0..40)), 0..6),
    ) {
        let mut next = 4;
        let entries = bodies.iter().map(|(count, body)| {
            let made = entry(2, next, *count, body);
            next += u64::from(*count);
            made
        });
        let message = append(entries.collect());
        prop_assert_eq!(Message::decode(message.clone().encode()), Ok(message));
    }

    /// Whatever a peer sends, decoding ends in a message or an error.
    #[test]
    fn garbage_is_refused_and_never_panics(
        head in prop::collection::vec(any::<u8>(), 0..60),
        body in prop::collection::vec(any::<u8>(), 0..120),
    ) {
        let _ = Message::decode(Encoded {
            class: Class::Replication,
            head: head.into(),
            body: body.into(),
        });
    }
}

#[test]
fn the_bytes_of_messages_that_name_a_disk_stay_as_they_are() {
    let named = Message::VoteRequest(VoteRequest {
        voter: Some(Incarnation(7)),
        epoch: LeaderEpoch(3),
        last: EntryId::new(LeaderEpoch(1), Lsn(3)),
        stage: Stage::Vote,
    });
    let welcome = Message::Welcome(Welcome {
        epoch: LeaderEpoch(3),
        incarnation: Incarnation(7),
    });
    for (message, head) in [(named, "0e0301030107"), (welcome, "0d0307")] {
        let encoded = message.clone().encode();
        assert_eq!(hex(&encoded.head), head);
        assert_eq!(Message::decode(encoded), Ok(message));
    }
}

#[test]
fn members_that_cannot_be_read_are_refused() {
    let mut config = entry(2, 4, 1, b"?");
    config.kind = EntryKind::Config;
    let encoded = append(vec![config]).encode();
    assert!(Message::decode(encoded).is_err());
}

use std::time::Duration;

use proptest::prelude::*;
use repertoire_core::LeaderEpoch;

use super::*;

const PAUSE: Duration = Duration::from_millis(25);

fn standing(boot: u64, round: u64) -> Standing {
    Standing {
        epoch: LeaderEpoch(1),
        boot,
        round,
    }
}

fn ack(boot: u64, round: u64, durable: u64, received: u64) -> Ack {
    Ack {
        standing: standing(boot, round),
        durable: Lsn(durable),
        received: Lsn(received),
        applied: Lsn::ZERO,
        window: None,
    }
}

fn progress(next: u64) -> Progress {
    Progress::new(NodeId(2), true, Lsn(next), Mono(0))
}

#[test]
fn an_answer_to_the_probe_opens_the_stream() {
    let mut follower = progress(8);
    follower.acked(&ack(1, 1, 0, 3), Mono(0));
    assert_eq!(
        follower.phase,
        Phase::Probe,
        "an older answer is not the answer"
    );
    follower.acked(&ack(1, 2, 5, 7), Mono(0));
    assert_eq!((follower.phase, follower.next), (Phase::Replicate, Lsn(8)));
    assert_eq!(follower.durable, Lsn(5));
}

#[test]
fn a_new_boot_owes_every_acknowledgement_again() {
    let mut follower = progress(1);
    assert!(follower.admits(standing(7, 3), 3, Lsn(9)));
    follower.acked(&ack(7, 3, 9, 9), Mono(0));
    // The follower restarts; its first answer says so and counts for nothing.
    assert!(!follower.admits(standing(8, 5), 6, Lsn(9)));
    assert_eq!(
        (follower.durable, follower.phase),
        (Lsn::ZERO, Phase::Probe)
    );
    // A late acknowledgement of the earlier boot does not bring its copies back.
    assert!(!follower.admits(standing(7, 6), 6, Lsn(9)));
    assert!(follower.admits(standing(8, 7), 7, Lsn(9)));
}

#[test]
fn one_gap_is_one_rewind_however_many_messages_it_spoils() {
    let mut follower = progress(1);
    follower.acked(&ack(1, 1, 0, 0), Mono(0));
    for last in 1..=20 {
        follower.sent(Lsn(last), 100, Mono(0));
    }
    assert!(follower.heeds(3, Mono(0), PAUSE));
    follower.rewind(Lsn(1), 21, Mono(0));
    for round in 4..=21 {
        assert!(
            !follower.heeds(round, Mono(0), PAUSE),
            "round {round} was sent before"
        );
    }
    follower.phase = Phase::Replicate;
    assert!(
        !follower.heeds(22, Mono(1), PAUSE),
        "at most one rewind per pause"
    );
    assert!(follower.heeds(22, Mono(30_000_000), PAUSE));
}

#[test]
fn a_full_window_stops_the_stream_and_an_idle_one_never_does() {
    let mut follower = progress(1);
    follower.acked(&ack(1, 1, 0, 0), Mono(0));
    follower.sent(Lsn(1), 900, Mono(0));
    assert_eq!(follower.room(1000), 100);
    follower.sent(Lsn(2), 900, Mono(0));
    assert_eq!(follower.room(1000), 0);
    let shut = Ack {
        window: Some(0),
        ..ack(1, 3, 0, 2)
    };
    follower.acked(&shut, Mono(0));
    assert_eq!(
        follower.room(1000),
        1,
        "one message asks whether it is open again"
    );
}

#[test]
fn silence_counts_only_while_something_is_on_its_way() {
    let mut follower = progress(1);
    follower.acked(&ack(1, 1, 0, 0), Mono(0));
    assert!(!follower.is_stalled(Mono(u64::MAX), PAUSE));
    follower.sent(Lsn(1), 10, Mono(1_000));
    assert!(!follower.is_stalled(Mono(1_000), PAUSE));
    follower.acked(&ack(1, 3, 0, 0), Mono(25_000_000));
    assert!(
        follower.is_stalled(Mono(26_000_000), PAUSE),
        "a heartbeat's answer moves nothing"
    );
}

/// A leader that has just booted hears that its links are up. That must not make it send its whole
/// log, or a snapshot of it, to followers that lack nothing.
#[test]
fn a_link_that_comes_up_does_not_forget_the_question() {
    let mut follower = progress(100);
    follower.is_asked = true;
    follower.ask_again();
    assert_eq!((follower.next, follower.is_asked), (Lsn(100), false));
}

#[derive(Clone, Debug)]
enum Event {
    Ack { durable: u64, received: u64 },
    Send { records: u64 },
    Reject { common: u64 },
    Probe,
    NeedSnapshot { base: u64 },
    SnapshotTaken { position: u64 },
    Restart,
}

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0_u64..50, 0_u64..50).prop_map(|(durable, received)| Event::Ack { durable, received }),
        4 => (1_u64..5).prop_map(|records| Event::Send { records }),
        1 => (0_u64..50).prop_map(|common| Event::Reject { common }),
        1 => Just(Event::Probe),
        1 => (0_u64..50).prop_map(|base| Event::NeedSnapshot { base }),
        1 => (0_u64..50).prop_map(|position| Event::SnapshotTaken { position }),
        1 => Just(Event::Restart),
    ]
}

proptest! {
    /// Whatever arrives in whatever order, `durable ≤ received < next ≤ last + 1` holds, and the
    /// bytes on their way add up.
    #[test]
    fn the_invariants_survive_any_order_of_events(
        events in prop::collection::vec(any_event(), 1..80),
    ) {
        let last = Lsn(50);
        let (mut follower, mut boot, mut round) = (progress(51), 1, 0);
        for event in events {
            round += 1;
            match event {
                Event::Ack { durable, received } => {
                    let ack = ack(boot, round, durable, received);
                    if follower.admits(ack.standing, round, last) {
                        follower.acked(&ack, Mono(round));
                    }
                }
                Event::Send { records } => {
                    let upto = Lsn(follower.next.0 + records - 1);
                    if follower.phase == Phase::Replicate && upto <= last {
                        follower.sent(upto, records * 10, Mono(round));
                    }
                }
                Event::Reject { common } => follower.rewind(Lsn(common), round, Mono(round)),
                Event::Probe => follower.probe(follower.received.next()),
                Event::NeedSnapshot { base } => follower.is_behind_log(Lsn(base)),
                Event::SnapshotTaken { position } => follower.snapshot_taken(Lsn(position), round),
                Event::Restart => boot += 1,
            }
            follower.check(last);
        }
    }
}

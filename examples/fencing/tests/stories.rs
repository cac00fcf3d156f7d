//! Each accident happens where nothing keeps it away, and not where something does.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

use std::collections::BTreeSet;

use fencing::{Defence, Ids, key_reuse, late_worker, split_brain};
use repertoire_core::ErrorKind;
use repertoire_core::sabotage::plant;

#[test]
fn a_number_that_is_given_again_shows_the_data_of_others() {
    let reuse = key_reuse(Ids::Numbers).unwrap();
    let given = [
        ("ann", 1),
        ("ben", 2),
        ("cleo", 3),
        ("dan", 4),
        ("eve", 3),
        ("fay", 4),
    ];
    assert_eq!(reuse.given, given);
    let leaks = [("eve", "cleo's secrets"), ("fay", "dan's secrets")];
    assert_eq!(
        reuse.leaks,
        leaks.map(|(user, secrets)| (user, secrets.to_owned()))
    );
}

#[test]
fn a_number_with_its_epoch_is_given_once() {
    let reuse = key_reuse(Ids::WithEpoch).unwrap();
    let ids: BTreeSet<u64> = reuse.given.iter().map(|(_, id)| *id).collect();
    assert_eq!(ids.len(), 6, "{reuse:?}");
    assert!(!ids.contains(&0) && !ids.contains(&u64::MAX), "{reuse:?}");
    assert_eq!(reuse.leaks, []);
}

#[test]
fn a_worker_of_a_leadership_that_is_over_is_kept_out() {
    let worker = late_worker().unwrap();
    let late = worker.late.unwrap_err();
    assert!(matches!(late.kind(), ErrorKind::Fenced { .. }), "{late}");
    assert_eq!(
        worker.written,
        ["by the first worker", "by the second worker"]
    );
}

#[test]
fn without_fences_two_leaders_sell_one_seat() {
    let brains = split_brain(Defence::Nothing, plant).unwrap();
    assert!(brains.is_sold_twice(), "{brains:#?}");
    let seat = |name: &str| Some(name.to_owned());
    assert_eq!(brains.seat[0], seat("alice"), "the histories diverge");
    assert_eq!(brains.seat[1], seat("bob"), "the histories diverge");
}

#[test]
fn a_leader_that_is_fenced_acknowledges_nothing() {
    let brains = split_brain(Defence::Fence, plant).unwrap();
    assert!(!brains.is_sold_twice(), "{brains:#?}");
    let alice = brains.alice.unwrap();
    assert_eq!(alice, "refused: this node is not the leader");
    assert_eq!(brains.seat, [None, Some("bob"), Some("bob")].map(shown));
}

#[test]
fn a_leader_that_nobody_hears_acknowledges_nothing() {
    let brains = split_brain(Defence::Copies, plant).unwrap();
    assert!(!brains.is_sold_twice(), "{brains:#?}");
    assert_eq!(brains.alice, None, "it waits for a copy");
    assert_eq!(brains.seat, [None, Some("bob"), Some("bob")].map(shown));
}

/// What a read shows.
fn shown(seat: Option<&str>) -> Option<String> {
    Some(seat.unwrap_or("(no value)").to_owned())
}

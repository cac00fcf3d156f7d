//! Prefixes and convergence.

use repertoire_checker::prefix::{self, Observed};
use repertoire_checker::{convergence, invariant};

use super::support::broken;

fn prefix_detail(skipped: usize, items: &[u8]) -> Option<String> {
    let report = prefix::check(
        &[10, 11, 12, 13],
        &[Observed {
            replica: "b",
            skipped,
            items,
        }],
    );
    report
        .violations
        .first()
        .map(|violation| violation.detail.clone())
}

#[test]
fn prefixes_are_allowed() {
    for items in [&[][..], &[10], &[10, 11, 12, 13]] {
        assert_eq!(prefix_detail(0, items), None);
    }
    assert_eq!(prefix_detail(2, &[12, 13]), None);
    assert_eq!(prefix_detail(4, &[]), None);
}

#[test]
fn departures_from_the_order_are_located() {
    let wrong = |item, place, expected| {
        Some(format!(
            "replica b applied {item} at place {place}, where the order has {expected}"
        ))
    };
    assert_eq!(prefix_detail(0, &[10, 12]), wrong(12, 1, 11)); // a gap
    assert_eq!(prefix_detail(0, &[10, 10]), wrong(10, 1, 11)); // a repetition
    assert_eq!(prefix_detail(1, &[12, 11]), wrong(12, 1, 11)); // an exchange
    let ahead = prefix_detail(3, &[13, 14]).unwrap();
    assert_eq!(
        ahead,
        "replica b applied 14 at place 4, after the order's end"
    );
    let beyond = prefix_detail(5, &[]).unwrap();
    assert_eq!(beyond, "replica b starts at place 5 of an order of 4");
}

#[test]
fn equal_digests_converge() {
    let report = convergence::check("carts", [("a", 1), ("b", 1)]);
    assert_eq!(report.into_result(), Ok(2));
}

#[test]
fn replicas_that_differ_are_named() {
    let report = convergence::check("carts", [("a", "x"), ("b", "y"), ("c", "y"), ("d", "z")]);
    assert_eq!(
        report.violations[0].detail,
        "carts: 4 replicas hold 3 states: {b, c} have \"y\"; {a} have \"x\"; {d} have \"z\""
    );
    let renamed = report.relabel(invariant::CONVERGENCE, "LL8");
    assert_eq!(broken(&renamed), ["LL8"]);
}

#[test]
fn no_replica_proves_nothing() {
    let report = convergence::check("carts", [("a", 1); 0]);
    assert_eq!(broken(&report), ["INCONCLUSIVE"]);
}

//! The zone checker and the exhaustive search agree on random histories.

use std::cell::Cell;

use proptest::prelude::*;
use repertoire_checker::wgl::{self, Limits};
use repertoire_checker::{Fate, OpId, OpKind, Operation, WriteId, register};

use super::support::{drafts, history, op, random, read, register_operations, write};

#[test]
fn zones_and_search_agree_on_small_histories() {
    let (good, bad) = (Cell::new(0_u32), Cell::new(0_u32));
    random(20_000, &drafts(9), |drafts| {
        let history = history(register_operations(&drafts));
        let by_zones = register::check(&history);
        let by_search = wgl::check(&wgl::Register, &history, Limits::default());
        prop_assert_eq!(
            by_zones.is_clean(),
            by_search.is_clean(),
            "{} / {}",
            by_zones,
            by_search
        );
        let counter = if by_zones.is_clean() { &good } else { &bad };
        counter.set(counter.get() + 1);
        Ok(())
    });
    let (good, bad) = (good.get(), bad.get());
    let total = good + bad;
    assert!(
        good > total / 5 && bad > total / 5,
        "{good} good and {bad} bad: one-sided inputs"
    );
}

/// Operations that take effect one after the other, each at one instant within its interval.
fn atomic_run(steps: &[(u8, u64, u64)]) -> Vec<Operation> {
    let mut current = None;
    let mut operations = Vec::new();
    for (id, (kind, before_ns, after_ns)) in (1_u64..).zip(steps) {
        let instant_ns = id * 10;
        let invoked_ns = instant_ns.saturating_sub(*before_ns);
        let returned_ns = instant_ns + after_ns;
        let value = u128::from(id);
        operations.push(match kind {
            0 => op(id, write(value), invoked_ns).refused(returned_ns),
            1 => op(id, write(value), invoked_ns),
            2 => {
                current = Some(value);
                op(id, write(value), invoked_ns)
            }
            3 => {
                current = Some(value);
                op(id, OpKind::Delete { id: WriteId(value) }, invoked_ns).ok(returned_ns)
            }
            4..=8 => {
                current = Some(value);
                op(id, write(value), invoked_ns).ok(returned_ns)
            }
            _ => op(id, read(current), invoked_ns).ok(returned_ns),
        });
    }
    operations
}

#[test]
fn runs_of_an_atomic_register_are_linearizable() {
    let steps = prop::collection::vec((0_u8..20, 0_u64..45, 0_u64..45), 1..300);
    let decided = Cell::new(0_u32);
    random(500, &steps, |steps| {
        let mut operations = atomic_run(&steps);
        let whole = history(operations.clone());
        prop_assert_eq!(
            register::check(&whole).into_result(),
            Ok(steps.len() as u64)
        );
        let limits = Limits {
            visits_max: 5_000,
            ..Limits::default()
        };
        let by_search = wgl::check(&wgl::Register, &whole, limits);
        // Many overlapping operations may exhaust the search, but never mislead it.
        let mut violations = by_search.violations.iter();
        prop_assert!(
            violations.all(|v| v.invariant == "INCONCLUSIVE"),
            "{}",
            by_search
        );
        decided.set(decided.get() + u32::from(by_search.is_clean()));

        // A read of the initial value after everything else is stale, once a write was answered
        // or its value was seen.
        let is_written = operations
            .iter()
            .filter(|op| op.fate() == Fate::Applied)
            .any(|op| {
                op.write_id().is_some() || matches!(op.kind, OpKind::Read { observed: Some(_) })
            });
        operations.push(op(1_000, read(None), 1_000_000).ok(1_000_001));
        let stale = history(operations);
        prop_assert_eq!(register::check(&stale).is_clean(), !is_written);
        Ok(())
    });
    let decided = decided.get();
    assert!(decided >= 300, "the search decided only {decided}");
}

#[test]
fn the_search_names_the_operation_that_does_not_fit() {
    let stale = history([
        op(1, write(1), 0).ok(1),
        op(2, write(2), 2).ok(3),
        op(3, read(Some(1)), 4).ok(5),
    ]);
    let report = wgl::check(&wgl::Register, &stale, Limits::default());
    assert_eq!(
        report.violations[0].to_string(),
        "SL6: key \"k\": no order explains all 3 answered operations; the longest explains 2, \
         then none of these fits: op 3",
    );
    assert_eq!(stale.operations()[2].id, OpId(3));
}

//! A history for each fault of a register, and for the edges of what is allowed.

use repertoire_checker::register::{self, RegisterFault};
use repertoire_checker::{OpId, OpKind, Operation, WriteId};

use super::support::{broken, history, op, read, write};

fn fault(operations: impl IntoIterator<Item = Operation>) -> Option<RegisterFault> {
    let history = history(operations);
    let operations: Vec<_> = history.operations().iter().collect();
    register::check_key(&operations).err()
}

#[test]
fn phantom_is_found() {
    let fault = fault([op(1, read(Some(9)), 0).ok(1)]);
    assert_eq!(
        fault,
        Some(RegisterFault::Phantom {
            read: OpId(1),
            value: WriteId(9)
        })
    );
}

#[test]
fn write_of_another_key_is_a_phantom() {
    let elsewhere = Operation {
        key: b"other".to_vec(),
        ..op(1, write(1), 0).ok(1)
    };
    let report = register::check(&history([elsewhere, op(2, read(Some(1)), 2).ok(3)]));
    assert_eq!(
        report.to_string(),
        "1 violation in 2 facts\nA2: key \"k\": op 2 saw w1, which nobody wrote to this key"
    );
}

#[test]
fn refused_write_must_stay_unseen() {
    let refused = op(1, write(1), 0).refused(1);
    assert_eq!(fault([refused.clone(), op(2, read(None), 2).ok(3)]), None);
    let seen = fault([refused, op(2, read(Some(1)), 2).ok(3)]).unwrap();
    assert_eq!(
        seen.to_string(),
        "op 2 saw w1, but its write op 1 was refused"
    );
    assert_eq!(seen.invariant(), "A2");
}

#[test]
fn read_before_its_write_is_found() {
    let fault = fault([op(1, write(1), 10).ok(20), op(2, read(Some(1)), 0).ok(9)]).unwrap();
    assert_eq!(
        fault.to_string(),
        "op 2 saw w1 and returned before its write op 1 was sent"
    );
}

#[test]
fn two_values_at_once_are_found() {
    let operations = [
        op(1, write(1), 0).ok(10),
        op(2, write(2), 0).ok(10),
        op(3, read(Some(1)), 20).ok(30),
        op(4, read(Some(2)), 20).ok(30),
    ];
    let fault = fault(operations).unwrap();
    assert_eq!(
        fault.to_string(),
        "two values at once: value w1 held from 10 ns (op 1 done) to 20 ns (op 3 sent); \
         value w2 held from 10 ns (op 2 done) to 20 ns (op 4 sent)",
    );
}

#[test]
fn stale_read_is_found() {
    let operations = [
        op(1, write(1), 0).ok(1),
        op(2, write(2), 2).ok(3),
        op(3, read(Some(1)), 4).ok(5),
    ];
    assert!(matches!(
        fault(operations),
        Some(RegisterFault::Enclosed { .. })
    ));
}

#[test]
fn lost_first_write_is_found() {
    let operations = [op(1, write(1), 0).ok(0), op(2, read(None), 1).ok(1)];
    assert!(matches!(
        fault(operations),
        Some(RegisterFault::Enclosed { .. })
    ));
}

#[test]
fn resurrected_value_is_found() {
    let delete = OpKind::Delete { id: WriteId(2) };
    let tombstone = [
        op(1, write(1), 0).ok(1),
        op(2, delete, 2).ok(3),
        op(3, read(Some(2)), 4).ok(5),
    ];
    assert_eq!(fault(tombstone.clone()), None);
    let back = op(4, read(Some(1)), 6).ok(7);
    assert!(fault(tombstone.into_iter().chain([back])).is_some());
}

#[test]
fn unknown_write_may_appear_late_but_not_leave() {
    let late = [
        op(1, write(1), 0).ok(1),
        op(2, write(2), 2),
        op(3, read(Some(1)), 50).ok(51),
        op(4, read(Some(2)), 60).ok(61),
    ];
    assert_eq!(fault(late.clone()), None);
    assert!(fault(late.into_iter().chain([op(5, read(Some(1)), 70).ok(71)])).is_some());
}

#[test]
fn touching_operations_are_concurrent() {
    let touching = [op(1, write(1), 0).ok(10), op(2, read(None), 10).ok(10)];
    assert_eq!(fault(touching), None);
    // Three values in one instant, each held up to it or from it.
    let hand_over = [
        op(1, write(1), 0).ok(1),
        op(2, read(Some(1)), 5).ok(9),
        op(3, write(2), 5).ok(5),
        op(4, write(3), 5).ok(5),
        op(5, read(Some(3)), 9).ok(9),
    ];
    assert_eq!(fault(hand_over), None);
}

#[test]
fn unanswered_reads_say_nothing() {
    let operations = [op(1, read(Some(7)), 0), op(2, read(Some(7)), 0).refused(3)];
    assert_eq!(fault(operations), None);
}

#[test]
fn other_operations_leave_the_key_undecided() {
    let add = OpKind::Increment {
        id: WriteId(1),
        by: 1,
        observed: None,
    };
    let mixed = history([
        op(1, add, 0).ok(1),
        Operation {
            key: b"other".to_vec(),
            ..op(2, read(None), 0).ok(1)
        },
    ]);
    assert_eq!(broken(&register::check(&mixed)), ["INCONCLUSIVE"]);
    let others = mixed.filtered(|op| op.key == b"other");
    assert_eq!(register::check(&others).into_result(), Ok(1));
}

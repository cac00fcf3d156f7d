//! Histories that contradict themselves are refused.

use repertoire_checker::{Fate, History, HistoryError, OpId, OpKind, Violation, WriteId};

use super::support::{op, read, write};

#[test]
fn contradictions_are_refused() {
    let mut history = History::new();
    history.push(op(1, write(1), 10).ok(20)).unwrap();
    let again = op(2, write(1), 10).ok(20);
    let duplicate = HistoryError::DuplicateWrite {
        op: OpId(2),
        write: WriteId(1),
    };
    assert_eq!(history.push(again), Err(duplicate));
    assert_eq!(
        history.push(op(1, read(None), 0)),
        Err(HistoryError::DuplicateOp(OpId(1)))
    );
    let backwards = op(3, read(None), 10).ok(9);
    assert_eq!(
        history.push(backwards),
        Err(HistoryError::ReturnBeforeInvoke(OpId(3)))
    );
    let mut endless = op(4, read(None), 10).ok(10);
    endless.returned_ns = None;
    assert_eq!(
        history.push(endless),
        Err(HistoryError::MissingReturn(OpId(4)))
    );
    let boast = op(5, write(5), 10).acked_at("sync");
    assert_eq!(
        history.push(boast),
        Err(HistoryError::AckWithoutOk(OpId(5)))
    );
    assert_eq!(history.operations().len(), 1);
    // A refused operation leaves no trace: its write can still be recorded.
    history.push(op(5, write(5), 10)).unwrap();
}

#[test]
fn failed_compare_and_set_changes_nothing() {
    let failed = OpKind::CompareAndSet {
        expected: None,
        id: WriteId(1),
        swapped: false,
    };
    assert_eq!(op(1, failed.clone(), 0).ok(1).fate(), Fate::NotApplied);
    assert_eq!(op(1, failed, 0).fate(), Fate::Unknown);
}

#[test]
fn names_and_violations_are_readable() {
    assert_eq!(WriteId(7).to_string(), "w7");
    assert_eq!(WriteId::from_parts(3, 12).to_string(), "w3:12");
    let forged = Violation::new("A1", "level sync\nA2: nothing");
    assert_eq!(forged.to_string(), "A1: level sync\\nA2: nothing");
}

//! Each way to lose, invent or double a write.

use repertoire_checker::{Evidence, History, Ledger, OpKind, Operation, WriteId};

use super::support::{KEY, broken, history, op, write};

fn ids(ids: &[u128]) -> Vec<WriteId> {
    ids.iter().copied().map(WriteId).collect()
}

fn acked(id: u64, level: &'static str) -> Operation {
    op(id, write(id.into()), id * 10)
        .ok(id * 10 + 5)
        .acked_at(level)
}

/// Two acknowledged writes, one of unknown outcome, one refused.
fn clients() -> History {
    let unknown = op(3, write(3), 30);
    history([
        acked(1, "async"),
        acked(2, "sync"),
        unknown,
        op(4, write(4), 40).refused(45),
    ])
}

fn evidence(visible: &[u128], applied: &[u128]) -> Evidence {
    let mut evidence = Evidence::new();
    evidence
        .visible(KEY, ids(visible))
        .applied(KEY, ids(applied));
    evidence
}

fn audit(evidence: &Evidence) -> Vec<&'static str> {
    let history = clients();
    let report = Ledger::new(&history).lossless("sync").audit(evidence);
    broken(&report)
}

#[test]
fn superseded_writes_are_accounted_for() {
    assert_eq!(audit(&evidence(&[2], &[1, 2])), [""; 0]);
    assert_eq!(audit(&evidence(&[3], &[1, 2, 3])), [""; 0]);
    assert_eq!(audit(&evidence(&[1, 2], &[])), [""; 0]);
    let mut contexts = evidence(&[3], &[]);
    contexts
        .superseded(WriteId(1), WriteId(2))
        .superseded(WriteId(2), WriteId(3));
    assert_eq!(audit(&contexts), [""; 0]);
}

#[test]
fn silent_losses_are_found() {
    assert_eq!(audit(&evidence(&[2], &[2])), ["SL4"]);
    assert_eq!(audit(&evidence(&[1], &[1])), ["A1"]);
    // The order says that it is there, but it is not to be seen.
    assert_eq!(audit(&evidence(&[1], &[1, 2])), ["A1"]);
    assert_eq!(audit(&evidence(&[], &[])), ["SL4", "A1"]);
    let history = clients();
    let report = Ledger::new(&history).audit(&evidence(&[2], &[2]));
    assert_eq!(
        report.violations[0].detail,
        "key \"k\": w1 (op 1), acknowledged at level async, is neither visible, nor superseded by \
         a visible write, nor recorded"
    );
}

#[test]
fn writes_that_replace_each_other_in_a_circle_are_lost() {
    let mut circle = evidence(&[3], &[]);
    circle
        .superseded(WriteId(1), WriteId(2))
        .superseded(WriteId(2), WriteId(1));
    assert_eq!(audit(&circle), ["SL4", "A1"]);
}

#[test]
fn discard_records_excuse_only_what_may_be_lost() {
    let mut recorded = evidence(&[2], &[2]);
    recorded.discarded(WriteId(1), 7);
    assert_eq!(audit(&recorded), [""; 0]);
    recorded.discarded(WriteId(1), 9); // by another failover
    assert_eq!(audit(&recorded), [""; 0]);
    recorded.discarded(WriteId(1), 9); // the same record twice
    assert_eq!(audit(&recorded), ["SL4"]);
    let mut broken_promise = evidence(&[1], &[1]);
    broken_promise.discarded(WriteId(2), 7);
    assert_eq!(audit(&broken_promise), ["A1"]);
}

#[test]
fn a_discarded_write_does_not_excuse_what_it_had_replaced() {
    let history = history([acked(1, "async"), acked(2, "async")]);
    let mut evidence = evidence(&[], &[1, 2]);
    evidence.discarded(WriteId(2), 7);
    assert_eq!(broken(&Ledger::new(&history).audit(&evidence)), ["SL4"]);
}

#[test]
fn conflict_records_keep_losers() {
    let mut recorded = evidence(&[1], &[1]);
    recorded.conflict(WriteId(2));
    assert_eq!(audit(&recorded), [""; 0]);
}

#[test]
fn phantoms_are_found() {
    assert_eq!(audit(&evidence(&[2, 99], &[1, 2])), ["A2"]);
    assert_eq!(audit(&evidence(&[2, 4], &[1, 2])), ["A2"]);
    assert_eq!(audit(&evidence(&[2], &[1, 99, 2])), ["SL4", "A2"]);
    let mut elsewhere = evidence(&[2], &[1, 2]);
    elsewhere.visible("other", ids(&[1]));
    assert_eq!(audit(&elsewhere), ["A2"]);
    let mut records = evidence(&[2], &[1, 2]);
    records
        .conflict(WriteId(98))
        .discarded(WriteId(99), 1)
        .superseded(WriteId(2), WriteId(97));
    assert_eq!(audit(&records), ["A2", "A2", "A2"]);
}

#[test]
fn a_write_to_another_key_replaces_nothing() {
    let other = Operation {
        key: b"other".to_vec(),
        ..acked(2, "async")
    };
    let history = history([acked(1, "async"), other]);
    let mut evidence = evidence(&[], &[]);
    evidence
        .visible("other", ids(&[2]))
        .superseded(WriteId(1), WriteId(2));
    assert_eq!(broken(&Ledger::new(&history).audit(&evidence)), ["SL4"]);
}

#[test]
fn double_applications_are_found() {
    assert_eq!(audit(&evidence(&[2], &[1, 2, 2])), ["SL10"]);
    let mut counted = evidence(&[2], &[1, 2]);
    counted
        .applications(WriteId(1), 1)
        .applications(WriteId(2), 1);
    assert_eq!(audit(&counted), [""; 0]);
    counted.applications(WriteId(2), 1);
    assert_eq!(audit(&counted), ["SL10"]);
}

#[test]
fn deletes_show_as_absence() {
    let delete = OpKind::Delete { id: WriteId(2) };
    let history = history([acked(1, "async"), op(2, delete, 20).ok(25)]);
    let ledger = Ledger::new(&history);
    assert!(ledger.audit(&evidence(&[], &[1, 2])).is_clean());
    assert!(ledger.audit(&evidence(&[2], &[1, 2])).is_clean());
    let resurrected = ledger.audit(&evidence(&[1], &[1, 2]));
    assert_eq!(broken(&resurrected), ["SL4"]);
}

#[test]
fn missing_evidence_is_inconclusive() {
    assert_eq!(audit(&Evidence::new()), ["INCONCLUSIVE"]);
    let add = OpKind::Increment {
        id: WriteId(1),
        by: 1,
        observed: None,
    };
    let history = history([op(1, add, 0).ok(1)]);
    assert_eq!(
        broken(&Ledger::new(&history).audit(&Evidence::new())),
        ["INCONCLUSIVE"]
    );
}

#[test]
fn counters_stay_within_the_answers() {
    let add = |id: u64, by| {
        op(
            id,
            OpKind::Increment {
                id: WriteId(id.into()),
                by,
                observed: None,
            },
            id,
        )
    };
    let history = history([
        add(1, 10).ok(9).acked_at("sync"),
        add(2, 3),
        add(3, -2),
        add(4, 100).refused(9),
        add(5, 20).ok(9),
    ]);
    let ledger = Ledger::new(&history).lossless("sync");
    let at = |value| Evidence::new().counter(KEY, value).clone();
    for (value, expected) in [(28, None), (33, None), (27, Some("A1")), (34, Some("SL10"))] {
        assert_eq!(
            broken(&ledger.audit(&at(value))).first().copied(),
            expected,
            "{value}"
        );
    }
    // Discarded with a record, it may be missing; at a lossless level it may not be.
    assert!(ledger.audit(at(8).discarded(WriteId(5), 1)).is_clean());
    assert_eq!(
        broken(&ledger.audit(at(30).discarded(WriteId(1), 1))),
        ["A1"]
    );
    let nobody = ledger.audit(at(30).counter("other", 1));
    assert_eq!(
        nobody.violations[0].detail,
        "key \"other\": the counter ends at 1, not in 0 ..= 0"
    );
}

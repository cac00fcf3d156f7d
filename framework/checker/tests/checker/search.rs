//! The search against the definition of linearizability, and its limits.

use proptest::prelude::*;
use repertoire_checker::history::Outcome;
use repertoire_checker::wgl::{self, Call, CasRegister, Counter, Inconclusive, Limits};
use repertoire_checker::wgl::{Model, Register, Verdict};
use repertoire_checker::{History, OpKind, Operation, WriteId};

use super::support::{Draft, broken, drafts, history, op, random, read, register_operations};
use super::support::{seen, write};

/// The definition: some order of all answered and some unanswered operations is legal for the
/// model and contradicts no precedence. Tries them all.
fn has_legal_order<M: Model<Op = OpKind>>(
    model: &M,
    state: &M::State,
    order: &mut Vec<Operation>,
    rest: &[Operation],
) -> bool {
    let precedes = |a: &Operation, b: &Operation| a.finished_ns().is_some_and(|t| t < b.invoked_ns);
    if rest.iter().all(|op| op.outcome != Outcome::Ok) {
        let pairs = order
            .iter()
            .enumerate()
            .flat_map(|(i, a)| order[i + 1..].iter().map(move |b| (a, b)));
        if pairs.into_iter().all(|(a, b)| !precedes(b, a)) {
            return true;
        }
    }
    (0..rest.len()).any(|index| {
        let mut rest = rest.to_vec();
        let next = rest.remove(index);
        let Some(state) = model.step(state, &next.kind, next.outcome == Outcome::Ok) else {
            return false;
        };
        order.push(next);
        let found = has_legal_order(model, &state, order, &rest);
        order.pop();
        found
    })
}

fn agrees<M: Model<Op = OpKind>>(
    model: &M,
    operations: Vec<Operation>,
) -> Result<bool, TestCaseError> {
    let possible: Vec<_> = operations
        .iter()
        .filter(|op| op.outcome != Outcome::Refused)
        .cloned()
        .collect();
    let expected = has_legal_order(model, &model.initial(), &mut Vec::new(), &possible);
    let report = wgl::check(model, &history(operations), Limits::default());
    prop_assert_eq!(report.is_clean(), expected, "{}", report);
    Ok(expected)
}

fn cas_operations(drafts: &[Draft]) -> Vec<Operation> {
    let ids: Vec<u128> = (1..=drafts.len() as u128).collect();
    let operations = (1_u64..).zip(drafts).map(|(id, draft)| {
        let kind = match draft.kind {
            0..4 => write(id.into()),
            4..10 => OpKind::CompareAndSet {
                expected: seen(&ids, draft.pick),
                id: WriteId(id.into()),
                swapped: draft.kind % 2 == 0,
            },
            _ => OpKind::Read {
                observed: seen(&ids, draft.pick),
            },
        };
        draft.operation(id, kind)
    });
    operations.collect()
}

fn counter_operations(drafts: &[Draft]) -> Vec<Operation> {
    let operations = (1_u64..).zip(drafts).map(|(id, draft)| {
        let small = i64::try_from(draft.pick % 5).unwrap();
        let kind = match draft.kind {
            0..8 => OpKind::Increment {
                id: WriteId(id.into()),
                by: small - 1,
                observed: (draft.kind == 7).then_some(small),
            },
            _ => OpKind::ReadCounter { observed: small },
        };
        draft.operation(id, kind)
    });
    operations.collect()
}

#[test]
fn search_agrees_with_the_definition() {
    let found = std::cell::RefCell::new([[0_u32; 2]; 3]);
    random(3_000, &drafts(6), |drafts| {
        let results = [
            agrees(&Register, register_operations(&drafts))?,
            agrees(&CasRegister, cas_operations(&drafts))?,
            agrees(&Counter, counter_operations(&drafts))?,
        ];
        for (counts, is_good) in found.borrow_mut().iter_mut().zip(results) {
            counts[usize::from(is_good)] += 1;
        }
        Ok(())
    });
    let found = found.into_inner();
    let is_mixed = |[bad, good]: [u32; 2]| good > (bad + good) / 10 && bad > (bad + good) / 10;
    assert!(
        found.into_iter().all(is_mixed),
        "one-sided inputs: {found:?}"
    );
}

#[test]
fn compare_and_set_succeeds_once() {
    let cas = |id: u128| OpKind::CompareAndSet {
        expected: None,
        id: WriteId(id),
        swapped: true,
    };
    let once = history([op(1, cas(1), 0).ok(9), op(2, read(Some(1)), 10).ok(11)]);
    assert!(wgl::check(&CasRegister, &once, Limits::default()).is_clean());
    let twice = history([op(1, cas(1), 0).ok(9), op(2, cas(2), 0).ok(9)]);
    assert_eq!(
        broken(&wgl::check(&CasRegister, &twice, Limits::default())),
        ["SL6"]
    );
}

#[test]
fn unknown_increment_counts_at_most_once() {
    let add = |id: u128| OpKind::Increment {
        id: WriteId(id),
        by: 5,
        observed: None,
    };
    let reads = |a, b| {
        history([
            op(1, add(1), 0),
            op(2, OpKind::ReadCounter { observed: a }, 10).ok(11),
            op(3, OpKind::ReadCounter { observed: b }, 20).ok(21),
        ])
    };
    let check = |history: &History| wgl::check(&Counter, history, Limits::default()).is_clean();
    assert!(check(&reads(0, 0)) && check(&reads(0, 5)) && check(&reads(5, 5)));
    assert!(!check(&reads(5, 10)) && !check(&reads(5, 0)));
}

#[test]
fn a_search_that_gives_up_is_not_a_pass() {
    let history = history((1..=40).map(|id| {
        let add = OpKind::Increment {
            id: WriteId(id.into()),
            by: 1 << (id % 30),
            observed: None,
        };
        op(id, add, 0).ok(10)
    }));
    let few_calls = Limits {
        calls_max: 39,
        ..Limits::default()
    };
    let report = wgl::check(&Counter, &history, few_calls);
    assert_eq!(broken(&report), ["INCONCLUSIVE"]);
    assert!(
        report
            .to_string()
            .contains("40 operations are more than the 39"),
        "{report}"
    );

    let impossible = OpKind::ReadCounter { observed: -1 };
    let mut history = history;
    history.push(op(50, impossible, 20).ok(30)).unwrap();
    let few_visits = Limits {
        visits_max: 1_000,
        ..Limits::default()
    };
    let report = wgl::check(&Counter, &history, few_visits);
    assert_eq!(broken(&report), ["INCONCLUSIVE"]);
    assert!(
        report.to_string().contains("gave up after 1000"),
        "{report}"
    );

    let report = wgl::check(&Register, &history, Limits::default());
    assert!(
        report
            .to_string()
            .contains("not an operation of this model"),
        "{report}"
    );
}

/// A queue with one place, to show a model of one's own.
struct Slot;

enum SlotOp {
    Put(u8),
    Take(Option<u8>),
}

impl Model for Slot {
    type Op = SlotOp;
    type State = Option<u8>;

    fn initial(&self) -> Option<u8> {
        None
    }

    fn step(&self, state: &Option<u8>, op: &SlotOp, is_answered: bool) -> Option<Option<u8>> {
        match op {
            SlotOp::Put(value) => Some(Some(*value)),
            SlotOp::Take(seen) => (!is_answered || seen == state).then_some(None),
        }
    }
}

#[test]
fn a_model_of_ones_own_is_searched() {
    let ops = [SlotOp::Put(1), SlotOp::Take(Some(1)), SlotOp::Take(Some(1))];
    let call = |id: usize, at: u64| Call {
        id: repertoire_checker::OpId(id as u64),
        invoked_ns: at,
        returned_ns: Some(at + 5),
        op: &ops[id],
    };
    let calls = [call(0, 0), call(1, 10), call(2, 10)];
    assert_eq!(
        wgl::check_calls(&Slot, &calls[..2], Limits::default()),
        Verdict::Linearizable
    );
    let verdict = wgl::check_calls(&Slot, &calls, Limits::default());
    assert!(matches!(
        verdict,
        Verdict::NotLinearizable {
            explained: 2,
            answered: 3,
            ..
        }
    ));
    let none = Limits {
        calls_max: 0,
        visits_max: 0,
    };
    let reason = Inconclusive::TooManyCalls {
        calls: 3,
        calls_max: 0,
    };
    assert_eq!(
        wgl::check_calls(&Slot, &calls, none),
        Verdict::Inconclusive(reason)
    );
}

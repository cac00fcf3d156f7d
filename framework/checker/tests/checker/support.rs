//! Short ways to write histories, and random ones.

use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use repertoire_checker::{History, OpId, OpKind, Operation, SessionId, WriteId};

/// The key of all single-key histories.
pub(crate) const KEY: &[u8] = b"k";

pub(crate) fn write(id: u128) -> OpKind {
    OpKind::Write { id: WriteId(id) }
}

pub(crate) fn read(observed: Option<u128>) -> OpKind {
    OpKind::Read {
        observed: observed.map(WriteId),
    }
}

/// An operation on [`KEY`] of unknown outcome, in a session of its own.
pub(crate) fn op(id: u64, kind: OpKind, invoked_ns: u64) -> Operation {
    Operation::new(OpId(id), SessionId(id), KEY, kind, invoked_ns)
}

pub(crate) fn history(operations: impl IntoIterator<Item = Operation>) -> History {
    let mut history = History::new();
    for operation in operations {
        history.push(operation).unwrap();
    }
    history
}

/// The ids of the violations of a report, in order.
pub(crate) fn broken(report: &repertoire_checker::Report) -> Vec<&'static str> {
    report
        .violations
        .iter()
        .map(|violation| violation.invariant)
        .collect()
}

/// Runs `test` on `cases` random inputs, the same ones in each run; on `CHECKER_FACTOR` times as
/// many when that environment variable is set.
pub(crate) fn random<S: Strategy>(
    cases: u32,
    inputs: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let factor = std::env::var("CHECKER_FACTOR").ok();
    let factor: u32 = factor.map_or(1, |factor| factor.parse().expect("a whole number"));
    let cases = cases * factor;
    let config = Config {
        cases,
        failure_persistence: None,
        ..Config::default()
    };
    let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
    TestRunner::new_with_rng(config, rng)
        .run(inputs, test)
        .unwrap();
}

/// A random operation before its place in a history is known.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: u8,
    pub(crate) invoked_ns: u64,
    pub(crate) duration_ns: u64,
    /// Below 14 of 16: Ok; then unknown, refused.
    pub(crate) outcome: u8,
    /// Chooses the value that is seen, expected or added.
    pub(crate) pick: usize,
}

impl Draft {
    /// The operation of this draft with the number and kind given.
    pub(crate) fn operation(&self, id: u64, kind: OpKind) -> Operation {
        let operation = op(id, kind, self.invoked_ns);
        let returned_ns = self.invoked_ns + self.duration_ns;
        match self.outcome {
            0..=12 => operation.ok(returned_ns),
            13..=14 => operation,
            _ => operation.refused(returned_ns),
        }
    }
}

/// Up to `len_max` drafts in so little time that most overlap and many touch.
pub(crate) fn drafts(len_max: usize) -> impl Strategy<Value = Vec<Draft>> {
    let draft = (0_u8..16, 0_u64..14, 0_u64..7, 0_u8..16, 0_usize..64);
    let draft = draft.prop_map(|(kind, invoked_ns, duration_ns, outcome, pick)| Draft {
        kind,
        invoked_ns,
        duration_ns,
        outcome,
        pick,
    });
    prop::collection::vec(draft, 1..=len_max)
}

/// A value for draft `pick` to have seen: mostly one that some operation of `writes` wrote.
pub(crate) fn seen(writes: &[u128], pick: usize) -> Option<WriteId> {
    match pick {
        63 => Some(WriteId(99)),
        _ => writes.get(pick % (writes.len() + 1)).copied().map(WriteId),
    }
}

/// Registers only: each draft becomes a write, a delete or a read.
pub(crate) fn register_operations(drafts: &[Draft]) -> Vec<Operation> {
    let numbered: Vec<_> = (1_u64..).zip(drafts).collect();
    let is_write = |draft: &Draft| draft.kind < 7;
    let writes: Vec<u128> = numbered
        .iter()
        .filter(|(_, d)| is_write(d))
        .map(|(id, _)| (*id).into())
        .collect();
    let operations = numbered.iter().map(|(id, draft)| {
        let kind = match draft.kind {
            0 => OpKind::Delete {
                id: WriteId((*id).into()),
            },
            _ if is_write(draft) => write((*id).into()),
            _ => OpKind::Read {
                observed: seen(&writes, draft.pick),
            },
        };
        draft.operation(*id, kind)
    });
    operations.collect()
}

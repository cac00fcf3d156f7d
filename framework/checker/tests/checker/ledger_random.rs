//! Random runs of an honest database pass the ledger; without any one record they do not.

use proptest::prelude::*;
use repertoire_checker::{Evidence, Ledger, WriteId};

use super::support::{KEY, broken, history, op, random, write};

#[test]
fn honest_runs_pass_and_each_missing_record_is_found() {
    // What becomes of each acknowledged write: kept in order, loses a conflict, is discarded.
    let fates = prop::collection::vec(0_u8..8, 1..30);
    random(
        2_000,
        &(fates, any::<prop::sample::Index>()),
        |(fates, forgotten)| {
            let history = history(
                (1_u64..)
                    .zip(&fates)
                    .map(|(id, _)| op(id, write(id.into()), id * 10).ok(id * 10 + 5)),
            );
            let forgotten = forgotten.index(fates.len());
            let collect = |skipped: Option<usize>| {
                let mut evidence = Evidence::new();
                let mut order = Vec::new();
                for (index, fate) in fates
                    .iter()
                    .enumerate()
                    .filter(|(i, _)| Some(*i) != skipped)
                {
                    let id = WriteId(index as u128 + 1);
                    match fate {
                        0 => drop(evidence.conflict(id).clone()),
                        1 => drop(evidence.discarded(id, id.0).clone()),
                        _ => order.push(id),
                    }
                }
                evidence
                    .visible(KEY, order.last().copied())
                    .applied(KEY, order);
                evidence
            };
            let ledger = Ledger::new(&history);
            let honest = ledger.audit(&collect(None));
            prop_assert!(honest.is_clean(), "{}", honest);
            let dishonest = ledger.audit(&collect(Some(forgotten)));
            prop_assert_eq!(broken(&dishonest), ["SL4"]);
            Ok(())
        },
    );
}

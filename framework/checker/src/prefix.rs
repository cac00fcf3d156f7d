//! Consistent prefix: what a replica applied is a prefix of the one order of the writes.

use std::fmt::Debug;

use crate::report::{Report, Violation, invariant};

/// The writes that a replica applied, or that an observer saw appear, in that order.
#[derive(Clone, Copy, Debug)]
pub struct Observed<'a, T> {
    /// Name of the replica, for the report.
    pub replica: &'a str,
    /// Number of writes at the start of the order that it took over in a snapshot, unseen.
    pub skipped: usize,
    /// What it applied after those.
    pub items: &'a [T],
}

/// Checks that each replica's `items` follow `order`, from where they start, without a gap, a
/// repetition or an exchange. A replica may lag, but not be ahead of the order. Each replica that
/// leaves the order is one violation, at the first place. The facts counted are items.
///
/// ```
/// use repertoire_checker::prefix::{self, Observed};
///
/// let lags = Observed { replica: "b", skipped: 0, items: &["question"] };
/// let wrong = Observed { replica: "c", skipped: 0, items: &["answer"] };
/// let report = prefix::check(&["question", "answer"], &[lags, wrong]);
/// assert_eq!(
///     report.violations[0].to_string(),
///     "SL7.consistent-prefix: replica c applied \"answer\" at place 0, where the order has \
///      \"question\"",
/// );
/// ```
pub fn check<T: PartialEq + Debug>(order: &[T], replicas: &[Observed<'_, T>]) -> Report {
    let mut report = Report::examined(replicas.iter().map(|observed| observed.items.len()).sum());
    for observed in replicas {
        if let Some(detail) = departure(order, observed) {
            report.add(Violation::new(invariant::CONSISTENT_PREFIX, detail));
        }
    }
    report
}

/// Where and how a replica first leaves the order.
fn departure<T: PartialEq + Debug>(order: &[T], observed: &Observed<'_, T>) -> Option<String> {
    let Observed {
        replica,
        skipped,
        items,
    } = *observed;
    let Some(expected) = order.get(skipped..) else {
        let len = order.len();
        return Some(format!(
            "replica {replica} starts at place {skipped} of an order of {len}"
        ));
    };
    let place = items
        .iter()
        .zip(expected)
        .position(|(item, expected)| item != expected);
    let place = place.unwrap_or(items.len().min(expected.len()));
    let item = items.get(place)?;
    let at = skipped.saturating_add(place);
    Some(match expected.get(place) {
        Some(expected) => {
            format!(
                "replica {replica} applied {item:?} at place {at}, where the order has {expected:?}"
            )
        }
        None => format!("replica {replica} applied {item:?} at place {at}, after the order's end"),
    })
}

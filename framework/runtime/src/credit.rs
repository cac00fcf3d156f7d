//! Byte credits: how every stage is bounded.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A budget of bytes that a stage may hold. Shared between those who put in and those who take out.
#[derive(Debug)]
pub struct Credit {
    held: AtomicUsize,
    max: usize,
}

impl Credit {
    /// A budget of `max` bytes.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self {
            held: AtomicUsize::new(0),
            max,
        })
    }

    /// Takes `bytes` of the budget. A single item larger than the whole budget is let in when
    /// nothing else is held, so that it can make progress.
    pub fn try_take(&self, bytes: usize) -> bool {
        let take = |held: usize| {
            let sum = held.saturating_add(bytes);
            (sum <= self.max || held == 0).then_some(sum)
        };
        self.held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, take)
            .is_ok()
    }

    /// Takes `bytes` even beyond the budget, for what is here already.
    pub fn take_over(&self, bytes: usize) {
        self.held.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Whether the budget is used up.
    pub fn is_exhausted(&self) -> bool {
        self.held() >= self.max
    }

    /// Gives `bytes` back.
    pub fn give_back(&self, bytes: usize) {
        let give = |held: usize| Some(held.saturating_sub(bytes));
        let _ = self
            .held
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, give);
    }

    /// Bytes held now.
    pub fn held(&self) -> usize {
        self.held.load(Ordering::Acquire)
    }

    /// The budget.
    pub const fn max(&self) -> usize {
        self.max
    }
}

#[cfg(test)]
mod tests {
    use super::Credit;

    #[test]
    fn a_full_budget_refuses_and_recovers() {
        let credit = Credit::new(10);
        assert!(credit.try_take(6));
        assert!(!credit.try_take(6));
        credit.give_back(6);
        assert!(credit.try_take(6));
    }

    #[test]
    fn an_item_above_the_budget_passes_alone() {
        let credit = Credit::new(10);
        assert!(credit.try_take(100));
        assert!(!credit.try_take(1));
    }
}

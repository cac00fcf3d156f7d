//! Numbers of the writes of one client session to one group: from 1, without gaps, each settled
//! once. Pure bookkeeping.

use std::collections::VecDeque;

use repertoire_core::ClientId;

/// Writes of one session between its oldest unsettled one and its newest.
#[derive(Debug)]
pub(crate) struct Numbering<F> {
    client: ClientId,
    /// Number of the write at the front of `slots`.
    base: u64,
    /// `None`: settled, but an older write is not.
    slots: VecDeque<Option<F>>,
}

impl<F> Numbering<F> {
    /// A session that has written nothing.
    pub(crate) const fn new(client: ClientId) -> Self {
        Self {
            client,
            base: 1,
            slots: VecDeque::new(),
        }
    }

    /// Whose numbers they are.
    pub(crate) const fn client(&self) -> ClientId {
        self.client
    }

    /// Numbers a write.
    pub(crate) fn push(&mut self, flight: F) -> u64 {
        self.slots.push_back(Some(flight));
        self.next() - 1
    }

    /// The number that the next write gets.
    pub(crate) fn next(&self) -> u64 {
        self.base + self.slots.len() as u64
    }

    /// Every write up to and including this one is settled: answered, or given up for good.
    pub(crate) const fn acked_upto(&self) -> u64 {
        self.base - 1
    }

    /// Writes between the oldest unsettled one and the newest.
    pub(crate) fn span(&self) -> usize {
        self.slots.len()
    }

    /// A write that is not settled.
    pub(crate) fn get_mut(&mut self, seq: u64) -> Option<&mut F> {
        let index = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        self.slots.get_mut(index)?.as_mut()
    }

    /// Settles a write: returns it the first time, nothing afterwards.
    pub(crate) fn settle(&mut self, seq: u64) -> Option<F> {
        let index = usize::try_from(seq.checked_sub(self.base)?).ok()?;
        let flight = self.slots.get_mut(index)?.take()?;
        while matches!(self.slots.front(), Some(None)) {
            self.slots.pop_front();
            self.base += 1;
        }
        Some(flight)
    }

    /// The unsettled writes, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &F)> {
        let numbered = (self.base..).zip(&self.slots);
        numbered.filter_map(|(seq, slot)| slot.as_ref().map(|flight| (seq, flight)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;
    use repertoire_core::ClientId;

    use super::Numbering;

    #[derive(Clone, Debug)]
    enum Step {
        Push,
        Settle(u64),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![Just(Step::Push), (0..40_u64).prop_map(Step::Settle)];
        proptest::collection::vec(step, 0..200)
    }

    proptest! {
        /// Against a set of numbers: each write settles exactly once, `acked_upto` is the highest
        /// number below which nothing is unsettled, numbers never repeat.
        #[test]
        fn acked_upto_is_the_highest_contiguous_settled_number(steps in steps()) {
            let mut numbering = Numbering::new(ClientId(1));
            let mut unsettled = BTreeSet::new();
            let mut next = 1;
            for step in steps {
                match step {
                    Step::Push => {
                        prop_assert_eq!(numbering.push(next), next);
                        unsettled.insert(next);
                        next += 1;
                    }
                    Step::Settle(seq) => {
                        let expected = unsettled.remove(&seq).then_some(seq);
                        prop_assert_eq!(numbering.settle(seq), expected);
                    }
                }
                let oldest = unsettled.first().copied().unwrap_or(next);
                prop_assert_eq!(numbering.acked_upto(), oldest - 1);
                prop_assert_eq!(numbering.next(), next);
                prop_assert_eq!(numbering.span() as u64, next - oldest);
                let listed: BTreeSet<_> = numbering.iter().map(|(seq, _)| seq).collect();
                prop_assert_eq!(&listed, &unsettled);
            }
        }
    }
}

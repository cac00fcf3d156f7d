//! Which positions have enough durable copies. Pure arithmetic over the positions of the voters.

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{Acks, Lsn};

/// The durable positions of a group's voters, at one moment.
///
/// The leader's own copy is part of every quorum: [`Acks`] counts it, and a leader that lost a tail
/// which others still hold could not go on as the leader of that history.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    voters: usize,
    own: Lsn,
    /// Of the other voters, highest first.
    others: Vec<Lsn>,
}

impl Tally {
    /// Takes new positions, keeping the memory of the old ones.
    pub(crate) fn refresh(&mut self, own: Lsn, others: impl Iterator<Item = Lsn>) {
        self.own = own;
        self.others.clear();
        self.others.extend(others);
        self.others.sort_unstable_by(|a, b| b.cmp(a));
        self.voters = self.others.len() + 1;
    }

    // ANCHOR: satisfied_upto
    /// The highest position that satisfies `acks`; everything below it does too. Zero when the
    /// group is too small for that mode.
    pub(crate) fn satisfied_upto(&self, acks: Acks) -> Lsn {
        let mut copies = acks.copies(self.voters);
        if planted(Bug::QuorumMinusOne) {
            copies = copies.saturating_sub(1).max(1);
        }
        self.held_by(copies)
    }
    // ANCHOR_END: satisfied_upto

    /// The highest position that so many voters hold, the leader one of them.
    pub(crate) fn held_by(&self, copies: usize) -> Lsn {
        match copies.checked_sub(2) {
            None => self.own,
            Some(index) => self
                .others
                .get(index)
                .map_or(Lsn::ZERO, |n| self.own.min(*n)),
        }
    }

    /// Whether the record at `lsn` and everything before it has the copies that `acks` wants.
    pub(crate) fn is_satisfied(&self, lsn: Lsn, acks: Acks) -> bool {
        lsn <= self.satisfied_upto(acks)
    }

    /// Voters that hold the record at `lsn` durably, the leader included.
    pub(crate) fn copies(&self, lsn: Lsn) -> u8 {
        let others = self.others.iter().take_while(|held| **held >= lsn).count();
        let own = usize::from(self.own >= lsn);
        // A group has at most 64 replicas; see `config`.
        u8::try_from(others + own).unwrap_or(u8::MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn tally(own: u64, others: &[u64]) -> Tally {
        let mut tally = Tally::default();
        tally.refresh(Lsn(own), others.iter().copied().map(Lsn));
        tally
    }

    fn any_acks() -> impl Strategy<Value = Acks> {
        prop_oneof![
            Just(Acks::Async),
            Just(Acks::Sync),
            Just(Acks::Majority),
            (0_u8..8).prop_map(Acks::SemiSync),
        ]
    }

    #[test]
    fn each_mode_waits_for_its_own_copies() {
        let tally = tally(10, &[3, 8]);
        assert_eq!(tally.satisfied_upto(Acks::Async), Lsn(10));
        assert_eq!(tally.satisfied_upto(Acks::SemiSync(1)), Lsn(8));
        assert_eq!(tally.satisfied_upto(Acks::Majority), Lsn(8));
        assert_eq!(tally.satisfied_upto(Acks::Sync), Lsn(3));
    }

    /// Redis `WAIT` with no replica left answered "all of them" (Jepsen 2013).
    #[test]
    fn a_group_too_small_satisfies_nothing() {
        assert_eq!(tally(10, &[]).satisfied_upto(Acks::SemiSync(1)), Lsn::ZERO);
        assert_eq!(tally(10, &[]).satisfied_upto(Acks::Sync), Lsn(10));
    }

    #[test]
    fn followers_alone_are_no_quorum() {
        assert_eq!(tally(2, &[9, 9]).satisfied_upto(Acks::Majority), Lsn(2));
    }

    /// The definition, by counting: as slow as it is obvious.
    fn holds(tally: &Tally, lsn: Lsn, acks: Acks) -> bool {
        let others = tally.others.iter().filter(|held| **held >= lsn).count();
        tally.own >= lsn && others + 1 >= acks.copies(tally.voters)
    }

    proptest! {
        #[test]
        fn satisfied_upto_agrees_with_counting(
            own in 0_u64..20,
            others in prop::collection::vec(0_u64..20, 0..7),
            acks in any_acks(),
            lsn in 1_u64..20,
        ) {
            let tally = tally(own, &others);
            prop_assert_eq!(tally.is_satisfied(Lsn(lsn), acks), holds(&tally, Lsn(lsn), acks));
        }

        #[test]
        fn an_acknowledged_position_has_the_copies_it_claims(
            own in 0_u64..20,
            others in prop::collection::vec(0_u64..20, 0..7),
            acks in any_acks(),
        ) {
            let tally = tally(own, &others);
            let upto = tally.satisfied_upto(acks);
            if upto > Lsn::ZERO {
                prop_assert!(usize::from(tally.copies(upto)) >= acks.copies(tally.voters));
            }
        }

        #[test]
        fn progress_of_any_voter_never_lowers_a_quorum(
            own in 0_u64..20,
            others in prop::collection::vec(0_u64..20, 1..7),
            raise in 0_usize..7,
            acks in any_acks(),
        ) {
            let before = tally(own, &others).satisfied_upto(acks);
            let mut raised = others.clone();
            let index = raise % raised.len();
            raised[index] += 5;
            prop_assert!(tally(own, &raised).satisfied_upto(acks) >= before);
            prop_assert!(tally(own + 5, &others).satisfied_upto(acks) >= before);
        }
    }
}

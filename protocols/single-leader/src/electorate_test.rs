use super::*;

/// Every quorum of votes meets every set of copies that an acknowledgement waited for: checked for
/// groups of two to seven by counting members, worst case against worst case.
#[test]
fn a_quorum_meets_every_set_of_copies_that_was_acknowledged() {
    let modes = [1, 2, 3].map(Acks::SemiSync);
    for voters in 1..=7 {
        for acks in modes.into_iter().chain([Acks::Majority, Acks::Sync]) {
            if !acks.is_satisfiable(voters) {
                continue;
            }
            let quorum = election_quorum(voters, acks);
            assert!(quorum + acks.copies(voters) > voters, "{voters} {acks}");
            assert!(
                quorum * 2 > voters,
                "two leaders in one epoch: {voters} {acks}"
            );
            assert!(quorum <= voters, "nobody could be elected: {voters} {acks}");
        }
        assert_eq!(election_quorum(voters, Acks::Async), voters / 2 + 1);
    }
}

/// Some replicas have lost all that they held: the votes that are left meet what is left of every set
/// of copies. By counting again: the copies are where they help least.
#[test]
fn blank_votes_make_no_leader_that_lacks_what_was_acknowledged() {
    let modes = [1, 2, 3].map(Acks::SemiSync);
    for voters in 2..=7_usize {
        for acks in modes.into_iter().chain([Acks::Majority, Acks::Sync]) {
            let copies = acks.copies(voters);
            if acks.is_satisfiable(voters) && copies > 1 {
                judge_blank_votes(voters, acks, copies);
            }
        }
    }
}

fn judge_blank_votes(voters: usize, acks: Acks, copies: usize) {
    let quorum = election_quorum(voters, acks);
    for granted in 1..=voters {
        let elects = is_election_quorum(voters, acks, granted, 0);
        assert_eq!(elects, granted >= quorum, "{voters} {acks} {granted}");
        for lost in 0..copies {
            for blank in 0..=lost.min(granted) {
                let copies = copies.min(voters / 2 + 1);
                if lost >= copies {
                    continue;
                }
                let is_met = granted - blank + copies - lost > voters - lost;
                let elects = is_election_quorum(voters, acks, granted, blank);
                let case = format!("{voters} {acks}: {granted} votes, {blank} blank, {lost} lost");
                assert!(!elects || is_met, "{case}");
                assert!(
                    !elects || granted * 2 > voters,
                    "two leaders in one epoch: {case}"
                );
            }
        }
    }
}

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

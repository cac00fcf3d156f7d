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

/// All subsets of so many nodes, as bits.
fn subsets(nodes: usize) -> impl Iterator<Item = u32> + Clone {
    0..1_u32 << nodes
}

fn modes() -> impl Iterator<Item = Acks> {
    let several = [1, 2, 3].map(Acks::SemiSync).into_iter();
    several.chain([Acks::Majority, Acks::Sync, Acks::Async])
}

/// A group that gains or loses a voter. The voter concerned is the last one of the larger group.
fn changes() -> impl Iterator<Item = (usize, usize, Acks)> {
    let sizes = (1..=7).flat_map(|n| [(n, n + 1), (n + 1, n)]);
    let cases = sizes.flat_map(|(former, present)| modes().map(move |m| (former, present, m)));
    cases.filter(|(former, present, acks)| {
        acks.is_satisfiable(*former) && acks.is_satisfiable(*present)
    })
}

/// Whether each of the sets of `a` that `is_a` takes meets each of those of `b` that `is_b` takes.
fn all_meet(nodes: usize, is_a: impl Fn(u32) -> bool, is_b: impl Fn(u32) -> bool) -> bool {
    let (a, b): (Vec<u32>, Vec<u32>) = (
        subsets(nodes).filter(|set| is_a(*set)).collect(),
        subsets(nodes).filter(|set| is_b(*set)).collect(),
    );
    a.iter().all(|a| b.iter().all(|b| a & b != 0))
}

fn held(set: u32, voters: usize) -> usize {
    (set & ((1 << voters) - 1)).count_ones() as usize
}

/// Whether the votes of `set` elect somebody whose newest membership is the present one, and may still
/// be taken back.
fn elects_present(set: u32, former: usize, present: usize, acks: Acks) -> bool {
    let by = |voters| held(set, voters) >= election_quorum(voters, acks);
    by(present) && (!asks_former(former, present, acks) || by(former))
}

/// Whether so many copies satisfy a leader that has appended the present membership, and does not know
/// yet that it is visible.
fn satisfies_both(set: u32, former: usize, present: usize, asked: Acks, acks: Acks) -> bool {
    held(set, present) >= asked.copies(present)
        && held(set, former) >= former_copies(former, asked, acks)
}

/// Every pair of sets, for groups of one to eight that gain or lose a voter, by brute force.
#[test]
fn quorums_meet_copies_across_a_change_of_the_members() {
    for (former, present, acks) in changes() {
        let nodes = former.max(present);
        let case = format!("{former} to {present}, {acks}");
        let by_former = |set| held(set, former) >= election_quorum(former, acks);
        let by_present = |set| elects_present(set, former, present, acks);
        assert!(
            all_meet(nodes, by_former, by_present),
            "two leaders in one epoch: {case}"
        );
        // What was acknowledged before the change, and by leaders who never hear of it.
        let copies = protected_copies(former, acks);
        let acked_before = |set| held(set, former) >= copies;
        assert!(
            all_meet(nodes, acked_before, by_present),
            "a leader of the present members lacks what the former acknowledged: {case}"
        );
        // What is acknowledged while the change may be taken back; the change itself is such an entry.
        for asked in [acks, Acks::Majority] {
            if asked.copies(present) <= 1 && asked != Acks::Majority {
                continue;
            }
            let acked = |set| satisfies_both(set, former, present, asked, acks);
            assert!(
                all_meet(nodes, acked, by_former) && all_meet(nodes, acked, by_present),
                "acknowledged as {asked} during the change and lost: {case}"
            );
            let is_possible = subsets(nodes).any(acked);
            assert!(is_possible, "nothing is ever acknowledged: {case}");
        }
    }
}

/// That the former voters need not always be asked matters: after a removal they may be gone.
#[test]
fn majorities_never_ask_former_voters() {
    for (former, present, acks) in changes() {
        if acks.copies(former) > former / 2 || acks == Acks::Async {
            assert!(
                !asks_former(former, present, acks),
                "{former} {present} {acks}"
            );
        }
    }
    assert!(asks_former(5, 4, Acks::SemiSync(1)));
    assert!(!asks_former(3, 2, Acks::SemiSync(1)));
}

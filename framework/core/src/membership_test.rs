use super::*;

fn founders(nodes: u64) -> Membership {
    let specs: Vec<_> = (1..=nodes).map(|n| ReplicaSpec::on(NodeId(n))).collect();
    Membership::founders(&specs)
}

fn add(node: u64, disk: u128) -> MemberChange {
    MemberChange::Add {
        node: NodeId(node),
        incarnation: Incarnation(disk),
        votes: true,
        replaces: None,
    }
}

fn remove(node: u64) -> MemberChange {
    MemberChange::Remove { node: NodeId(node) }
}

fn after(group: &Membership, change: MemberChange) -> Membership {
    group.changed(&change).unwrap().expect("a change")
}

#[test]
fn a_new_member_learns_first_and_votes_later() {
    let joined = after(&founders(3), add(4, 40));
    assert_eq!(joined.voters().count(), 3);
    let promoted = joined.promoted(NodeId(4)).unwrap();
    assert_eq!(promoted.voters().count(), 4);
    assert_eq!(promoted.promoted(NodeId(4)), None, "it votes already");
    assert_eq!(promoted.changed(&add(4, 40)), Ok(None), "asked twice");
    assert_eq!(
        promoted.changed(&add(4, 41)),
        Err(MembershipFault::IsMember)
    );
    assert_eq!(
        promoted.changed(&add(1, 10)),
        Err(MembershipFault::IsMember)
    );
}

#[test]
fn an_addition_is_called_off_by_a_removal() {
    let group = founders(3);
    let called_off = after(&after(&group, add(4, 40)), remove(4));
    assert_eq!(called_off.members(), group.members());
    assert_eq!(called_off.changed(&remove(4)), Ok(None), "asked twice");
}

#[test]
fn a_removed_disk_does_not_come_back_and_a_fresh_one_does() {
    let group = after(&founders(3), add(4, 40)).promoted(NodeId(4)).unwrap();
    let group = after(&group, remove(4));
    assert_eq!(group.changed(&add(4, 40)), Err(MembershipFault::WasRemoved));
    let back = after(&group, add(4, 41));
    let role = back.member(NodeId(4)).map(|member| member.role);
    assert_eq!(role, Some(MemberRole::Joining));
}

#[test]
fn impossible_changes_are_refused() {
    assert_eq!(
        founders(1).changed(&remove(1)),
        Err(MembershipFault::LastVoter)
    );
    let replace = |node, other| MemberChange::Add {
        node: NodeId(node),
        incarnation: Incarnation(9),
        votes: true,
        replaces: Some(NodeId(other)),
    };
    let fault = Err(MembershipFault::NothingToReplace);
    assert_eq!(founders(3).changed(&replace(4, 7)), fault);
    assert_eq!(founders(3).changed(&replace(4, 4)), fault);
    let mut group = founders(3);
    for node in 4..=64 {
        group = after(&group, add(node, 1));
    }
    assert_eq!(group.changed(&add(65, 1)), Err(MembershipFault::TooMany));
}

#[test]
fn who_was_removed_replaces_and_is_replaced_no_more() {
    let replace = MemberChange::Add {
        node: NodeId(4),
        incarnation: Incarnation(40),
        votes: true,
        replaces: Some(NodeId(3)),
    };
    let group = after(&founders(3), replace);
    let group = after(&group, remove(3));
    let replaced = group.member(NodeId(4)).and_then(|member| member.replaces);
    assert_eq!(replaced, None);
}

#[test]
fn the_bytes_are_pinned() {
    let group = after(&after(&founders(2), add(3, 5)), remove(2));
    let bytes = group.encode();
    assert_eq!(bytes.as_ref(), [1, 2, 1, 0, 0, 0, 3, 1, 5, 1, 0, 1, 2, 0]);
    assert_eq!(Membership::decode(&bytes), Some(group));
    for cut in 0..bytes.len() {
        assert_eq!(Membership::decode(&bytes[..cut]), None, "{cut}");
    }
    assert_eq!(Membership::decode(&[&bytes[..], &[0]].concat()), None);
    assert_eq!(Membership::decode(&[2, 0, 0]), None, "another version");
    assert_eq!(Membership::decode(&[1, 0, 0]), None, "nobody votes");
}

//! The suite that every protocol passes, for each way to acknowledge and to choose a leader.

use repertoire_conformance::protocol::check_all;
use repertoire_core::{Acks, Descriptor, Durability, KeyspaceId, NodeId, ReplicaRole};
use repertoire_single_leader::{NAME, SingleLeader};

fn shop(nodes: u64, acks: Acks, failover: &str) -> Descriptor {
    let nodes: Vec<NodeId> = (1..=nodes).map(NodeId).collect();
    let mut shop = Descriptor::single_shard(KeyspaceId(1), "shop", NAME, &nodes);
    shop.options.acks = acks;
    shop.plugin_options = format!(r#"{{"{NAME}": {{"failover": "{failover}"}}}}"#);
    shop
}

#[test]
fn the_contract_holds_under_a_fixed_leader() {
    for acks in [Acks::Async, Acks::SemiSync(1), Acks::Majority, Acks::Sync] {
        check_all::<SingleLeader>(&shop(3, acks, "manual"));
    }
}

#[test]
fn the_contract_holds_under_elected_leaders() {
    check_all::<SingleLeader>(&shop(3, Acks::SemiSync(1), "elect"));
    check_all::<SingleLeader>(&shop(5, Acks::SemiSync(2), "elect"));
    check_all::<SingleLeader>(&shop(4, Acks::Majority, "elect"));
    check_all::<SingleLeader>(&shop(3, Acks::Async, "elect"));
}

#[test]
fn the_contract_holds_with_a_learner_and_in_memory() {
    let mut observed = shop(4, Acks::Majority, "elect");
    let learner = observed.placement.shards.values_mut().flatten().last();
    learner.expect("four replicas").role = ReplicaRole::Learner;
    check_all::<SingleLeader>(&observed);
    let mut volatile = shop(3, Acks::SemiSync(1), "manual");
    volatile.options.durability = Durability::Memory;
    check_all::<SingleLeader>(&volatile);
}

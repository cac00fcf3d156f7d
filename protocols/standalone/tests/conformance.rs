//! The suite that every protocol passes.

use repertoire_core::{Acks, Descriptor, Durability, KeyspaceId, NodeId};
use repertoire_standalone::{NAME, Standalone};

fn check(durability: Durability) {
    let mut notes = Descriptor::single_shard(KeyspaceId(1), "notes", NAME, &[NodeId(1)]);
    notes.options.acks = Acks::Async;
    notes.options.durability = durability;
    repertoire_conformance::protocol::check_all::<Standalone>(&notes);
}

#[test]
fn the_contract_holds_with_synced_logs() {
    check(Durability::Disk);
}

#[test]
fn the_contract_holds_in_memory() {
    check(Durability::Memory);
}

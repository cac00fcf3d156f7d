//! The keyspaces of the demo: the same kind of data under different promises.

use repertoire::core::{Acks, Descriptor, KeyspaceId, NodeId};

/// A keyspace of the demo.
#[derive(Debug)]
pub(crate) struct Part {
    /// Its name.
    pub(crate) name: &'static str,
    /// How it replicates.
    pub(crate) protocol: &'static str,
    /// Copies that its writes need.
    pub(crate) acks: Acks,
    /// The nodes that hold it; the first one leads.
    pub(crate) nodes: &'static [u64],
    /// Its part of the data set.
    pub(crate) percent: u64,
    /// Why somebody would choose this.
    pub(crate) reason: &'static str,
}

/// The node that is stopped: it leads nothing, so that nobody needs to be promoted.
pub(crate) const STOPPED: NodeId = NodeId(3);

/// All of them. The shares add up to 100.
pub(crate) const CAST: [Part; 5] = [
    Part {
        name: "clicks",
        protocol: "single-leader",
        acks: Acks::Async,
        nodes: &[1, 2, 3],
        percent: 30,
        reason: "fast; the last moments may be lost with the leader",
    },
    Part {
        name: "orders",
        protocol: "single-leader",
        acks: Acks::SemiSync(1),
        nodes: &[2, 1, 3],
        percent: 25,
        reason: "the leader and one follower have it",
    },
    Part {
        name: "accounts",
        protocol: "single-leader",
        acks: Acks::Sync,
        nodes: &[1, 2, 3],
        percent: 15,
        reason: "every node has it; waits when one is away",
    },
    Part {
        name: "ledger",
        protocol: "single-leader",
        acks: Acks::Majority,
        nodes: &[2, 1, 3],
        percent: 20,
        reason: "two of three have it; one may be away",
    },
    Part {
        name: "scratch",
        protocol: "standalone",
        acks: Acks::Async,
        nodes: &[1],
        percent: 10,
        reason: "one copy on one node",
    },
];

impl Part {
    /// The nodes that hold it.
    pub(crate) fn holders(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.nodes.iter().copied().map(NodeId)
    }

    /// The nodes that hold it and do not lead.
    pub(crate) fn followers(&self) -> impl Iterator<Item = NodeId> + use<> {
        self.holders().skip(1)
    }

    /// Whether there is more than one copy.
    pub(crate) const fn is_replicated(&self) -> bool {
        self.nodes.len() > 1
    }

    /// Whether its writes go on while one node is away.
    pub(crate) fn survives_an_outage(&self) -> bool {
        self.is_replicated() && self.acks != Acks::Sync
    }

    fn descriptor(&self, number: u32) -> Descriptor {
        let nodes: Vec<NodeId> = self.holders().collect();
        let id = KeyspaceId(number);
        let mut descriptor = Descriptor::single_shard(id, self.name, self.protocol, &nodes);
        descriptor.options.acks = self.acks;
        descriptor
    }
}

/// The descriptors, numbered from 1.
pub(crate) fn descriptors() -> Vec<Descriptor> {
    let numbered = CAST.iter().zip(1..);
    numbered
        .map(|(part, number)| part.descriptor(number))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shares_are_the_whole_and_the_stopped_node_leads_nothing() {
        assert_eq!(CAST.iter().map(|part| part.percent).sum::<u64>(), 100);
        assert!(
            CAST.iter()
                .all(|part| part.holders().next() != Some(STOPPED))
        );
    }

    #[test]
    fn the_protocols_accept_their_keyspaces() {
        let registry = repertoire::registry();
        for descriptor in descriptors() {
            registry.validate(&descriptor).unwrap();
        }
    }
}

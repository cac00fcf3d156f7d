//! Where the nodes of a process find each other.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use repertoire_core::{Class, LinkEvent, NodeId};

use crate::MemoryTransport;
use crate::inbound::Inbound;

/// Bytes that may wait between two nodes, per class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxBudgets {
    /// Heartbeats, votes, acknowledgements.
    pub control: usize,
    /// Entries.
    pub replication: usize,
    /// Snapshots.
    pub bulk: usize,
}

impl Default for OutboxBudgets {
    fn default() -> Self {
        Self {
            control: 2 << 20,
            replication: 32 << 20,
            bulk: 8 << 20,
        }
    }
}

impl OutboxBudgets {
    pub(crate) const fn of(&self, class: Class) -> usize {
        match class {
            Class::Control => self.control,
            Class::Replication => self.replication,
            Class::Bulk => self.bulk,
        }
    }
}

type Nodes = BTreeMap<NodeId, Arc<Inbound>>;

/// Where the nodes of a process find each other. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct MemoryHub {
    nodes: Arc<Mutex<Nodes>>,
    budgets: OutboxBudgets,
}

impl MemoryHub {
    /// A hub whose nodes hold at most that many bytes for each other.
    pub fn new(budgets: OutboxBudgets) -> Self {
        Self {
            nodes: Arc::default(),
            budgets,
        }
    }

    /// A transport for a node. It meets the others when it is started.
    pub fn transport(&self, node: NodeId) -> MemoryTransport {
        MemoryTransport::new(self.clone(), node)
    }

    pub(crate) const fn budgets(&self) -> &OutboxBudgets {
        &self.budgets
    }

    pub(crate) fn node(&self, id: NodeId) -> Option<Arc<Inbound>> {
        self.lock().get(&id).cloned()
    }

    pub(crate) fn others(&self, id: NodeId) -> Vec<Arc<Inbound>> {
        let nodes = self.lock();
        nodes
            .iter()
            .filter(|(other, _)| **other != id)
            .map(|(_, node)| node.clone())
            .collect()
    }

    /// Connects a node with all others. `false`: there is one of that id.
    pub(crate) fn join(&self, node: &Arc<Inbound>) -> bool {
        let mut nodes = self.lock();
        if nodes.contains_key(&node.id()) {
            return false;
        }
        for other in nodes.values() {
            other.tell(LinkEvent::Up { peer: node.id() });
            node.tell(LinkEvent::Up { peer: other.id() });
        }
        nodes.insert(node.id(), node.clone());
        true
    }

    /// Disconnects a node from all others.
    pub(crate) fn leave(&self, id: NodeId) {
        let mut nodes = self.lock();
        if nodes.remove(&id).is_none() {
            return;
        }
        for other in nodes.values() {
            other.forget(id);
            other.tell(LinkEvent::Down {
                peer: id,
                reason: "shutting down".to_owned(),
            });
        }
    }

    fn lock(&self) -> MutexGuard<'_, Nodes> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

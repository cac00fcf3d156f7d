//! What is known of a group: its sessions, and where its leader is thought to be.

use repertoire_core::{Descriptor, GroupId, NodeId};

use crate::session::Session;

/// A group that this client writes to or reads from.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) id: GroupId,
    /// The last is current; the others still have writes under way.
    pub(crate) sessions: Vec<Session>,
    /// Sessions idle for longer are forgotten by the nodes. Milliseconds.
    pub(crate) lifetime_ms: u64,
    candidates: Vec<NodeId>,
    leader: Option<NodeId>,
    turn: usize,
}

impl Group {
    /// A group of which nothing is known but its replicas, the nearest first.
    pub(crate) const fn new(id: GroupId, candidates: Vec<NodeId>, lifetime_ms: u64) -> Self {
        Self {
            id,
            sessions: Vec::new(),
            lifetime_ms,
            candidates,
            leader: None,
            turn: 0,
        }
    }

    /// Takes a newer descriptor over.
    pub(crate) fn refresh(&mut self, descriptor: &Descriptor) {
        self.candidates = replicas(descriptor, self.id);
        self.lifetime_ms = descriptor.options.session_lifetime_ms;
    }

    /// Where writes go: to the leader if it is known, else to the replicas in turn.
    pub(crate) fn target(&self) -> Option<NodeId> {
        let count = self.candidates.len().max(1);
        self.leader
            .or_else(|| self.candidates.get(self.turn % count).copied())
    }

    /// A node is the leader, or is said to be.
    pub(crate) const fn set_leader(&mut self, node: NodeId) {
        self.leader = Some(node);
    }

    /// A node does not serve: the next one has its turn, if there is one that is not to be avoided.
    /// Nothing happens when the target is another one by now.
    pub(crate) fn turn_from(&mut self, node: NodeId, is_avoided: impl Fn(NodeId) -> bool) {
        if self.target() != Some(node) {
            return;
        }
        self.leader = None;
        for _ in 0..self.candidates.len() {
            self.turn += 1;
            let is_fit = |next: NodeId| next != node && !is_avoided(next);
            if self.target().is_some_and(is_fit) {
                return;
            }
        }
        if self.target() == Some(node) {
            self.turn += 1;
        }
    }

    /// Whether a session has writes to be sent.
    pub(crate) fn has_work(&self) -> bool {
        self.sessions.iter().any(Session::has_work)
    }

    /// A session by its tag.
    pub(crate) fn session(&mut self, tag: u64) -> Option<&mut Session> {
        self.sessions
            .iter_mut()
            .rev()
            .find(|session| session.tag == tag)
    }

    /// Drops former sessions that have nothing under way.
    pub(crate) fn tidy(&mut self) {
        let Some(current) = self.sessions.last().map(|session| session.tag) else {
            return;
        };
        self.sessions
            .retain(|session| session.tag == current || session.numbering.span() > 0);
    }
}

/// The replicas of a group that hold data, in the descriptor's order.
pub(crate) fn replicas(descriptor: &Descriptor, group: GroupId) -> Vec<NodeId> {
    descriptor
        .replicas(group.shard)
        .iter()
        .map(|spec| spec.node)
        .collect()
}

#[cfg(test)]
mod tests {
    use repertoire_core::{GroupId, NodeId};

    use super::Group;

    #[test]
    fn replicas_have_their_turn_until_a_leader_is_known() {
        let nodes = vec![NodeId(1), NodeId(2), NodeId(3)];
        let mut group = Group::new(GroupId::new(1, 0), nodes, 0);
        assert_eq!(group.target(), Some(NodeId(1)));
        let none = |_| false;
        group.turn_from(NodeId(3), none);
        assert_eq!(
            group.target(),
            Some(NodeId(1)),
            "the target was another node"
        );
        group.turn_from(NodeId(1), none);
        assert_eq!(group.target(), Some(NodeId(2)));
        group.set_leader(NodeId(3));
        group.turn_from(NodeId(3), none);
        assert_ne!(group.target(), Some(NodeId(3)));
    }

    #[test]
    fn a_node_to_be_avoided_is_passed_over_while_there_is_another() {
        let nodes = vec![NodeId(1), NodeId(2), NodeId(3)];
        let mut group = Group::new(GroupId::new(1, 0), nodes, 0);
        group.turn_from(NodeId(1), |node| node == NodeId(2));
        assert_eq!(group.target(), Some(NodeId(3)));
        group.turn_from(NodeId(3), |_| true);
        assert_ne!(group.target(), Some(NodeId(3)), "somebody must be asked");
        for leader in [1, 2, 3].map(NodeId) {
            group.set_leader(leader);
            group.turn_from(leader, |_| true);
            assert_ne!(group.target(), Some(leader), "not the same one again");
        }
    }
}

//! Administrative requests.

use bytes::Bytes;
use repertoire_core::{Error, ErrorKind, NodeId, WriteOutcome};
use repertoire_wire::client::{AdminReply, AdminRequest, AdminVerb};
use tokio::time::Instant;

use super::Hub;
use super::links::{AdminWaiter, Link};

/// An administrative question.
#[derive(Debug)]
pub(crate) struct Ask {
    pub(crate) verb: AdminVerb,
    pub(crate) args: Bytes,
    pub(crate) deadline: Instant,
    pub(crate) waiter: AdminWaiter,
}

impl Hub {
    /// Asks a node; the connection is made if there is none.
    pub(crate) fn ask(&mut self, node: NodeId, ask: Ask, now: Instant) {
        let Ask {
            verb,
            args,
            deadline,
            waiter,
        } = ask;
        if self.is_closed {
            let _is_gone = waiter.send(Err(Error::new(ErrorKind::ShuttingDown, "ask")));
            return;
        }
        let link = self.links.entry(node).or_insert_with(|| Link::new(now));
        link.next_admin += 1;
        let request = link.next_admin;
        link.admin_queue.push_back(AdminRequest {
            request,
            verb,
            args,
        });
        link.admin_waiting.insert(request, (deadline, waiter));
        link.wake();
        self.alarm |= !self.is_connected(node);
        self.watch(deadline);
    }

    /// A node has answered.
    pub(crate) fn admin_answered(&mut self, node: NodeId, reply: AdminReply) {
        let Some(link) = self.links.get_mut(&node) else {
            return;
        };
        if let Some((_, waiter)) = link.admin_waiting.remove(&reply.request) {
            let _is_gone = waiter.send(reply.result.map_err(|error| *error));
        }
    }

    /// Ends questions whose deadline has passed.
    pub(super) fn sweep_admin(&mut self, now: Instant) {
        let mut next = Vec::new();
        for (node, link) in &mut self.links {
            let is_late = |_: &u64, (deadline, _): &mut (Instant, AdminWaiter)| *deadline <= now;
            for (request, (_, waiter)) in link.admin_waiting.extract_if(.., is_late) {
                link.admin_queue.retain(|queued| queued.request != request);
                let error = Error::new(ErrorKind::Timeout, "ask").with("node", node);
                let _is_gone = waiter.send(Err(error.with_outcome(WriteOutcome::NotApplied)));
            }
            next.extend(link.admin_waiting.values().map(|(deadline, _)| *deadline));
        }
        for deadline in next {
            self.watch(deadline);
        }
    }
}

//! Taking answers in.

use bytes::Bytes;
use repertoire_core::{Ack, Answer, GroupId, Lsn, NodeId, Position};
use repertoire_wire::client::ReplyItem;
use tokio::time::Instant;

use super::Hub;
use super::spans::Origin;
use crate::flight::{ReadFlight, Stage};
use crate::link::Arrival;
use crate::reads::ReadId;

/// Where answers come from.
#[derive(Clone, Copy, Debug)]
pub(super) struct From {
    pub(super) node: NodeId,
    pub(super) generation: u64,
    pub(super) now: Instant,
}

impl Hub {
    /// Takes everything that arrived on a connection.
    pub(crate) fn settle(
        &mut self,
        node: NodeId,
        generation: u64,
        arrivals: &mut Vec<Arrival>,
        now: Instant,
    ) {
        let is_current = self
            .links
            .get(&node)
            .is_some_and(|link| link.is_up(generation));
        if !is_current {
            arrivals.clear();
            return;
        }
        let from = From {
            node,
            generation,
            now,
        };
        self.link_is_well(node);
        for arrival in arrivals.drain(..) {
            match arrival {
                Arrival::Admin(reply) => self.admin_answered(node, reply),
                Arrival::Item(item) => self.settle_item(from, item),
            }
        }
        self.pipes.wake();
        self.kick();
    }

    fn settle_item(&mut self, from: From, item: ReplyItem) {
        match item {
            ReplyItem::WrittenRun { first, count, ack } => {
                self.written(from, first, count.into(), ack, &Bytes::new());
            }
            ReplyItem::Written {
                request,
                ack,
                result,
            } => {
                self.written(from, request, 1, ack, &result);
            }
            ReplyItem::Answered {
                request,
                position,
                answer,
            } => {
                if let Some((Origin::Read(id), _)) = self.answered(from, request, 1) {
                    self.read_answered(from, id, position, answer);
                }
            }
            ReplyItem::Failed {
                first,
                count,
                error,
            } => {
                self.failed(from, first, count.into(), &error);
            }
        }
    }

    pub(super) fn answered(
        &mut self,
        from: From,
        request: u64,
        count: u64,
    ) -> Option<(Origin, u64)> {
        self.links
            .get_mut(&from.node)?
            .spans
            .answered(request, count)
    }

    pub(super) fn land(&mut self, from: From, bytes: usize) {
        if let Some(link) = self.links.get_mut(&from.node) {
            link.flying = link.flying.saturating_sub(bytes);
        }
    }

    fn written(&mut self, from: From, first: u64, count: u64, ack: Ack, result: &Bytes) {
        let mut done = 0;
        while done < count {
            let Some((origin, run)) = self.answered(from, first + done, count - done) else {
                return;
            };
            if let Origin::Writes {
                group,
                session,
                seq,
            } = origin
            {
                let mut ack = ack;
                ack.position.lsn = Lsn(ack.position.lsn.0 + done);
                let freed = self.write_run(from, (group, session, seq), run, ack, result);
                self.land(from, freed);
                self.release(freed);
            }
            done += run;
        }
    }

    /// Ends writes of one session that are done. Returns the bytes that they held.
    fn write_run(
        &mut self,
        from: From,
        (group, session, seq): (GroupId, u64, u64),
        run: u64,
        mut ack: Ack,
        result: &Bytes,
    ) -> usize {
        let Some(group) = self.groups.get_mut(&group) else {
            return 0;
        };
        group.set_leader(from.node);
        let Some(session) = group.session(session) else {
            return 0;
        };
        session.known = session.known.max(seq + run - 1);
        let mut freed = 0;
        for seq in seq..seq + run {
            let flight = session.numbering.get_mut(seq);
            if flight.is_some_and(|flight| flight.stage == Stage::UnderWay(from.generation))
                && let Some(flight) = session.numbering.settle(seq)
            {
                freed += flight.cost();
                flight.waiter.written(ack, result.clone(), &mut self.pipes);
            }
            ack.position.lsn = ack.position.lsn.next();
        }
        freed
    }

    fn read_answered(&mut self, from: From, id: ReadId, position: Position, answer: Answer) {
        let is_expected = |read: &ReadFlight| read.stage == Stage::UnderWay(from.generation);
        if self.reads.get(id).is_some_and(is_expected)
            && let Some(read) = self.reads.take(id)
        {
            self.land(from, read.cost());
            self.release(read.cost());
            read.waiter.answered(position, answer, &mut self.pipes);
        }
    }
}

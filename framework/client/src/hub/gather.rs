//! Putting a burst together: everything that waits for one connection, in as few parcels as can be.

use repertoire_core::{Acks, ConfigEpoch, GroupId, NodeId};
use tokio::time::Instant;

use super::Hub;
use super::groups::Group;
use super::links::Link;
use super::spans::What;
use crate::flight::{ReadFlight, Stage};
use crate::link::{Parcel, ReadParcel, WriteParcel};
use crate::reads::ReadId;
use crate::session::Session;
use crate::trace::{self, Traced};

/// Most writes of one burst and session, so that the lock is never held for long.
const BURST_MAX: usize = 8 * 1024;

impl Hub {
    /// What is to be sent on a connection now; nothing when the connection is gone.
    pub(crate) fn gather(&mut self, node: NodeId, generation: u64) -> Option<Vec<Parcel>> {
        if self.is_closed || !self.links.get(&node)?.is_up(generation) {
            return None;
        }
        let mut burst = Vec::new();
        self.gather_reads(node, &mut burst);
        let ready: Vec<GroupId> = self.ready.iter().copied().collect();
        for id in ready {
            let epoch = self.config_epoch(id.keyspace);
            let (Some(group), Some(link)) = (self.groups.get_mut(&id), self.links.get_mut(&node))
            else {
                continue;
            };
            if group.target() == Some(node) {
                group.gather(epoch, link, &mut burst);
            }
            if !group.has_work() {
                self.ready.remove(&id);
            }
        }
        let link = self.links.get_mut(&node)?;
        burst.extend(link.admin_queue.drain(..).map(Parcel::Admin));
        Some(burst)
    }

    fn gather_reads(&mut self, node: NodeId, burst: &mut Vec<Parcel>) {
        let mut open: Option<(ReadParcel, Vec<ReadId>)> = None;
        let mut left = Vec::new();
        for id in std::mem::take(&mut self.ready_reads) {
            let is_here = self.read_target(id) == Some(node);
            let keyspace = self.reads.get(id).map(|read| read.group.keyspace);
            let config_epoch = keyspace.map_or(ConfigEpoch(0), |id| self.config_epoch(id));
            let (Some(read), Some(link)) = (self.reads.get_mut(id), self.links.get_mut(&node))
            else {
                continue;
            };
            if read.stage != Stage::Waiting {
                continue;
            }
            let cost = read.cost();
            if !is_here || !link.has_place(cost) {
                left.push(id);
                continue;
            }
            read.stage = Stage::UnderWay(link.generation);
            read.tries += 1;
            link.flying += cost;
            match &mut open {
                Some((parcel, ids)) if parcel.continues(read) => {
                    parcel.deadline = parcel.deadline.max(read.deadline);
                    parcel.queries.push(read.query.clone());
                    ids.push(id);
                }
                _ => {
                    let parcel = ReadParcel::begin(read, config_epoch);
                    if let Some(full) = open.replace((parcel, vec![id])) {
                        link.post_reads(full, burst);
                    }
                }
            }
        }
        self.ready_reads = left;
        if let (Some(full), Some(link)) = (open, self.links.get_mut(&node)) {
            link.post_reads(full, burst);
        }
    }
}

impl ReadParcel {
    fn begin(read: &ReadFlight, config_epoch: ConfigEpoch) -> Self {
        Self {
            group: read.group,
            config_epoch,
            first_request: 0,
            level: read.level.clone(),
            deadline: read.deadline,
            queries: vec![read.query.clone()],
            trace: read.trace.clone(),
        }
    }

    fn continues(&self, read: &ReadFlight) -> bool {
        let is_alike = self.group == read.group && self.level == read.level;
        is_alike && trace::is_same(&self.trace, &read.trace)
    }
}

impl Link {
    fn post_reads(
        &mut self,
        (mut parcel, ids): (ReadParcel, Vec<ReadId>),
        burst: &mut Vec<Parcel>,
    ) {
        let count = ids.len() as u64;
        parcel.first_request = self.next_request;
        self.spans.push(self.next_request, count, What::Reads(ids));
        self.next_request += count;
        burst.push(Parcel::Reads(parcel));
    }

    fn post_writes(&mut self, mut parcel: WriteParcel, session: u64, burst: &mut Vec<Parcel>) {
        let count = parcel.bodies.len() as u64;
        let (group, first_seq) = (parcel.group, parcel.first_seq);
        parcel.first_request = self.next_request;
        let what = What::Writes {
            group,
            session,
            first_seq,
        };
        self.spans.push(self.next_request, count, what);
        self.next_request += count;
        burst.push(Parcel::Writes(parcel));
    }
}

impl Group {
    fn gather(&mut self, epoch: ConfigEpoch, link: &mut Link, burst: &mut Vec<Parcel>) {
        let id = self.id;
        for session in &mut self.sessions {
            session.gather(id, epoch, link, burst);
        }
    }
}

impl Session {
    fn gather(
        &mut self,
        group: GroupId,
        config_epoch: ConfigEpoch,
        link: &mut Link,
        burst: &mut Vec<Parcel>,
    ) {
        self.again.sort_unstable();
        self.again.dedup();
        let mut again = std::mem::take(&mut self.again).into_iter().peekable();
        let mut open: Option<WriteParcel> = None;
        let mut taken = 0;
        while taken < BURST_MAX {
            let is_fresh = again.peek().is_none();
            let seq = again.peek().copied().unwrap_or(self.fresh);
            if is_fresh && seq >= self.numbering.next() {
                break;
            }
            let waiting = self
                .numbering
                .get_mut(seq)
                .filter(|f| f.stage == Stage::Waiting);
            if let Some(flight) = waiting {
                let cost = flight.cost();
                if !link.has_place(cost) {
                    break;
                }
                link.flying += cost;
                flight.stage = Stage::UnderWay(link.generation);
                flight.tries += 1;
                taken += 1;
                let (body, acks, deadline) = (flight.body.clone(), flight.acks, flight.deadline);
                let trace = flight.trace.clone();
                match &mut open {
                    Some(parcel) if parcel.continues(seq, acks, &trace) => {
                        parcel.deadline = parcel.deadline.max(deadline);
                        parcel.bodies.push(body);
                    }
                    _ => {
                        let to = (group, config_epoch);
                        let parcel = self.parcel(to, seq, (acks, trace), deadline, body);
                        if let Some(full) = open.replace(parcel) {
                            link.post_writes(full, self.tag, burst);
                        }
                    }
                }
            }
            if is_fresh {
                self.fresh += 1;
            } else {
                again.next();
            }
        }
        self.again = again.collect();
        if let Some(full) = open {
            link.post_writes(full, self.tag, burst);
        }
    }

    fn parcel(
        &self,
        (group, config_epoch): (GroupId, ConfigEpoch),
        first_seq: u64,
        (acks, trace): (Option<Acks>, Traced),
        deadline: Instant,
        body: bytes::Bytes,
    ) -> WriteParcel {
        let unsent = usize::try_from(self.numbering.next() - first_seq).unwrap_or(1);
        let mut bodies = Vec::with_capacity(unsent.min(BURST_MAX));
        bodies.push(body);
        WriteParcel {
            group,
            config_epoch,
            first_request: 0,
            client: self.numbering.client(),
            first_seq,
            acked_upto: self.numbering.acked_upto(),
            acks,
            deadline,
            bodies,
            trace,
        }
    }
}

impl WriteParcel {
    fn continues(&self, seq: u64, acks: Option<Acks>, trace: &Traced) -> bool {
        let next = self.first_seq + self.bodies.len() as u64;
        next == seq && self.acks == acks && trace::is_same(&self.trace, trace)
    }
}

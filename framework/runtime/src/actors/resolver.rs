//! The Resolver actor: runs the users' conflict handlers, one thread per keyspace that has conflicts.
//!
//! A handler may be slow and may panic; it harms its own keyspace only. A keyspace whose handler
//! panicked gets "not resolved", and the conflict stays recorded. One whose handler never returns
//! has its later conflicts wait; no other thread waits with them.

use std::collections::{BTreeMap, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler};
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use repertoire_core::{Conflict, GroupId, InstanceGen, Resolution, Resolver, Ticket};

use crate::edge::{Edge, Kick};
use crate::inbox::{Inbox, JobNews};

/// A conflict to resolve.
pub(crate) struct ResolveJob {
    /// The replica that asks.
    pub group: GroupId,
    /// Its boot.
    pub instance: InstanceGen,
    /// Its ticket.
    pub ticket: Ticket,
    /// The keyspace's rule.
    pub resolver: Arc<dyn Resolver>,
    /// The conflict.
    pub conflict: Conflict,
}

impl std::fmt::Debug for ResolveJob {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ResolveJob")
            .field("group", &self.group)
            .finish_non_exhaustive()
    }
}

/// The conflicts of one keyspace, in order, and whether a thread works on them.
#[derive(Debug, Default)]
struct Lane {
    waiting: VecDeque<ResolveJob>,
    has_thread: bool,
}

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct ResolverActor {
    edge: Arc<Edge<ResolveJob>>,
    inbox: Arc<Inbox>,
    taken: Vec<ResolveJob>,
    lanes: BTreeMap<GroupId, Arc<Mutex<Lane>>>,
}

impl ResolverActor {
    /// An idle actor.
    pub(crate) fn new(edge: Arc<Edge<ResolveJob>>, inbox: Arc<Inbox>) -> Self {
        Self {
            edge,
            inbox,
            taken: Vec::new(),
            lanes: BTreeMap::new(),
        }
    }

    fn queue(&mut self, job: ResolveJob) {
        let group = job.group;
        let lane = Arc::clone(self.lanes.entry(group).or_default());
        let mut held = lane.lock();
        held.waiting.push_back(job);
        if held.has_thread {
            return;
        }
        let (work, inbox) = (Arc::clone(&lane), Arc::clone(&self.inbox));
        // Not joined when the node stops: a handler that never returns must not hold that up.
        let thread = std::thread::Builder::new().name(format!("resolver {group}"));
        match thread.spawn(move || drain(&work, &inbox)) {
            Ok(_) => held.has_thread = true,
            Err(error) => {
                tracing::error!(%group, %error, "No thread for a conflict handler");
                for job in held.waiting.drain(..) {
                    answer(&self.inbox, &job, None);
                }
            }
        }
    }
}

/// Resolves what waits, one after the other, and ends when nothing does.
fn drain(lane: &Mutex<Lane>, inbox: &Inbox) {
    loop {
        let mut held = lane.lock();
        let Some(job) = held.waiting.pop_front() else {
            held.has_thread = false;
            return;
        };
        drop(held);
        let value = resolve(job.resolver.as_ref(), &job.conflict);
        answer(inbox, &job, value);
    }
}

fn answer(inbox: &Inbox, job: &ResolveJob, value: Option<Bytes>) {
    let (group, instance, ticket) = (job.group, job.instance, job.ticket);
    let news = JobNews::Resolved {
        group,
        instance,
        ticket,
        value,
    };
    inbox.put(|lanes| lanes.jobs.push(news));
}

/// Runs one handler; `None` when it failed, panicked, or keeps the siblings.
pub fn resolve(resolver: &dyn Resolver, conflict: &Conflict) -> Option<Bytes> {
    let mut out = BytesMut::new();
    let outcome = catch_unwind(AssertUnwindSafe(|| resolver.resolve(conflict, &mut out)));
    match outcome {
        Ok(Ok(Resolution::One)) => Some(out.freeze()),
        Ok(Ok(Resolution::KeepSiblings)) => None,
        Ok(Err(error)) => {
            tracing::warn!(resolver = resolver.name(), %error, "A conflict was not resolved");
            None
        }
        Err(_) => {
            tracing::error!(resolver = resolver.name(), "A conflict handler panicked");
            None
        }
    }
}

impl Actor for ResolverActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
        self.edge.connect(ctx.address().recipient());
    }
}

impl Handler<Kick> for ResolverActor {
    type Result = ();

    fn handle(&mut self, _: Kick, _: &mut Self::Context) {
        let mut taken = std::mem::take(&mut self.taken);
        self.edge.take(&mut taken);
        for job in taken.drain(..) {
            self.queue(job);
        }
        self.taken = taken;
    }
}

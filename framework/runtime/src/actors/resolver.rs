//! The Resolver actor: runs the users' conflict handlers on a thread of their own.
//!
//! A handler may be slow and may panic; it harms its own keyspace only. A keyspace whose handler
//! panicked gets "not resolved", and the conflict stays recorded.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use actix::{Actor, AsyncContext, Context, Handler};
use bytes::{Bytes, BytesMut};
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

/// See the module's documentation.
#[derive(Debug)]
pub(crate) struct ResolverActor {
    edge: Arc<Edge<ResolveJob>>,
    inbox: Arc<Inbox>,
    taken: Vec<ResolveJob>,
}

impl ResolverActor {
    /// An idle actor.
    pub(crate) fn new(edge: Arc<Edge<ResolveJob>>, inbox: Arc<Inbox>) -> Self {
        Self {
            edge,
            inbox,
            taken: Vec::new(),
        }
    }
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
            let value = resolve(job.resolver.as_ref(), &job.conflict);
            let (group, instance, ticket) = (job.group, job.instance, job.ticket);
            let news = JobNews::Resolved {
                group,
                instance,
                ticket,
                value,
            };
            // One by one: a slow handler must not hold back the answers before it.
            self.inbox.put(|lanes| lanes.jobs.push(news));
        }
        self.taken = taken;
    }
}

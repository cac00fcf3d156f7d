//! Spans of traced requests, and of what they make followers log.
//!
//! Nothing here is touched by requests that belong to no trace: they cost one look at empty
//! collections per turn.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, VecDeque};
use std::hash::BuildHasher as _;

use repertoire_core::{
    GroupId, NodeId, Outcome, Reply, ReplyHandle, RequestId, TRACE_TARGET, TraceContext,
};
use tracing::Span;
use tracing::field::{Empty, display};

use super::NodeActor;

/// A request that belongs to a trace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TracedRequest {
    pub(crate) group: GroupId,
    pub(crate) reply_to: ReplyHandle,
    /// The name of a write; reads have none.
    pub(crate) write: Option<RequestId>,
    pub(crate) context: TraceContext,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    /// Draws names of spans: keyed at random, so that no two nodes draw the same ones.
    names: RandomState,
    drawn: u64,
    /// Requests without a reply yet. Each holds credit as long, which bounds them.
    requests: BTreeMap<ReplyHandle, Span>,
    /// The first traced write of this turn, by group.
    causes: BTreeMap<GroupId, TraceContext>,
    /// Traced entries that arrived in this turn.
    arrived: Vec<(GroupId, Span)>,
    /// Traced entries in bursts that are not durable yet.
    appends: VecDeque<(u64, Span)>,
}

impl Traces {
    /// The trace to put on entries that the group sends now.
    pub(super) fn cause(&self, group: GroupId) -> Option<TraceContext> {
        self.causes.get(&group).copied()
    }

    /// Traced entries arrived from `from`. The span lasts until they are durable.
    pub(super) fn begin_append(
        &mut self,
        context: TraceContext,
        (group, keyspace): (GroupId, &str),
        (me, from): (NodeId, NodeId),
    ) -> Span {
        let span = tracing::debug_span!(
            target: TRACE_TARGET,
            parent: None,
            "append",
            trace_id = Empty,
            span_id = Empty,
            parent_id = Empty,
            node = me.0,
            from = from.0,
            keyspace,
            shard = group.shard.0,
            outcome = Empty,
        );
        if !span.is_disabled() {
            self.name(&span, context);
            self.arrived.push((group, span.clone()));
        }
        span
    }

    /// What arrived for the group in this turn is in the burst.
    pub(super) fn logged(&mut self, group: GroupId, burst: u64) {
        if self.arrived.is_empty() {
            return;
        }
        let of_group = |(of, _): &mut (GroupId, Span)| *of == group;
        let appends = self.arrived.extract_if(.., of_group);
        self.appends.extend(appends.map(|(_, span)| (burst, span)));
    }

    /// Bursts up to this one are durable.
    pub(super) fn durable(&mut self, burst: u64) {
        while let Some((_, span)) = self.appends.pop_front_if(|(of, _)| *of <= burst) {
            span.record("outcome", "durable");
        }
    }

    /// Ends the spans of requests that are answered.
    pub(super) fn answered<'a>(&mut self, replies: impl Iterator<Item = &'a Reply>) {
        if self.requests.is_empty() {
            return;
        }
        for reply in replies {
            if let Some(span) = self.requests.remove(&reply.to) {
                span.record("outcome", outcome(&reply.outcome));
            }
        }
    }

    /// What comes now is of the next turn.
    pub(super) fn end_turn(&mut self) {
        self.causes.clear();
        for (_, span) in self.arrived.drain(..) {
            // Held already, or not to be had: the leader hears which.
            span.record("outcome", "not logged");
        }
    }

    /// Names a span, and its place in the trace. Returns the context of what it causes.
    fn name(&mut self, span: &Span, context: TraceContext) -> TraceContext {
        self.drawn += 1;
        let mine = context.caused_by(self.names.hash_one(self.drawn));
        span.record(
            "trace_id",
            display(format_args!("{:032x}", mine.trace_id())),
        );
        span.record("span_id", display(format_args!("{:016x}", mine.span_id())));
        let parent = context.span_id();
        span.record("parent_id", display(format_args!("{parent:016x}")));
        mine
    }
}

fn outcome(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Written { .. } => "written",
        Outcome::Answered { .. } => "answered",
        Outcome::Failed(error) => error.code(),
    }
}

impl NodeActor {
    /// Begins the spans of requests that are about to be handed to their replicas.
    pub(super) fn begin_traces(&mut self, requests: &mut Vec<TracedRequest>) {
        for request in requests.drain(..) {
            let context = self.begin_request(&request);
            if request.write.is_some() {
                self.traces.causes.entry(request.group).or_insert(context);
            }
        }
    }

    /// Begins the span of a request. Returns the context of what it causes: that of whoever asked,
    /// when nobody records the span.
    fn begin_request(&mut self, request: &TracedRequest) -> TraceContext {
        let group = request.group;
        let slot = self.slots.get(&group);
        let span = tracing::debug_span!(
            target: TRACE_TARGET,
            parent: None,
            "request",
            trace_id = Empty,
            span_id = Empty,
            parent_id = Empty,
            node = self.identity.node.0,
            kind = if request.write.is_some() { "write" } else { "read" },
            keyspace = slot.map_or("", |slot| slot.descriptor.name.as_str()),
            shard = group.shard.0,
            session = request.reply_to.session,
            request = request.reply_to.request,
            client = Empty,
            seq = Empty,
            outcome = Empty,
        );
        if span.is_disabled() {
            return request.context;
        }
        if let Some(id) = request.write {
            span.record("client", display(id.client));
            span.record("seq", id.seq);
        }
        let context = self.traces.name(&span, request.context);
        self.traces.requests.insert(request.reply_to, span);
        context
    }
}

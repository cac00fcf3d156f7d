//! Spans of requests, as the client sees them.

use std::sync::Arc;

use repertoire_core::{Error, TRACE_TARGET, TraceContext};
use tracing::Span;
use tracing::field::{Empty, display};
use tracing::level_filters::LevelFilter;

/// The span of one call: of a request, or of the requests that are submitted to a pipeline at once.
/// It ends with the last of them.
#[derive(Debug)]
pub(crate) struct Trace {
    span: Span,
    /// What the nodes are told.
    context: TraceContext,
}

/// Whether and how a request is traced. Nothing, in almost all cases: it must cost nothing then.
pub(crate) type Traced = Option<Arc<Trace>>;

/// What is to be traced.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Call<'a> {
    pub(crate) kind: &'static str,
    pub(crate) keyspace: &'a str,
    pub(crate) count: usize,
}

/// Begins the span of a call that `caused_by` caused, or that begins a trace. Nothing when nobody
/// records it, here or there.
#[inline]
pub(crate) fn begin(call: Call<'_>, caused_by: Option<TraceContext>) -> Traced {
    // No subscriber looks at spans of this level: the whole price of what is off.
    if caused_by.is_none() && LevelFilter::current() < LevelFilter::DEBUG {
        return None;
    }
    begin_wanted(call, caused_by)
}

#[cold]
fn begin_wanted(call: Call<'_>, caused_by: Option<TraceContext>) -> Traced {
    let span = tracing::debug_span!(
        target: TRACE_TARGET,
        "client",
        trace_id = Empty,
        span_id = Empty,
        parent_id = Empty,
        kind = call.kind,
        keyspace = call.keyspace,
        count = call.count,
        outcome = Empty,
    );
    if span.is_disabled() && caused_by.is_none() {
        return None;
    }
    let context = match caused_by {
        // Whoever traces the caller has decided that this is not worth it.
        Some(cause) if !cause.is_sampled() => return None,
        Some(cause) if span.is_disabled() => cause,
        Some(cause) => cause.caused_by(random().ok()?.span_id()),
        None => random().ok()?,
    };
    let (trace_id, span_id) = (context.trace_id(), context.span_id());
    span.record("trace_id", display(format_args!("{trace_id:032x}")));
    span.record("span_id", display(format_args!("{span_id:016x}")));
    if let Some(cause) = caused_by {
        let parent_id = cause.span_id();
        span.record("parent_id", display(format_args!("{parent_id:016x}")));
    }
    Some(Arc::new(Trace { span, context }))
}

/// The beginning of a new trace. Without randomness there is none: a name that is not unique would
/// mix traces up.
fn random() -> Result<TraceContext, getrandom::Error> {
    let mut trace = [0; 16];
    let mut span = [0; 8];
    getrandom::fill(&mut trace)?;
    getrandom::fill(&mut span)?;
    let (trace, span) = (u128::from_ne_bytes(trace), u64::from_ne_bytes(span));
    TraceContext::sampled(trace, span).ok_or(getrandom::Error::UNEXPECTED)
}

/// Whether two requests are of the same call, or of none. They may share a frame then.
pub(crate) fn is_same(one: &Traced, other: &Traced) -> bool {
    match (one, other) {
        (None, None) => true,
        (Some(one), Some(other)) => Arc::ptr_eq(one, other),
        _ => false,
    }
}

/// What the nodes are told of a request.
pub(crate) fn context(traced: &Traced) -> Option<TraceContext> {
    traced.as_ref().map(|trace| trace.context)
}

/// Notes how a call ended.
pub(crate) fn end<T>(traced: &Traced, result: &Result<T, Error>) {
    if let Some(trace) = traced {
        let outcome = result.as_ref().map_or_else(Error::code, |_| "done");
        trace.span.record("outcome", outcome);
    }
}

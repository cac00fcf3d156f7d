//! The extension that says which trace a frame belongs to.

use repertoire_core::TraceContext;

use crate::Extensions;

/// Tag of the extension: [`TraceContext::to_bytes`]. Optional: a reader that does not know it loses
/// nothing but the trace. A frame without it belongs to no trace. (Tags below are left to tests.)
pub const TRACE: u16 = 16;

/// Bytes of the extension, its framing included.
pub(crate) const TRACE_BYTES: usize = 2 + 1 + 2 + TraceContext::LEN;

/// The extensions of a frame that belongs to `trace`.
pub(crate) fn trace_extensions(trace: Option<TraceContext>) -> Extensions {
    let Some(trace) = trace else {
        return Extensions::NONE;
    };
    // One short extension is within every cap.
    Extensions::new(&[(TRACE, false, &trace.to_bytes())]).unwrap_or_default()
}

/// The trace that a frame belongs to. One that does not parse counts as none: no request fails for
/// the sake of its trace.
pub(crate) fn trace_of(extensions: &Extensions) -> Option<TraceContext> {
    if extensions.is_empty() {
        return None;
    }
    extensions.get(TRACE).and_then(TraceContext::from_bytes)
}

//! Where in a trace a request stands, after W3C Trace Context.

use std::fmt;

/// Target of every span that belongs to a request, at level `DEBUG`: what a filter switches on.
pub const TRACE_TARGET: &str = "repertoire::trace";

/// Characters of a `traceparent` of version 00.
const TRACEPARENT_LEN: usize = 55;

/// The flag of a trace that somebody records.
const SAMPLED: u8 = 1;

/// Names a trace, and the span in it that causes what follows. Neither name is zero.
///
/// ```
/// use repertoire_core::TraceContext;
/// let header = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
/// let context = TraceContext::from_traceparent(header).unwrap();
/// assert_eq!(context.span_id(), 0x00f0_67aa_0ba9_02b7);
/// assert!(context.is_sampled());
/// assert_eq!(context.to_string(), header);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TraceContext {
    // Bytes, not integers: an integer of 16 bytes would align what holds it to 16.
    trace: [u8; 16],
    span: [u8; 8],
    flags: u8,
}

impl TraceContext {
    /// Bytes of [`to_bytes`](Self::to_bytes).
    pub const LEN: usize = 25;

    /// A context that somebody records; nothing when a name is zero.
    pub const fn sampled(trace_id: u128, span_id: u64) -> Option<Self> {
        Self::new(trace_id, span_id, SAMPLED)
    }

    /// A context; nothing when a name is zero.
    pub const fn new(trace_id: u128, span_id: u64, flags: u8) -> Option<Self> {
        if trace_id == 0 || span_id == 0 {
            return None;
        }
        Some(Self {
            trace: trace_id.to_be_bytes(),
            span: span_id.to_be_bytes(),
            flags,
        })
    }

    /// The trace.
    pub const fn trace_id(&self) -> u128 {
        u128::from_be_bytes(self.trace)
    }

    /// The span that causes what follows.
    pub const fn span_id(&self) -> u64 {
        u64::from_be_bytes(self.span)
    }

    /// Whether somebody records the trace. One that nobody records is not passed on.
    pub const fn is_sampled(&self) -> bool {
        self.flags & SAMPLED != 0
    }

    /// The context of what `span_id`, a span of the same trace, causes. Zero, which names no span,
    /// leaves the context as it is.
    #[must_use]
    pub const fn caused_by(self, span_id: u64) -> Self {
        if span_id == 0 {
            return self;
        }
        Self {
            span: span_id.to_be_bytes(),
            ..self
        }
    }

    /// Trace, span and flags, as they cross the wire.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let mut bytes = [0; Self::LEN];
        let parts = self.trace.into_iter().chain(self.span).chain([self.flags]);
        for (place, byte) in bytes.iter_mut().zip(parts) {
            *place = byte;
        }
        bytes
    }

    /// Reads what [`to_bytes`](Self::to_bytes) made; bytes that a later version put behind it are
    /// left alone. Nothing when the bytes are too few or a name is zero.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (trace, rest) = bytes.split_first_chunk()?;
        let (span, rest) = rest.split_first_chunk()?;
        let (trace, span) = (u128::from_be_bytes(*trace), u64::from_be_bytes(*span));
        Self::new(trace, span, *rest.first()?)
    }

    /// Reads the value of a `traceparent` header. Nothing when it is none: a damaged header is no
    /// reason to refuse a request.
    pub fn from_traceparent(text: &str) -> Option<Self> {
        let known = text.get(..TRACEPARENT_LEN)?;
        let mut fields = known.split('-');
        let version = hex(fields.next()?, 2)?;
        let trace = hex(fields.next()?, 32)?;
        let span = u64::try_from(hex(fields.next()?, 16)?).ok()?;
        let flags = u8::try_from(hex(fields.next()?, 2)?).ok()?;
        let rest = text.get(TRACEPARENT_LEN..)?;
        let is_whole = match version {
            0 => rest.is_empty(),
            // Forbidden by the specification.
            0xff => false,
            _ => rest.is_empty() || rest.starts_with('-'),
        };
        if !is_whole || fields.next().is_some() {
            return None;
        }
        Self::new(trace, span, flags)
    }
}

/// A lowercase hexadecimal number of that many digits.
fn hex(text: &str, digits: usize) -> Option<u128> {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    if text.len() != digits || !text.bytes().all(is_digit) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

/// As a `traceparent` of version 00.
impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (trace, span, flags) = (self.trace_id(), self.span_id(), self.flags);
        write!(f, "00-{trace:032x}-{span:016x}-{flags:02x}")
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::TraceContext;

    const HEADER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    #[test]
    fn a_context_survives_the_round_trip_and_what_a_later_version_adds() {
        let context = TraceContext::new(7 << 100, 9 << 50, 0x81).unwrap();
        let mut bytes = context.to_bytes().to_vec();
        assert_eq!(TraceContext::from_bytes(&bytes), Some(context));
        bytes.push(1);
        assert_eq!(TraceContext::from_bytes(&bytes), Some(context));
        let text = context.to_string();
        assert_eq!(TraceContext::from_traceparent(&text), Some(context));
    }

    #[test]
    fn what_names_nothing_is_no_context() {
        assert_eq!(TraceContext::new(0, 1, 1), None);
        assert_eq!(TraceContext::new(1, 0, 1), None);
        assert_eq!(TraceContext::from_bytes(&[0; TraceContext::LEN]), None);
        let bytes = TraceContext::sampled(1, 1).unwrap().to_bytes();
        assert_eq!(TraceContext::from_bytes(&bytes[..24]), None);
        assert_eq!(TraceContext::from_bytes(&[]), None);
    }

    #[test]
    fn a_child_stays_in_its_trace() {
        let context = TraceContext::new(1, 2, 1).unwrap();
        assert_eq!(context.caused_by(3), TraceContext::new(1, 3, 1).unwrap());
        assert_eq!(context.caused_by(0), context);
    }

    #[test]
    fn headers_are_read_as_the_specification_says() {
        assert!(TraceContext::from_traceparent(HEADER).is_some());
        let later = HEADER.replacen("00", "01", 1);
        assert!(TraceContext::from_traceparent(&later).is_some());
        assert!(TraceContext::from_traceparent(&format!("{later}-more")).is_some());
        for damaged in [
            format!("{HEADER}-more"),
            format!("{later}more"),
            HEADER.replacen("00", "ff", 1),
            HEADER.to_uppercase(),
            HEADER.replace("4bf9", "+bf9"),
            HEADER.replace('-', "_"),
            HEADER[..54].to_owned(),
            format!("00-{}-00f067aa0ba902b7-01", "0".repeat(32)),
            format!("00-4bf92f3577b34da6a3ce929d0e0e4736-{}-01", "0".repeat(16)),
            String::new(),
            "ä".repeat(40),
        ] {
            assert_eq!(TraceContext::from_traceparent(&damaged), None, "{damaged}");
        }
    }
}

//! Where a request ends, judged before anything is decoded.
//!
//! The `redis-protocol` crate decodes what is complete. It does not know what a *server* must refuse:
//! it recurses into arrays as deep as a client nests them, believes any announced length, and begins
//! anew with each byte that arrives. So a request is first walked here, once, in the words and with
//! the errors of Redis: one array of bulk strings, or one line.

/// Most arguments of a request.
const ARGUMENTS_MAX: i64 = 1024 * 1024;

/// Longest argument, in bytes.
pub(crate) const BULK_MAX: i64 = 1024 * 1024;

/// Longest request, in bytes.
pub(crate) const REQUEST_MAX: usize = 2 * 1024 * 1024;

/// Longest line, in bytes.
const LINE_MAX: usize = 64 * 1024;

/// What is wrong with the stream; nothing after it can be understood.
pub(crate) type ProtocolError = String;

/// A complete request at the front of the buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framed {
    /// An array of this many bytes.
    Array(usize),
    /// A line of this many bytes, its end included.
    Line(usize),
    /// This many bytes that ask for nothing: an empty array.
    Nothing(usize),
}

/// The walk through a request that may not be complete yet.
#[derive(Debug, Default)]
pub(crate) struct Framing {
    /// Bytes walked.
    at: usize,
    /// Arguments still to come; `None` before the head.
    left: Option<i64>,
}

impl Framing {
    /// Walks on through `buffer`, which begins where the request does. Returns nothing while it is
    /// incomplete: call again with more behind the same bytes.
    ///
    /// # Errors
    /// The error to be sent before the connection is closed.
    pub(crate) fn walk(&mut self, buffer: &[u8]) -> Result<Option<Framed>, ProtocolError> {
        let walked = self.step(buffer)?;
        if walked.is_some() {
            *self = Self::default();
        } else if buffer.len() > REQUEST_MAX {
            return Err(format!("request is longer than {REQUEST_MAX} bytes"));
        }
        Ok(walked)
    }

    fn step(&mut self, buffer: &[u8]) -> Result<Option<Framed>, ProtocolError> {
        let Some(first) = buffer.first() else {
            return Ok(None);
        };
        if *first != b'*' {
            return line_end(buffer);
        }
        if self.left.is_none() {
            let Some((count, len)) = number(buffer, "mbulk count", "multibulk")? else {
                return Ok(None);
            };
            if count > ARGUMENTS_MAX {
                return Err("invalid multibulk length".into());
            }
            if count <= 0 {
                return Ok(Some(Framed::Nothing(len)));
            }
            (self.left, self.at) = (Some(count), len);
        }
        while let Some(left @ 1..) = self.left {
            let rest = buffer.get(self.at..).unwrap_or_default();
            match rest.first() {
                None => return Ok(None),
                Some(b'$') => {}
                Some(other) => {
                    return Err(format!("expected '$', got '{}'", char::from(*other)));
                }
            }
            let Some((len, head)) = number(rest, "bulk count", "bulk")? else {
                return Ok(None);
            };
            let len = usize::try_from(len).ok().filter(|_| len <= BULK_MAX);
            let len = len.ok_or("invalid bulk length")?;
            let end = head + len + 2;
            if self.at + end > REQUEST_MAX {
                return Err(format!("request is longer than {REQUEST_MAX} bytes"));
            }
            if rest.len() < end {
                return Ok(None);
            }
            self.at += end;
            self.left = Some(left - 1);
        }
        Ok(Some(Framed::Array(self.at)))
    }
}

/// The number between the first byte and the end of the line, and the bytes of all of that.
fn number(rest: &[u8], long: &str, wrong: &str) -> Result<Option<(i64, usize)>, ProtocolError> {
    let head = rest.get(..rest.len().min(LINE_MAX)).unwrap_or_default();
    let Some(end) = head.iter().position(|byte| *byte == b'\r') else {
        if rest.len() >= LINE_MAX {
            return Err(format!("too big {long} string"));
        }
        return Ok(None);
    };
    if rest.len() < end + 2 {
        return Ok(None);
    }
    let digits = rest.get(1..end).unwrap_or_default();
    let number = match digits {
        // Most lengths: worth a short way.
        [one @ b'0'..=b'9'] => i64::from(one - b'0'),
        [tens @ b'1'..=b'9', ones @ b'0'..=b'9'] => {
            i64::from(tens - b'0') * 10 + i64::from(ones - b'0')
        }
        other => crate::families::integer(other).map_err(|_| format!("invalid {wrong} length"))?,
    };
    Ok(Some((number, end + 2)))
}

fn line_end(buffer: &[u8]) -> Result<Option<Framed>, ProtocolError> {
    let head = buffer.get(..buffer.len().min(LINE_MAX)).unwrap_or_default();
    match head.iter().position(|byte| *byte == b'\n') {
        Some(end) => Ok(Some(Framed::Line(end + 1))),
        None if buffer.len() >= LINE_MAX => Err("too big inline request".into()),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::{Framed, Framing};

    fn walk(bytes: &[u8]) -> Result<Option<Framed>, String> {
        Framing::default().walk(bytes)
    }

    #[test]
    fn a_request_is_complete_at_its_last_byte_however_it_arrives() {
        let whole = b"*2\r\n$3\r\nGET\r\n$0\r\n\r\n";
        let mut framing = Framing::default();
        for len in 0..whole.len() {
            assert_eq!(framing.walk(&whole[..len]), Ok(None), "{len}");
        }
        let end = Framed::Array(whole.len());
        assert_eq!(framing.walk(whole), Ok(Some(end)));
        assert_eq!(walk(&[&whole[..], b"*1\r\n"].concat()), Ok(Some(end)));
        assert_eq!(walk(b"PING\r\n*"), Ok(Some(Framed::Line(6))));
        for nothing in [&b"*0\r\n"[..], b"*-1\r\n", b"*-9\r\n"] {
            assert_eq!(walk(nothing), Ok(Some(Framed::Nothing(nothing.len()))));
        }
    }

    #[test]
    fn what_redis_refuses_is_refused_in_its_words() {
        let error = |bytes: &[u8]| walk(bytes).unwrap_err();
        assert_eq!(error(b"*x\r\n"), "invalid multibulk length");
        assert_eq!(error(b"*1048577\r\n"), "invalid multibulk length");
        assert_eq!(error(b"*1\r\n+OK\r\n"), "expected '$', got '+'");
        assert_eq!(error(b"*1\r\n*1\r\n"), "expected '$', got '*'");
        assert_eq!(error(b"*1\r\n$-1\r\n"), "invalid bulk length");
        assert_eq!(error(b"*1\r\n$1048577\r\n"), "invalid bulk length");
        assert_eq!(error(&[b'*'; 70_000]), "too big mbulk count string");
        assert_eq!(error(&[b'a'; 70_000]), "too big inline request");
        let long = [&b"*1\r\n$"[..], &[b'1'; 70_000]].concat();
        assert_eq!(error(&long), "too big bulk count string");
    }

    #[test]
    fn a_request_of_many_long_arguments_is_refused_before_it_is_there() {
        let one = [&b"$1048576\r\n"[..], &vec![b'x'; 1 << 20], b"\r\n"].concat();
        let bytes = [&b"*3\r\n"[..], &one, b"$1048576\r\n"].concat();
        assert!(walk(&bytes).unwrap_err().contains("longer than"));
    }
}

//! A client that sees the bytes: both versions of the protocol, decoded by the `redis-protocol` crate.

use std::fmt;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use redis_protocol::resp2::types::OwnedFrame as Frame2;
use redis_protocol::resp3::types::OwnedFrame as Frame3;
use redis_protocol::{resp2, resp3};

/// A reply, in either version. Sets are sorted.
#[derive(Clone, PartialEq)]
pub(crate) enum Frame {
    Two(Frame2),
    Three(Frame3),
}

impl fmt::Debug for Frame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Two(frame) => write!(f, "{frame:?}"),
            Self::Three(frame) => write!(f, "{frame:?}"),
        }
    }
}

impl Frame {
    /// The number that it is.
    pub(crate) fn int(&self) -> i64 {
        let number = self.as_int();
        number.unwrap_or_else(|| panic!("no number: {self:?}"))
    }

    /// A number, if it is one.
    pub(crate) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Two(Frame2::Integer(number)) => Some(*number),
            Self::Three(Frame3::Number { data, .. }) => Some(*data),
            _ => None,
        }
    }

    /// The items of an array, if it is one.
    pub(crate) fn parts(&self) -> Option<Vec<Self>> {
        match self {
            Self::Two(Frame2::Array(items)) => Some(items.iter().cloned().map(Self::Two).collect()),
            Self::Three(Frame3::Array { data, .. }) => {
                Some(data.iter().cloned().map(Self::Three).collect())
            }
            _ => None,
        }
    }

    /// The text of a string or an error; words in brackets for the rest.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Two(frame) => text_2(frame),
            Self::Three(frame) => text_3(frame),
        }
    }

    /// The items of an array or a set, as text.
    pub(crate) fn items(&self) -> Vec<String> {
        match self {
            Self::Two(Frame2::Array(items)) => items.iter().map(text_2).collect(),
            Self::Three(Frame3::Array { data, .. }) => data.iter().map(text_3).collect(),
            Self::Three(Frame3::Set { data, .. }) => data.iter().map(text_3).collect(),
            other => panic!("no array: {other:?}"),
        }
    }

    /// In an order of its own, for replies that have none.
    pub(crate) fn sorted(self) -> Self {
        match self {
            Self::Two(Frame2::Array(mut items)) => {
                items.sort_by_key(text_2);
                Self::Two(Frame2::Array(items))
            }
            Self::Three(Frame3::Array {
                mut data,
                attributes,
            }) => {
                data.sort_by_key(text_3);
                Self::Three(Frame3::Array { data, attributes })
            }
            other => other,
        }
    }
}

fn text_2(frame: &Frame2) -> String {
    match frame {
        Frame2::SimpleString(text) | Frame2::BulkString(text) => {
            String::from_utf8_lossy(text).into_owned()
        }
        Frame2::Error(text) => text.clone(),
        Frame2::Integer(number) => number.to_string(),
        Frame2::Null => "(nil)".into(),
        Frame2::Array(items) => format!(
            "[{}]",
            items.iter().map(text_2).collect::<Vec<_>>().join(" ")
        ),
    }
}

fn text_3(frame: &Frame3) -> String {
    match frame {
        Frame3::SimpleString { data, .. } | Frame3::BlobString { data, .. } => {
            String::from_utf8_lossy(data).into_owned()
        }
        Frame3::VerbatimString { data, .. } => String::from_utf8_lossy(data).into_owned(),
        Frame3::SimpleError { data, .. } => data.clone(),
        Frame3::Number { data, .. } => data.to_string(),
        Frame3::Null => "(nil)".into(),
        Frame3::Array { data, .. } => {
            format!(
                "[{}]",
                data.iter().map(text_3).collect::<Vec<_>>().join(" ")
            )
        }
        other => format!("{other:?}"),
    }
}

/// A connection.
pub(crate) struct Wire {
    stream: TcpStream,
    buffer: Vec<u8>,
    is_three: bool,
}

impl Wire {
    pub(crate) fn try_connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_nodelay(true).ok()?;
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .ok()?;
        Some(Self {
            stream,
            buffer: Vec::new(),
            is_three: false,
        })
    }

    pub(crate) fn connect(address: SocketAddr) -> Self {
        Self::try_connect(address).expect("the server listens")
    }

    /// Speaks RESP3 from here on.
    pub(crate) fn three(mut self) -> Self {
        self.send(&[b"HELLO", b"3"]);
        self.is_three = true;
        self.reply();
        self
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Like `raw`, for servers that may hang up at any time.
    pub(crate) fn try_raw(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    pub(crate) fn send(&mut self, args: &[&[u8]]) {
        let bytes = encode(args);
        self.raw(&bytes);
    }

    /// A command of words without spaces, and its reply.
    pub(crate) fn ask(&mut self, command: &str) -> Frame {
        let args: Vec<&[u8]> = command.split(' ').map(str::as_bytes).collect();
        self.send(&args);
        self.reply()
    }

    /// The text of the reply.
    pub(crate) fn say(&mut self, command: &str) -> String {
        self.ask(command).text()
    }

    pub(crate) fn reply(&mut self) -> Frame {
        self.try_reply().expect("a reply")
    }

    /// The next reply; nothing when the server hung up.
    pub(crate) fn try_reply(&mut self) -> Option<Frame> {
        let mut chunk = [0; 65536];
        loop {
            if let Some(frame) = self.decode() {
                return Some(frame);
            }
            match self.stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(len) => self.buffer.extend_from_slice(&chunk[..len]),
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("no reply: {error}"),
            }
        }
    }

    fn decode(&mut self) -> Option<Frame> {
        let (frame, len) = if self.is_three {
            let (frame, len) = resp3::decode::complete::decode(&self.buffer).unwrap()?;
            (Frame::Three(frame), len)
        } else {
            let (frame, len) = resp2::decode::decode(&self.buffer).unwrap()?;
            (Frame::Two(frame), len)
        };
        self.buffer.drain(..len);
        Some(frame)
    }
}

/// A request.
pub(crate) fn encode(args: &[&[u8]]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", args.len()).into_bytes();
    for arg in args {
        bytes.extend_from_slice(format!("${}\r\n", arg.len()).as_bytes());
        bytes.extend_from_slice(arg);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}

//! Who talks: the first frames of a connection and of its streams.
//!
//! The side that dials opens a two-way stream, sends [`Hello`] and waits for a [`HelloReply`]. Only
//! then do the one-way streams open, each with a [`StreamHello`] that names its class. A client
//! does the same on each of its two-way streams.

use bytes::Bytes;
use repertoire_core::{ClusterId, DecodeError, Incarnation, Lineage, NodeId};
use serde::{Deserialize, Serialize};

use crate::{
    BoundedStr, Envelope, Extensions, Frame, FrameKind, LENGTH_LEN, WireError, decode_head,
    encode_head,
};

mod refusal;
mod stream;
mod version;

pub use refusal::RefusalReason;
pub use stream::StreamHello;
pub use version::VersionRange;

/// `RPT1` in memory order: tells our streams from those of a stranger.
pub const MAGIC: u32 = u32::from_le_bytes(*b"RPT1");

/// Longest name of a client, in bytes: it has to fit into one label of its certificate's name.
pub const CLIENT_NAME_MAX: usize = 56;

/// Most bytes of a hello frame's parts.
pub const HELLO_FRAME_MAX: usize = 8 * 1024;

/// Who a process says it is. Its certificate must say the same. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Speaker {
    /// A node of the cluster.
    Node {
        /// Its id.
        id: NodeId,
        /// Its disk.
        incarnation: Incarnation,
    },
    /// A client.
    Client {
        /// Its name.
        name: BoundedStr<CLIENT_NAME_MAX>,
    },
}

/// What a process says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// [`MAGIC`].
    pub magic: u32,
    /// The protocol versions it speaks.
    pub versions: VersionRange,
    /// The cluster it belongs to. A client that has not learned it yet leaves it out.
    pub cluster: Option<ClusterId>,
    /// Who it is.
    pub speaker: Speaker,
    /// The version of the catalogue it has seen.
    pub catalogue_version: u64,
    /// What it is able to log and read.
    pub feature_level: u32,
    /// Digest of its configuration, where nodes compare it.
    pub config_digest: Option<u64>,
    /// The starts of a node's disk; it travels as an extension.
    #[serde(skip)]
    pub lineage: Lineage,
}

impl Hello {
    /// A hello of this build.
    pub fn new(cluster: Option<ClusterId>, speaker: Speaker) -> Self {
        Self {
            magic: MAGIC,
            versions: VersionRange::OURS,
            cluster,
            speaker,
            catalogue_version: 0,
            feature_level: 1,
            config_digest: None,
            lineage: Lineage::default(),
        }
    }

    /// The frame, its length in front included.
    pub fn encode(&self) -> Bytes {
        encode_bare(FrameKind::Hello, self, Some(&self.lineage))
    }

    /// Reads a frame (without its length in front).
    ///
    /// # Errors
    /// When the bytes are no hello.
    pub fn decode(frame: Bytes) -> Result<Self, WireError> {
        let (mut hello, lineage): (Self, _) = decode_bare(FrameKind::Hello, frame)?;
        check_magic(hello.magic)?;
        hello.lineage = lineage;
        Ok(hello)
    }

    /// The node that speaks, if one does.
    pub const fn node(&self) -> Option<(NodeId, Incarnation)> {
        match &self.speaker {
            Speaker::Node { id, incarnation } => Some((*id, *incarnation)),
            Speaker::Client { .. } => None,
        }
    }
}

/// What the other side answers. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum HelloReply {
    /// Frames may flow.
    Welcome {
        /// The highest version that both speak.
        version: u16,
        /// Who answers.
        hello: Hello,
        /// Bytes of requests that may be under way on this stream; zero between nodes.
        credit: u32,
    },
    /// They may not.
    Refused {
        /// Why, as [`RefusalReason::code`].
        code: u16,
        /// For people.
        detail: BoundedStr<256>,
    },
}

impl HelloReply {
    /// The frame, its length in front included.
    pub fn encode(&self) -> Bytes {
        let lineage = match self {
            Self::Welcome { hello, .. } => Some(&hello.lineage),
            Self::Refused { .. } => None,
        };
        encode_bare(FrameKind::HelloReply, self, lineage)
    }

    /// Reads a frame (without its length in front).
    ///
    /// # Errors
    /// When the bytes are no reply.
    pub fn decode(frame: Bytes) -> Result<Self, WireError> {
        let (mut reply, lineage): (Self, _) = decode_bare(FrameKind::HelloReply, frame)?;
        if let Self::Welcome { hello, .. } = &mut reply {
            check_magic(hello.magic)?;
            hello.lineage = lineage;
        }
        Ok(reply)
    }
}

fn check_magic(magic: u32) -> Result<(), WireError> {
    if magic == MAGIC {
        Ok(())
    } else {
        Err(DecodeError::Invalid {
            field: "magic",
            value: magic.into(),
        }
        .into())
    }
}

/// The tag of the extension that carries a [`Lineage`].
const LINEAGE: u16 = 17;

fn encode_bare<T: Serialize>(kind: FrameKind, head: &T, lineage: Option<&Lineage>) -> Bytes {
    let mut frame = Frame::new(Envelope::bare(kind), encode_head(head), Bytes::new());
    if let Some(lineage) = lineage.filter(|lineage| lineage.now().is_some()) {
        // At most 520 bytes.
        let item = (LINEAGE, false, &lineage.to_bytes()[..]);
        frame.extensions = Extensions::new(&[item]).unwrap_or_default();
    }
    // The largest hello is a few hundred bytes; the type of every field bounds it.
    frame
        .encode(HELLO_FRAME_MAX)
        .map(|(front, _)| front)
        .unwrap_or_default()
}

fn decode_bare<T: serde::de::DeserializeOwned>(
    kind: FrameKind,
    frame: Bytes,
) -> Result<(T, Lineage), WireError> {
    let frame = Frame::decode(frame, &[])?;
    if frame.envelope.kind != kind {
        return Err(WireError::UnexpectedKind {
            kind: frame.envelope.kind.to_byte(),
        });
    }
    if !frame.body.is_empty() {
        return Err(DecodeError::Trailing {
            extra: frame.body.len(),
        }
        .into());
    }
    let lineage = match frame.extensions.get(LINEAGE) {
        None => Lineage::default(),
        Some(bytes) => Lineage::from_bytes(bytes).ok_or(DecodeError::Invalid {
            field: "lineage",
            value: bytes.len() as u64,
        })?,
    };
    Ok((decode_head(&frame.head)?, lineage))
}

/// The frame behind its length, for frames that are encoded in one piece.
pub fn without_length(mut frame: Bytes) -> Bytes {
    let _length = frame.split_to(LENGTH_LEN.min(frame.len()));
    frame
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use repertoire_core::{Class, ClusterId, Incarnation, NodeId};

    use super::{Hello, HelloReply, Speaker, StreamHello, VersionRange, without_length};
    use crate::BoundedStr;

    fn hello() -> Hello {
        let speaker = Speaker::Node {
            id: NodeId(1),
            incarnation: Incarnation(2),
        };
        Hello::new(Some(ClusterId(3)), speaker)
    }

    #[test]
    fn hellos_survive_the_round_trip() {
        let read = Hello::decode(without_length(hello().encode())).unwrap();
        assert_eq!(read, hello());
        for class in Class::ALL {
            let frame = without_length(StreamHello { class }.encode());
            assert_eq!(StreamHello::decode(frame).unwrap().class, class);
        }
        for reply in [
            HelloReply::Welcome {
                version: 1,
                hello: hello(),
                credit: 7,
            },
            HelloReply::Refused {
                code: 9,
                detail: BoundedStr::truncated("because"),
            },
        ] {
            let frame = without_length(reply.encode());
            assert_eq!(HelloReply::decode(frame).unwrap(), reply);
        }
    }

    #[test]
    fn strangers_are_refused() {
        let mut stranger = hello();
        stranger.magic = 1;
        assert!(Hello::decode(without_length(stranger.encode())).is_err());
        assert!(Hello::decode(Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n")).is_err());
        let stream = StreamHello { class: Class::Bulk };
        assert!(Hello::decode(without_length(stream.encode())).is_err());
    }

    #[test]
    fn the_highest_common_version_is_chosen() {
        let range = |min, max| VersionRange { min, max };
        assert_eq!(range(1, 3).common(range(2, 9)), Ok(3));
        assert_eq!(range(2, 9).common(range(1, 3)), Ok(3));
        assert!(range(1, 1).common(range(2, 2)).is_err());
    }
}

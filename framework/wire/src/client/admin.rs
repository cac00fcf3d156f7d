//! Administrative requests: rare, so their bodies are JSON and opaque to the wire.

use bytes::{Bytes, BytesMut};
use repertoire_core::Error;
use repertoire_core::cursor::Cursor;
use repertoire_core::limits::DATA_FRAME_MAX;
use serde::{Deserialize, Serialize};

use super::failure::{decode_error, encode_error};
use crate::{BoundedStr, Envelope, Frame, FrameKind, WireError, decode_head, encode_head};

/// Longest name of a keyspace or of an administrative call, in bytes.
pub const KEYSPACE_NAME_MAX: usize = 256;

/// What is asked. Append-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum AdminVerb {
    /// How the node is; the answer is a JSON object.
    Status,
    /// The descriptor of a keyspace, as JSON.
    Resolve {
        /// The keyspace's name.
        keyspace: BoundedStr<KEYSPACE_NAME_MAX>,
    },
    /// Something that has a name; arguments and answer are JSON.
    Call {
        /// The name.
        name: BoundedStr<KEYSPACE_NAME_MAX>,
    },
}

/// An administrative request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminRequest {
    /// Names it within the session.
    pub request: u64,
    /// What is asked.
    pub verb: AdminVerb,
    /// Arguments, as JSON; may be empty.
    pub args: Bytes,
}

#[derive(Serialize, Deserialize)]
struct RequestHead {
    request: u64,
    verb: AdminVerb,
}

impl AdminRequest {
    /// The frame: front and body.
    ///
    /// # Errors
    /// `TooLong` when the arguments are above the cap of a frame.
    pub fn encode(&self) -> Result<(Bytes, Bytes), WireError> {
        let head = RequestHead {
            request: self.request,
            verb: self.verb.clone(),
        };
        let envelope = Envelope::bare(FrameKind::Admin);
        Frame::new(envelope, encode_head(&head), self.args.clone()).encode(DATA_FRAME_MAX)
    }

    pub(crate) fn from_frame(frame: Frame) -> Result<Self, WireError> {
        let head: RequestHead = decode_head(&frame.head)?;
        Ok(Self {
            request: head.request,
            verb: head.verb,
            args: frame.body,
        })
    }
}

/// The answer to an administrative request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdminReply {
    /// The request it answers.
    pub request: u64,
    /// JSON, or why there is none.
    pub result: Result<Bytes, Box<Error>>,
}

#[derive(Serialize, Deserialize)]
struct ReplyHead {
    request: u64,
    failed: bool,
}

impl AdminReply {
    /// The frame: front and body.
    ///
    /// # Errors
    /// `TooLong` when the JSON is above the cap of a frame.
    pub fn encode(&self) -> Result<(Bytes, Bytes), WireError> {
        let head = ReplyHead {
            request: self.request,
            failed: self.result.is_err(),
        };
        let body = match &self.result {
            Ok(json) => json.clone(),
            Err(error) => {
                let mut out = BytesMut::new();
                encode_error(error, &mut out);
                out.freeze()
            }
        };
        let envelope = Envelope::bare(FrameKind::AdminReply);
        Frame::new(envelope, encode_head(&head), body).encode(DATA_FRAME_MAX)
    }

    pub(crate) fn from_frame(frame: Frame) -> Result<Self, WireError> {
        let head: ReplyHead = decode_head(&frame.head)?;
        let result = if head.failed {
            let mut cursor = Cursor::new(&frame.body);
            let error = decode_error(&mut cursor)?;
            cursor.finish()?;
            Err(Box::new(error))
        } else {
            Ok(frame.body)
        };
        Ok(Self {
            request: head.request,
            result,
        })
    }
}

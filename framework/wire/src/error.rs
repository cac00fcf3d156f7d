//! Why bytes were refused.

use repertoire_core::{DecodeError, Error, ErrorKind};
use thiserror::Error as ThisError;

/// Why bytes were refused. A connection that sends such bytes is closed; the node lives on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ThisError)]
#[non_exhaustive]
pub enum WireError {
    /// The bytes are not what they claim to be.
    #[error(transparent)]
    Decode(#[from] DecodeError),
    /// The sender demands that an extension be understood which this version does not know.
    #[error("the frame needs extension {tag}, which this version does not know")]
    UnknownCritical {
        /// The extension's tag.
        tag: u16,
    },
    /// The frame's layout is of a version that was not negotiated.
    #[error("the frame has layout version {version}, this node speaks {WIRE}", WIRE = crate::WIRE_VERSION)]
    UnsupportedVersion {
        /// The version in the frame.
        version: u8,
    },
    /// The frame is of a kind that does not belong here.
    #[error("a frame of kind {kind} does not belong here")]
    UnexpectedKind {
        /// The kind's number.
        kind: u8,
    },
    /// The two sides have no version in common.
    #[error(
        "no common version: we speak {ours_min} to {ours_max}, they {theirs_min} to {theirs_max}"
    )]
    NoCommonVersion {
        /// Our lowest.
        ours_min: u16,
        /// Our highest.
        ours_max: u16,
        /// Their lowest.
        theirs_min: u16,
        /// Their highest.
        theirs_max: u16,
    },
}

impl From<WireError> for Error {
    fn from(error: WireError) -> Self {
        Self::new(ErrorKind::Malformed, "decode frame").with("detail", error)
    }
}

/// Shorthand for a length above its cap.
pub(crate) fn too_long(field: &'static str, len: usize, max: usize) -> WireError {
    WireError::Decode(DecodeError::TooLong {
        field,
        len: len as u64,
        max: max as u64,
    })
}

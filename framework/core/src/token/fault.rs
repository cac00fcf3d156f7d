//! Why a token is refused.

use serde::{Deserialize, Serialize};
use thiserror::Error as ThisError;

use crate::{ClusterId, Error, ErrorKind};

/// Why a session token is refused. Append-only: it travels on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ThisError)]
#[non_exhaustive]
pub enum TokenFault {
    /// Longer than any token.
    #[error("it is {len} bytes long, at most {max} are allowed")]
    TooLong {
        /// Bytes offered.
        len: u64,
        /// Bytes allowed.
        max: u64,
    },
    /// Not the text of a token, or cut short.
    #[error("it is not a token, or a part of it is missing")]
    Malformed,
    /// The seal does not match: forged, damaged, or sealed with a key that was given up.
    #[error("its seal does not match")]
    Forged,
    /// It names another cluster.
    #[error("it belongs to {cluster}")]
    Foreign {
        /// The cluster that it names; boxed, because every error would be as large.
        cluster: Box<ClusterId>,
    },
    /// Sealed by this cluster in a version that is not read any more, or not yet.
    #[error("this node does not read version {version} of tokens")]
    Outdated {
        /// Its version.
        version: u8,
    },
}

impl From<TokenFault> for Error {
    fn from(fault: TokenFault) -> Self {
        Self::new(ErrorKind::InvalidToken { fault }, "open a session token")
    }
}

//! How connections end, in our own words.

use std::fmt;

use quinn::{Connection, ConnectionError, VarInt};
use repertoire_core::{Error, ErrorKind};
use repertoire_wire::WireError;
use repertoire_wire::hello::RefusalReason;

use crate::congestion::uncork;
use crate::tls::marked_reason;

/// TLS alerts travel as 0x100 plus their number.
const ALERT_CERTIFICATE_REQUIRED: u64 = 0x100 + 116;
const ALERT_NO_COMMON_PROTOCOL: u64 = 0x100 + 120;

/// Why a connection could not be made, or ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LinkEnd {
    /// The reason, when one side refused the other.
    pub(crate) refusal: Option<RefusalReason>,
    /// For people.
    pub(crate) detail: String,
    /// Whether the other side gave the reason.
    pub(crate) by_peer: bool,
}

impl LinkEnd {
    pub(crate) fn refused(reason: RefusalReason, detail: impl fmt::Display) -> Self {
        Self {
            refusal: Some(reason),
            detail: detail.to_string(),
            by_peer: false,
        }
    }

    /// As the other side says.
    pub(crate) fn told(code: u16, detail: impl fmt::Display) -> Self {
        Self {
            by_peer: true,
            ..Self::refused(RefusalReason::from_code(code), detail)
        }
    }

    pub(crate) fn lost(detail: impl fmt::Display) -> Self {
        Self {
            refusal: None,
            detail: detail.to_string(),
            by_peer: false,
        }
    }

    /// Closes the connection and tells the other side why.
    pub(crate) fn close(&self, connection: &Connection) {
        let code = self.refusal.map_or(0, RefusalReason::code);
        uncork(connection);
        connection.close(VarInt::from(code), self.detail.as_bytes());
    }

    /// As an error of the public API.
    pub(crate) fn into_error(self, operation: &str) -> Error {
        match self.refusal {
            Some(reason) => Error::new(ErrorKind::IdentityRefused, operation)
                .with("reason", reason)
                .with("detail", self.detail),
            None => Error::new(ErrorKind::Unavailable, operation).with("detail", self.detail),
        }
    }
}

impl fmt::Display for LinkEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.refusal {
            Some(reason) => write!(f, "refused, {reason}: {}", self.detail),
            None => f.write_str(&self.detail),
        }
    }
}

impl From<WireError> for LinkEnd {
    fn from(error: WireError) -> Self {
        let is_version = matches!(
            error,
            WireError::NoCommonVersion { .. } | WireError::UnsupportedVersion { .. }
        );
        let reason = if is_version {
            RefusalReason::NoCommonVersion
        } else {
            RefusalReason::Malformed
        };
        Self::refused(reason, error)
    }
}

impl From<ConnectionError> for LinkEnd {
    fn from(error: ConnectionError) -> Self {
        let refusal = match &error {
            ConnectionError::TransportError(e) => of_text(e.code.into(), &e.reason),
            ConnectionError::ConnectionClosed(close) => {
                let text = String::from_utf8_lossy(&close.reason);
                of_text(close.error_code.into(), &text)
            }
            ConnectionError::ApplicationClosed(close) => {
                let code = u16::try_from(close.error_code.into_inner()).unwrap_or(u16::MAX);
                (code != 0).then(|| RefusalReason::from_code(code))
            }
            ConnectionError::VersionMismatch => Some(RefusalReason::NoCommonVersion),
            ConnectionError::Reset
            | ConnectionError::TimedOut
            | ConnectionError::LocallyClosed
            | ConnectionError::CidsExhausted => None,
        };
        Self {
            refusal,
            detail: error.to_string(),
            by_peer: matches!(error, ConnectionError::ApplicationClosed(_)),
        }
    }
}

fn of_text(code: u64, text: &str) -> Option<RefusalReason> {
    match code {
        ALERT_CERTIFICATE_REQUIRED => Some(RefusalReason::NoCertificate),
        ALERT_NO_COMMON_PROTOCOL => Some(RefusalReason::NoCommonVersion),
        _ => marked_reason(text),
    }
}

impl From<quinn::WriteError> for LinkEnd {
    fn from(error: quinn::WriteError) -> Self {
        match error {
            quinn::WriteError::ConnectionLost(reason) => reason.into(),
            quinn::WriteError::Stopped(code) => stopped(code.into_inner(), "reading"),
            quinn::WriteError::ClosedStream | quinn::WriteError::ZeroRttRejected => {
                Self::lost(error)
            }
        }
    }
}

impl From<quinn::ReadError> for LinkEnd {
    fn from(error: quinn::ReadError) -> Self {
        match error {
            quinn::ReadError::ConnectionLost(reason) => reason.into(),
            quinn::ReadError::Reset(code) => stopped(code.into_inner(), "writing"),
            quinn::ReadError::ClosedStream
            | quinn::ReadError::IllegalOrderedRead
            | quinn::ReadError::ZeroRttRejected => Self::lost(error),
        }
    }
}

fn stopped(code: u64, what: &str) -> LinkEnd {
    let code = u16::try_from(code).unwrap_or(u16::MAX);
    LinkEnd {
        refusal: (code != 0).then(|| RefusalReason::from_code(code)),
        detail: format!("the other side stopped {what}"),
        by_peer: true,
    }
}

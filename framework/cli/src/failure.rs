//! How a command fails: a message and an exit code.

use std::fmt;

use repertoire::core::{Error, ErrorKind, WriteOutcome};
use repertoire_config::ConfigErrors;
use serde_json::{Value, json};

/// Any failure that has no code of its own.
pub(crate) const FAILURE: u8 = 1;
/// The command line is wrong.
pub(crate) const USAGE: u8 = 2;
/// Too few nodes answer, or too late. Trying again may help.
pub(crate) const UNAVAILABLE: u8 = 3;
/// The expected state was not found.
pub(crate) const CONFLICT: u8 = 4;
/// No such key, keyspace or node.
pub(crate) const NOT_FOUND: u8 = 5;
/// Another process works on the data folder.
pub(crate) const IN_USE: u8 = 6;

/// How a command fails.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The framework said why.
    Error(Box<Error>),
    /// The configuration is wrong.
    Config(ConfigErrors),
    /// The arguments do not fit together.
    Usage(String),
    /// There is no such thing.
    NotFound(String),
    /// Anything else.
    Failed(String),
    /// All there is to say was said; or nobody reads what is written.
    Quiet(u8),
}

impl Failure {
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::Failed(message.into())
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::Usage(message.into())
    }

    /// A file or stream that cannot be read or written.
    pub(crate) fn io(what: impl fmt::Display, error: &std::io::Error) -> Self {
        Self::Failed(format!("{what}: {error}"))
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Error(error) => code_of(error.kind()),
            Self::Config(_) | Self::Failed(_) => FAILURE,
            Self::Usage(_) => USAGE,
            Self::NotFound(_) => NOT_FOUND,
            Self::Quiet(code) => *code,
        }
    }

    /// What programs are told.
    pub(crate) fn to_json(&self) -> Value {
        let (code, may_have_happened) = match self {
            Self::Error(error) => (Some(error.code()), error.outcome() == WriteOutcome::Unknown),
            Self::Config(_) => (Some(ErrorKind::ConfigInvalid.code()), false),
            Self::Usage(_) | Self::NotFound(_) | Self::Failed(_) | Self::Quiet(_) => (None, false),
        };
        json!({"error": {
            "code": code,
            "exit": self.code(),
            "may_have_happened": may_have_happened,
            "message": self.to_string(),
        }})
    }
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "kinds may be added, and are plain failures until somebody knows better"
)]
fn code_of(kind: &ErrorKind) -> u8 {
    match kind {
        ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::NotLeader { .. }
        | ErrorKind::NotCaughtUp { .. }
        | ErrorKind::Overloaded
        | ErrorKind::StorageFull
        | ErrorKind::ShuttingDown => UNAVAILABLE,
        ErrorKind::Conflict
        | ErrorKind::Fenced { .. }
        | ErrorKind::Discarded { .. }
        | ErrorKind::StaleDescriptor { .. }
        | ErrorKind::RequestIdReuse => CONFLICT,
        ErrorKind::UnknownKeyspace => NOT_FOUND,
        ErrorKind::FolderInUse => IN_USE,
        _ => FAILURE,
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => write!(f, "{error}"),
            Self::Config(errors) => write!(f, "{errors}"),
            Self::Usage(message) | Self::NotFound(message) | Self::Failed(message) => {
                f.write_str(message)
            }
            Self::Quiet(_) => Ok(()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Error(Box::new(error))
    }
}

impl From<ConfigErrors> for Failure {
    fn from(errors: ConfigErrors) -> Self {
        Self::Config(errors)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_tell_what_a_script_can_do_about_it() {
        let code = |kind| Failure::from(Error::new(kind, "test")).code();
        assert_eq!(code(ErrorKind::Timeout), UNAVAILABLE);
        assert_eq!(code(ErrorKind::Conflict), CONFLICT);
        assert_eq!(code(ErrorKind::UnknownKeyspace), NOT_FOUND);
        assert_eq!(code(ErrorKind::ConfigInvalid), FAILURE);
        assert_eq!(Failure::usage("x").code(), USAGE);
    }

    #[test]
    fn programs_learn_whether_a_write_may_have_happened() {
        let json = Failure::from(Error::new(ErrorKind::Timeout, "put")).to_json();
        assert_eq!(json["error"]["may_have_happened"], true);
        assert_eq!(json["error"]["code"], "RPT-0003");
    }
}

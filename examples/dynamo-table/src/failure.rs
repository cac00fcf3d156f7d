//! Errors, as clients of DynamoDB know them.

use repertoire::core::{Error, ErrorKind, WriteOutcome};
use serde_json::{Value, json};

/// Why a request is not done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Failure {
    /// The HTTP status: from 500 on clients try again by themselves.
    pub(crate) status: u16,
    kind: &'static str,
    pub(crate) message: String,
}

impl Failure {
    fn new(status: u16, kind: &'static str, message: impl Into<String>) -> Self {
        Self {
            status,
            kind,
            message: message.into(),
        }
    }

    /// The request makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "ValidationException", message)
    }

    /// The table is not there.
    pub(crate) fn no_table(name: &str) -> Self {
        let message = format!("Requested resource not found: Table: {name} not found");
        Self::new(400, "ResourceNotFoundException", message)
    }

    /// The table is there already.
    pub(crate) fn table_exists(name: &str) -> Self {
        let message = format!("Table already exists: {name}");
        Self::new(400, "ResourceInUseException", message)
    }

    /// The condition of a write does not hold.
    pub(crate) fn condition() -> Self {
        let message = "The conditional request failed";
        Self::new(400, "ConditionalCheckFailedException", message)
    }

    /// The target is not one of ours.
    pub(crate) fn unknown_operation(target: &str) -> Self {
        let message = format!("{target:?} is not an operation of this table");
        Self::new(400, "UnknownOperationException", message)
    }

    /// The body is no JSON object.
    pub(crate) fn unreadable(detail: impl std::fmt::Display) -> Self {
        Self::new(400, "SerializationException", detail.to_string())
    }

    /// Who asks cannot be told, or is not who it says.
    pub(crate) fn signature(kind: &'static str, message: impl Into<String>) -> Self {
        Self::new(400, kind, message)
    }

    pub(crate) fn body(&self) -> Value {
        let space = "com.amazonaws.dynamodb.v20120810";
        json!({"__type": format!("{space}#{}", self.kind), "message": self.message})
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.kind() {
            ErrorKind::Overloaded => Self::new(400, "ThrottlingException", error.to_string()),
            ErrorKind::TooLarge { .. } => Self::invalid(error.to_string()),
            _ if error.outcome() == WriteOutcome::Unknown => {
                let message = format!("unknown outcome, the write may still happen: {error}");
                Self::new(500, "InternalServerError", message)
            }
            _ => Self::new(500, "InternalServerError", format!("not done: {error}")),
        }
    }
}

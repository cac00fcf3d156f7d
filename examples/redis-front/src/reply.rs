//! What a command answers, whatever version of the protocol the client speaks.

use bytes::Bytes;

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A word of the server, such as `OK`.
    Simple(&'static str),
    /// An error, its code word first.
    Error(String),
    /// A number.
    Int(i64),
    /// Bytes.
    Bulk(Bytes),
    /// Text for people: a bulk string in RESP2.
    Text(String),
    /// Nothing.
    Nil,
    /// Nothing where an array would be: another thing than `Nil` in RESP2.
    NilArray,
    /// Answers in order.
    Array(Vec<Self>),
    /// Distinct answers: an array in RESP2.
    Set(Vec<Self>),
    /// Pairs: a flat array in RESP2.
    Map(Vec<(Self, Self)>),
}

/// Why a command did not happen: the text of the error, its code word first.
pub type Failure = std::borrow::Cow<'static, str>;

/// `OK`.
pub const OK: Reply = Reply::Simple("OK");

/// What every command says to a value of another kind.
pub const WRONG_TYPE: Failure =
    Failure::Borrowed("WRONGTYPE Operation against a key holding the wrong kind of value");

/// What every command says to options that it does not understand.
pub const SYNTAX: Failure = Failure::Borrowed("ERR syntax error");

/// What every command says to text that is no 64-bit number.
pub const NOT_AN_INTEGER: Failure =
    Failure::Borrowed("ERR value is not an integer or out of range");

impl Reply {
    /// A bulk string that copies `bytes`.
    pub fn bulk(bytes: &[u8]) -> Self {
        Self::Bulk(Bytes::copy_from_slice(bytes))
    }

    /// A number of things.
    pub fn count(count: usize) -> Self {
        Self::Int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    /// 1 or 0.
    pub const fn flag(is_true: bool) -> Self {
        Self::Int(if is_true { 1 } else { 0 })
    }
}

impl From<Failure> for Reply {
    fn from(failure: Failure) -> Self {
        Self::Error(failure.into_owned())
    }
}

impl From<Result<Self, Failure>> for Reply {
    fn from(result: Result<Self, Failure>) -> Self {
        result.unwrap_or_else(Self::from)
    }
}

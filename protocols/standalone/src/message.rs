//! The messages of the protocol: there are none.

use bytes::Bytes;

use repertoire_core::{Class, DecodeError, WireMessage};

/// What replicas say to each other: nothing. The type has no value, so the compiler knows that no
/// message is ever sent or received.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {}

impl WireMessage for Message {
    type Head = u8;

    fn into_parts(self) -> (u8, Bytes) {
        match self {}
    }

    fn from_parts(head: u8, _body: Bytes) -> Result<Self, DecodeError> {
        Err(DecodeError::Invalid {
            field: "standalone message",
            value: head.into(),
        })
    }

    fn class(&self) -> Class {
        match *self {}
    }
}

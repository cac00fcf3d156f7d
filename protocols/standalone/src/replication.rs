//! Replication: there is none. The file keeps its place so that every protocol crate reads alike.

use crate::Message;

/// Takes a message of a peer, of which there is none: [`Message`] has no value.
pub(crate) fn on_message(message: Message) {
    match message {}
}

//! Whether the other end of a connection is still there: asked while an answer is awaited, so that a
//! node which was killed or cut off is noticed long before its connection times out.

use bytes::Bytes;
use quinn::{Connection, SendDatagramError};

/// What is said to a silent peer. It is never read: QUIC itself acknowledges it.
const KNOCK: Bytes = Bytes::from_static(b"?");

/// See the module's documentation.
#[derive(Debug)]
pub struct Pulse {
    connection: Connection,
    heard: u64,
}

impl Pulse {
    pub(crate) fn of(connection: Connection) -> Self {
        let heard = connection.stats().udp_rx.datagrams;
        Self { connection, heard }
    }

    /// Whether anything has arrived since the last call. If not, the peer is made to say something:
    /// one that lives has been heard by the next call, a round trip later.
    pub fn beats(&mut self) -> bool {
        let heard = self.connection.stats().udp_rx.datagrams;
        if heard != self.heard {
            self.heard = heard;
            return true;
        }
        let knocked = self.connection.send_datagram(KNOCK);
        // One that cannot be asked is taken to live, until its connection times out.
        matches!(
            knocked,
            Err(SendDatagramError::UnsupportedByPeer | SendDatagramError::Disabled)
        )
    }
}

//! What a frame is about.

/// What a frame is about. Append-only; numbers are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FrameKind {
    /// The dialler says who it is.
    Hello,
    /// The other side welcomes or refuses it.
    HelloReply,
    /// The first frame of a one-way stream: its class.
    StreamHello,
    /// A message between replicas' protocols.
    Peer,
    /// A message of a snapshot transfer between replicas.
    Snapshot,
    /// Writes of a client.
    Writes,
    /// Reads of a client.
    Reads,
    /// An administrative request of a client.
    Admin,
    /// What became of writes and reads.
    Replies,
    /// The answer to an administrative request.
    AdminReply,
    /// A kind that a later version added. Skipped and counted, never an error of the connection.
    Unknown(u8),
}

impl FrameKind {
    /// The number on the wire.
    pub const fn to_byte(self) -> u8 {
        match self {
            Self::Hello => 1,
            Self::HelloReply => 2,
            Self::StreamHello => 3,
            Self::Peer => 4,
            Self::Snapshot => 5,
            Self::Writes => 16,
            Self::Reads => 17,
            Self::Admin => 18,
            Self::Replies => 32,
            Self::AdminReply => 33,
            Self::Unknown(byte) => byte,
        }
    }

    /// The kind of that number.
    pub const fn from_byte(byte: u8) -> Self {
        match byte {
            1 => Self::Hello,
            2 => Self::HelloReply,
            3 => Self::StreamHello,
            4 => Self::Peer,
            5 => Self::Snapshot,
            16 => Self::Writes,
            17 => Self::Reads,
            18 => Self::Admin,
            32 => Self::Replies,
            33 => Self::AdminReply,
            other => Self::Unknown(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::FrameKind;

    #[test]
    fn every_byte_survives_the_round_trip() {
        for byte in 0..=u8::MAX {
            assert_eq!(FrameKind::from_byte(byte).to_byte(), byte);
        }
    }
}

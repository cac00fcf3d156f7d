//! The section `[transport]`.

use serde::{Deserialize, Serialize};

/// `[transport]`: how nodes talk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct TransportConfig {
    /// Size of packets.
    pub mtu: Mtu,
    /// Whether several packets go to the kernel in one call.
    pub segmentation_offload: bool,
    /// Bytes that one stream may have under way.
    pub stream_window_bytes: u32,
    /// Kernel buffers of the socket, in bytes.
    pub socket_buffer_bytes: u32,
    /// A link is down after this many milliseconds without a packet.
    pub idle_timeout_ms: u64,
    /// An idle link is kept alive at this interval, in milliseconds.
    pub keep_alive_interval_ms: u64,
    /// The TLS handshake must end within this many milliseconds.
    pub handshake_timeout_ms: u64,
    /// The hello must come within this many milliseconds.
    pub hello_timeout_ms: u64,
    /// Shortest pause between two attempts to reach a node, in milliseconds.
    pub reconnect_ms_min: u64,
    /// Longest pause between two attempts to reach a node, in milliseconds.
    pub reconnect_ms_max: u64,
    /// Bytes of urgent messages that may wait for one node.
    pub outbox_control_bytes_max: u64,
    /// Bytes of entries that may wait for one node.
    pub outbox_replication_bytes_max: u64,
    /// Bytes of snapshots that may wait for one node.
    pub outbox_bulk_bytes_max: u64,
    /// From this many unfinished handshakes on, strangers must first prove their address.
    pub retry_from: u32,
    /// Most unfinished handshakes.
    pub handshakes_max: u32,
    /// Most connections of clients.
    pub clients_max: u32,
    /// Most connections of clients from one address.
    pub clients_per_address_max: u32,
    /// Bytes of requests that one remote session may have under way.
    pub session_credit_bytes: u32,
    /// Bytes of replies that may wait for a client.
    pub session_outbox_bytes_max: u64,
}

impl Default for TransportConfig {
    fn default() -> Self {
        Self {
            mtu: Mtu::Auto,
            segmentation_offload: true,
            stream_window_bytes: 1 << 20,
            socket_buffer_bytes: 4 << 20,
            idle_timeout_ms: 10_000,
            keep_alive_interval_ms: 3_000,
            handshake_timeout_ms: 5_000,
            hello_timeout_ms: 2_000,
            reconnect_ms_min: 20,
            reconnect_ms_max: 2_000,
            outbox_control_bytes_max: 2 << 20,
            outbox_replication_bytes_max: 32 << 20,
            outbox_bulk_bytes_max: 8 << 20,
            retry_from: 32,
            handshakes_max: 256,
            clients_max: 1024,
            clients_per_address_max: 256,
            session_credit_bytes: 4 << 20,
            session_outbox_bytes_max: 16 << 20,
        }
    }
}

/// How large packets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Form", try_from = "Form")]
pub enum Mtu {
    /// As large as the path carries, found by search.
    #[default]
    Auto,
    /// Exactly this many bytes, on links that are known to carry them.
    Fixed(u16),
}

/// How it is written: a number or the word `auto`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Form {
    Bytes(u16),
    Word(String),
}

impl From<Mtu> for Form {
    fn from(mtu: Mtu) -> Self {
        match mtu {
            Mtu::Auto => Self::Word("auto".to_owned()),
            Mtu::Fixed(bytes) => Self::Bytes(bytes),
        }
    }
}

impl TryFrom<Form> for Mtu {
    type Error = &'static str;

    fn try_from(form: Form) -> Result<Self, &'static str> {
        match form {
            Form::Bytes(bytes) => Ok(Self::Fixed(bytes)),
            Form::Word(word) if word == "auto" => Ok(Self::Auto),
            Form::Word(_) => Err("neither a number nor `auto`"),
        }
    }
}

//! What can be set, with the reasons for the defaults.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use repertoire_core::{ClusterId, Error, ErrorKind, Incarnation, Lineage, NodeId, PeerWitness};

use crate::certs::TlsIdentity;

/// Largest initial packet size with segmentation offload on.
///
/// Offload sends up to ten packets in one call; above this size the call exceeds what a datagram
/// socket takes, the kernel refuses it, the packets count as lost and the path falls back to 1200
/// bytes. Measured: half the throughput, without any error to be seen.
pub const MTU_MAX: u16 = 6500;

/// Smallest packet size that QUIC allows.
pub const MTU_MIN: u16 = 1200;

/// How large packets are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mtu {
    /// Starts at 1200 bytes and searches upwards, to what the path carries or [`MTU_MAX`]: jumbo
    /// frames and loopback are found without a setting.
    #[default]
    Auto,
    /// Exactly this many bytes, for links that are known to carry them (loopback, jumbo frames).
    Fixed(u16),
}

impl Mtu {
    /// Checks the range.
    ///
    /// # Errors
    /// `ConfigInvalid`, saying why.
    pub fn validate(self) -> Result<(), Error> {
        match self {
            Self::Fixed(bytes) if !(MTU_MIN..=MTU_MAX).contains(&bytes) => {
                Err(Error::new(ErrorKind::ConfigInvalid, "configure transport")
                    .with("transport.mtu", bytes)
                    .with("remedy", format!("use \"auto\" or {MTU_MIN} to {MTU_MAX}")))
            }
            Self::Auto | Self::Fixed(_) => Ok(()),
        }
    }
}

/// Bytes that may wait for one peer, per class. Beyond them frames are refused, and the protocols
/// catch up from their logs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutboxBudgets {
    /// Heartbeats, votes, acknowledgements.
    pub control: usize,
    /// Entries.
    pub replication: usize,
    /// Snapshots.
    pub bulk: usize,
}

impl Default for OutboxBudgets {
    fn default() -> Self {
        Self {
            control: 2 << 20,
            replication: 32 << 20,
            bulk: 8 << 20,
        }
    }
}

/// Limits and times. The defaults serve a cluster in one site.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuicSettings {
    /// How large packets are.
    pub mtu: Mtu,
    /// Segmentation offload: without it throughput falls to a third.
    pub segmentation_offload: bool,
    /// Bytes that one stream may have under way: at least bandwidth times delay of the link.
    pub stream_window: u32,
    /// Kernel buffers of the socket. The usual default loses packets in bursts.
    pub socket_buffer: usize,
    /// A peer that has sent nothing for this long, although it was asked for a sign of life, is
    /// reported as silent. At least 3 ms.
    pub silence: Duration,
    /// A link is down after this long without a packet.
    pub idle_timeout: Duration,
    /// An idle link is kept alive at this interval.
    pub keep_alive: Duration,
    /// Round trip assumed before the first one is measured: a first packet that is lost, because
    /// the peer is just starting, is sent again after three of these.
    pub initial_rtt: Duration,
    /// One attempt to reach a peer is given up after this time and followed by another.
    pub dial_timeout: Duration,
    /// The TLS handshake must end within this time.
    pub handshake_timeout: Duration,
    /// The hello must come within this time after the handshake.
    pub hello_timeout: Duration,
    /// Shortest pause between two attempts to reach a peer.
    pub reconnect_min: Duration,
    /// Longest pause between two attempts to reach a peer.
    pub reconnect_max: Duration,
    /// Bytes that may wait for one peer.
    pub outbox: OutboxBudgets,
    /// From this many unfinished handshakes on, strangers must first prove their address.
    pub retry_from: usize,
    /// More unfinished handshakes than this are refused.
    pub handshakes_max: usize,
    /// Most connections of clients. Peers do not count: their number is known.
    pub clients_max: usize,
    /// Most connections of clients from one address.
    pub clients_per_address_max: usize,
    /// Bytes of requests that one session of a client may have under way.
    pub session_credit: u32,
    /// Bytes of replies that may wait for a client before it is cut off as a slow reader.
    pub session_outbox: usize,
}

impl Default for QuicSettings {
    fn default() -> Self {
        Self {
            mtu: Mtu::Auto,
            segmentation_offload: true,
            stream_window: 1 << 20,
            socket_buffer: 4 << 20,
            silence: Duration::from_millis(300),
            idle_timeout: Duration::from_secs(10),
            keep_alive: Duration::from_secs(3),
            initial_rtt: Duration::from_millis(50),
            dial_timeout: Duration::from_millis(1500),
            handshake_timeout: Duration::from_secs(5),
            hello_timeout: Duration::from_secs(2),
            reconnect_min: Duration::from_millis(20),
            reconnect_max: Duration::from_secs(2),
            outbox: OutboxBudgets::default(),
            retry_from: 32,
            handshakes_max: 256,
            clients_max: 1024,
            clients_per_address_max: 256,
            session_credit: 4 << 20,
            session_outbox: 16 << 20,
        }
    }
}

/// What a node's transport is told when it is made.
#[derive(Clone, Debug)]
pub struct QuicConfig {
    /// This node.
    pub node: NodeId,
    /// Its disk.
    pub incarnation: Incarnation,
    /// The cluster.
    pub cluster: ClusterId,
    /// Where to listen.
    pub listen: SocketAddr,
    /// The other nodes: id and `host:port`.
    pub peers: Vec<(NodeId, String)>,
    /// Certificates and key.
    pub tls: TlsIdentity,
    /// The feature level it is able to serve.
    pub feature_level: u32,
    /// Digest of the configuration that all nodes must share; nothing to leave it unchecked.
    pub config_digest: Option<u64>,
    /// The starts of this node's disk.
    pub lineage: Lineage,
    /// Who remembers the disks of peers; nobody to believe them.
    pub witness: Option<Arc<dyn PeerWitness>>,
    /// Limits and times.
    pub settings: QuicSettings,
}

#[cfg(test)]
mod tests {
    use super::Mtu;

    #[test]
    fn packets_that_offload_would_lose_are_refused() {
        assert!(Mtu::Auto.validate().is_ok());
        assert!(Mtu::Fixed(1452).validate().is_ok());
        assert!(Mtu::Fixed(6500).validate().is_ok());
        assert!(Mtu::Fixed(6501).validate().is_err());
        assert!(Mtu::Fixed(1199).validate().is_err());
    }
}

//! The network as the runtime sees it.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Class, Encoded, Error, GroupId, NodeId, TraceContext};

/// Frames that arrived from one peer, in order within a class.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The peer, verified.
    pub from: NodeId,
    /// The stream they came on.
    pub class: Class,
    /// Whole frames, in order, still encoded.
    pub frames: Vec<Bytes>,
}

/// Which part of a replica a frame is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Channel {
    /// Its protocol.
    #[default]
    Protocol,
    /// Its snapshot transfer, which every protocol shares.
    Snapshot,
}

/// A frame for a peer.
#[derive(Clone, Debug)]
pub struct Outgoing {
    /// Which part of the replica it is for.
    pub channel: Channel,
    /// The replicas that talk.
    pub group: GroupId,
    /// The descriptor's version under which the sender speaks.
    pub config_epoch: crate::ConfigEpoch,
    /// What they say.
    pub message: Encoded,
    /// The trace that the message belongs to, if somebody records it.
    pub trace: Option<TraceContext>,
}

/// News of a link.
#[derive(Clone, Debug)]
pub enum LinkEvent {
    /// Both sides have verified each other; frames flow.
    Up {
        /// The peer.
        peer: NodeId,
    },
    /// The connection ended.
    Down {
        /// The peer.
        peer: NodeId,
        /// Why, for people.
        reason: String,
    },
    /// Nothing has come from the peer for a while, not even an answer to the link's own questions.
    /// Said once for each such while; the link is not down yet.
    Silent {
        /// The peer.
        peer: NodeId,
    },
    /// An outbox that had refused frames has room again.
    Writable {
        /// The peer.
        peer: NodeId,
    },
}

/// Remembers the disks of peers, and says which of them went on being the same.
pub trait PeerWitness: std::fmt::Debug + Send + Sync + 'static {
    /// A peer has proven who it is. Remembers its disk, durably, before it is let in.
    ///
    /// # Errors
    /// `IdentityRefused`, with a `detail` that says how the disk is not the one that was met before;
    /// those of what remembers it.
    fn meet(
        &self,
        peer: NodeId,
        incarnation: crate::Incarnation,
        lineage: &crate::Lineage,
    ) -> Result<(), Error>;

    /// A peer says that of this node's own disk. The node has to stop: others count on votes and
    /// copies that it does not know of.
    fn disowned(&self, by: NodeId, detail: &str);
}

/// Where a transport delivers. Called from the transport's own tasks; must not block.
pub trait TransportSink: Send + Sync + 'static {
    /// Frames of a peer, to be handled on this node. Returns `false` when the node is over its
    /// credit: the transport then stops reading from that peer until [`Transport::resume`].
    fn deliver(&self, delivery: Delivery) -> bool;

    /// News of a link.
    fn link(&self, event: LinkEvent);
}

/// Carries frames between nodes.
///
/// # Contract
/// * Frames of one peer and class arrive in order, whole, at most once, while the link is up; a
///   link that goes down may have lost any suffix.
/// * Both sides verify that the other is the expected node before the first frame is read.
/// * `send` never blocks. It refuses (and drops) frames beyond the peer's outbox budget, and
///   reports [`LinkEvent::Writable`] once there is room; protocols recover by catch-up.
/// * A peer that dies or is cut off is reported within a second, as [`LinkEvent::Silent`] or
///   [`LinkEvent::Down`], also when nobody sends: groups that nobody uses rely on it.
/// * A full class never delays a more urgent one.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Starts listening and dialling; deliveries go to `sink`.
    ///
    /// # Errors
    /// `ConfigInvalid` when the address is taken or the certificates do not serve.
    async fn start(&self, sink: Arc<dyn TransportSink>) -> Result<(), Error>;

    /// Queues frames for a peer. Returns how many were taken, from the front.
    fn send(&self, to: NodeId, frames: Vec<Outgoing>) -> usize;

    /// Lets reading from a peer go on after a refused delivery.
    fn resume(&self, peer: NodeId);

    /// A node has joined the cluster, or has another address: links to it are made and taken. Transports
    /// that find their peers by themselves have nothing to do.
    fn introduce(&self, _peer: NodeId, _address: &str) {}

    /// A node has left the cluster: its link ends, and it is neither dialled nor let in any more.
    fn forget(&self, _peer: NodeId) {}

    /// Ends all links after what is queued was sent, or `patience` has passed.
    async fn close(&self, patience: std::time::Duration);
}

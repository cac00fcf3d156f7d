//! What a client needs of a connection: bursts out, arrivals in. Two small traits, so that the
//! retry logic is tested without a network.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;
use repertoire_core::{
    Acks, ClientId, ConfigEpoch, Error, GroupId, Member, NodeId, ReadLevel, ReadQuery,
};
use repertoire_wire::client::{AdminReply, AdminRequest, ReplyItem};
use tokio::time::Instant;

use crate::trace::Traced;

/// A boxed future, so that the traits can be objects.
pub(crate) type Task<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whom to connect to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Peer {
    /// A node, by identity.
    Node(NodeId),
    /// An address from the builder's list whose node is not known yet.
    Seed(usize),
}

/// Makes connections, and knows where nodes are.
pub(crate) trait Connector: Send + Sync + 'static {
    /// Connects.
    fn connect(&self, to: Peer) -> Task<'_, Result<Connected, Error>>;

    /// Where to begin, in order of preference.
    fn beginnings(&self) -> Vec<Peer>;

    /// Whether addresses of members are of use.
    fn wants_members(&self) -> bool;

    /// Takes the addresses of members over.
    fn learn(&self, members: Vec<Member>);
}

/// A connection that stands.
pub(crate) struct Connected {
    /// Who is at the other end.
    pub(crate) node: NodeId,
    /// Bytes of requests that may be under way on it.
    pub(crate) credit: usize,
    /// To the node.
    pub(crate) outbound: Box<dyn Outbound>,
    /// From the node.
    pub(crate) inbound: Box<dyn Inbound>,
    /// Tells whether the node is still there, where that is not certain.
    pub(crate) pulse: Option<Box<dyn Beats>>,
}

/// Tells whether the other end is still there.
pub(crate) trait Beats: Send {
    /// Whether the node was heard since the last call. If not, it is made to say something.
    fn beats(&mut self) -> bool;
}

/// The way to a node.
pub(crate) trait Outbound: Send {
    /// Sends a burst; waits while the node does not take more. Requests are numbered by the caller
    /// from 1 without gaps, over the life of the connection.
    fn send(&mut self, burst: Vec<Parcel>) -> Task<'_, Result<(), Error>>;
}

/// The way from a node.
pub(crate) trait Inbound: Send {
    /// Waits for arrivals and appends them. Must lose nothing when the future is dropped.
    fn receive<'a>(&'a mut self, into: &'a mut Vec<Arrival>) -> Task<'a, Result<(), Error>>;
}

/// Part of a burst.
#[derive(Debug)]
pub(crate) enum Parcel {
    /// Consecutive writes of one client session to one group.
    Writes(WriteParcel),
    /// Reads of one group at one level.
    Reads(ReadParcel),
    /// An administrative request; numbered apart from the others.
    Admin(AdminRequest),
}

/// Consecutive writes of one client session to one group.
#[derive(Debug)]
pub(crate) struct WriteParcel {
    pub(crate) group: GroupId,
    pub(crate) config_epoch: ConfigEpoch,
    /// Names the first write on this connection.
    pub(crate) first_request: u64,
    pub(crate) client: ClientId,
    pub(crate) first_seq: u64,
    pub(crate) acked_upto: u64,
    pub(crate) acks: Option<Acks>,
    /// The latest of the writes' deadlines: the client itself watches the earlier ones.
    pub(crate) deadline: Instant,
    pub(crate) bodies: Vec<Bytes>,
    /// The trace that all of them belong to, if any.
    pub(crate) trace: Traced,
}

/// Reads of one group at one level.
#[derive(Debug)]
pub(crate) struct ReadParcel {
    pub(crate) group: GroupId,
    pub(crate) config_epoch: ConfigEpoch,
    /// Names the first read on this connection.
    pub(crate) first_request: u64,
    pub(crate) level: ReadLevel,
    pub(crate) deadline: Instant,
    pub(crate) queries: Vec<ReadQuery>,
    /// The trace that all of them belong to, if any.
    pub(crate) trace: Traced,
}

/// What comes back.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// Outcomes of writes and reads.
    Item(ReplyItem),
    /// The answer to an administrative request.
    Admin(AdminReply),
}

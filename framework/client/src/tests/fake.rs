//! A cluster that consists of the test itself.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use repertoire_core::{
    Ack, Descriptor, Durability, EntryId, Error, ErrorKind, KeyspaceId, LeaderEpoch, Lsn, Member,
    NodeId,
};
use repertoire_wire::client::{AdminReply, ReplyItem};
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::client::Client;
use crate::driver::Driver;
use crate::hub::Hub;
use crate::keyspace::Keyspace;
use crate::link::{
    Arrival, Beats, Connected, Connector, Inbound, Outbound, Parcel, Peer, Task, WriteParcel,
};
use crate::options::RequestOptions;

/// The cluster's side: connections as they are made.
pub(super) struct Cluster {
    links: mpsc::UnboundedReceiver<FakeLink>,
    refused: Arc<Mutex<Vec<NodeId>>>,
    silent: Arc<Mutex<Vec<NodeId>>>,
}

/// The node's side of a connection. Dropping it breaks the connection.
pub(super) struct FakeLink {
    pub(super) node: NodeId,
    parcels: mpsc::UnboundedReceiver<Parcel>,
    arrivals: mpsc::UnboundedSender<Arrival>,
}

struct FakeConnector {
    links: mpsc::UnboundedSender<FakeLink>,
    refused: Arc<Mutex<Vec<NodeId>>>,
    silent: Arc<Mutex<Vec<NodeId>>>,
    credit: usize,
}

struct FakePulse {
    node: NodeId,
    silent: Arc<Mutex<Vec<NodeId>>>,
}

impl Beats for FakePulse {
    fn beats(&mut self) -> bool {
        !self.silent.lock().contains(&self.node)
    }
}

struct ToFake(mpsc::UnboundedSender<Parcel>);

struct FromFake(mpsc::UnboundedReceiver<Arrival>);

fn gone() -> Error {
    Error::new(ErrorKind::Unavailable, "use a broken connection")
}

impl Outbound for ToFake {
    fn send(&mut self, burst: Vec<Parcel>) -> Task<'_, Result<(), Error>> {
        let send = |parcel| self.0.send(parcel).map_err(|_| gone());
        let result = burst.into_iter().try_for_each(send);
        Box::pin(std::future::ready(result))
    }
}

impl Inbound for FromFake {
    fn receive<'a>(&'a mut self, into: &'a mut Vec<Arrival>) -> Task<'a, Result<(), Error>> {
        Box::pin(async move {
            into.push(self.0.recv().await.ok_or_else(gone)?);
            Ok(())
        })
    }
}

impl Connector for FakeConnector {
    fn connect(&self, to: Peer) -> Task<'_, Result<Connected, Error>> {
        let node = match to {
            Peer::Node(node) => node,
            Peer::Seed(_) => NodeId(1),
        };
        if self.refused.lock().contains(&node) {
            return Box::pin(std::future::ready(Err(gone())));
        }
        if self.silent.lock().contains(&node) {
            return Box::pin(std::future::pending());
        }
        let (to, parcels) = mpsc::unbounded_channel();
        let (arrivals, from) = mpsc::unbounded_channel();
        let _is_over = self.links.send(FakeLink {
            node,
            parcels,
            arrivals,
        });
        Box::pin(std::future::ready(Ok(Connected {
            node,
            credit: self.credit,
            outbound: Box::new(ToFake(to)),
            inbound: Box::new(FromFake(from)),
            pulse: Some(Box::new(FakePulse {
                node,
                silent: Arc::clone(&self.silent),
            })),
        })))
    }

    fn beginnings(&self) -> Vec<Peer> {
        vec![Peer::Node(NodeId(1))]
    }

    fn wants_members(&self) -> bool {
        false
    }

    fn learn(&self, _: Vec<Member>) {}
}

impl Cluster {
    /// A client with a keyspace on nodes 1 to 3, and its deadline.
    pub(super) fn start(deadline: Duration) -> (Keyspace, Self) {
        Self::with_budgets(deadline, 1 << 20, 1 << 20)
    }

    /// A client that may hold `buffer` bytes, `credit` of them under way.
    pub(super) fn with_budgets(
        deadline: Duration,
        buffer: usize,
        credit: usize,
    ) -> (Keyspace, Self) {
        let (send, links) = mpsc::unbounded_channel();
        let refused = Arc::new(Mutex::new(Vec::new()));
        let silent = Arc::new(Mutex::new(Vec::new()));
        let connector = FakeConnector {
            links: send,
            refused: Arc::clone(&refused),
            silent: Arc::clone(&silent),
            credit,
        };
        let hub = Hub::new(buffer, credit);
        let driver = Driver::start(hub, Box::new(connector), Handle::current());
        let options = RequestOptions {
            deadline,
            ..RequestOptions::default()
        };
        let client = Client::new(driver, options, Duration::ZERO);
        let nodes = [NodeId(1), NodeId(2), NodeId(3)];
        let descriptor = Descriptor::single_shard(KeyspaceId(7), "ks", "single-leader", &nodes);
        (
            client.keyspace_of(Arc::new(descriptor)),
            Self {
                links,
                refused,
                silent,
            },
        )
    }

    /// The next connection that the client makes.
    pub(super) async fn link(&mut self) -> FakeLink {
        self.links.recv().await.unwrap()
    }

    /// Whether no connection was made since the last one.
    pub(super) fn is_quiet(&mut self) -> bool {
        self.links.try_recv().is_err()
    }

    /// These nodes refuse connections.
    pub(super) fn refuse(&self, nodes: &[u64]) {
        *self.refused.lock() = nodes.iter().copied().map(NodeId).collect();
    }

    /// Nothing is heard of these nodes, as if the network ate every packet.
    pub(super) fn silence(&self, nodes: &[u64]) {
        *self.silent.lock() = nodes.iter().copied().map(NodeId).collect();
    }
}

impl FakeLink {
    /// The next parcel, which must be writes.
    pub(super) async fn writes(&mut self) -> WriteParcel {
        match self.parcels.recv().await.unwrap() {
            Parcel::Writes(writes) => writes,
            other @ (Parcel::Reads(_) | Parcel::Admin(_)) => panic!("no writes: {other:?}"),
        }
    }

    /// The next parcel.
    pub(super) async fn parcel(&mut self) -> Parcel {
        self.parcels.recv().await.unwrap()
    }

    /// Waits until the client has left.
    pub(super) async fn ended(&mut self) {
        while self.parcels.recv().await.is_some() {}
    }

    pub(super) fn admin(&self, reply: AdminReply) {
        let _is_gone = self.arrivals.send(Arrival::Admin(reply));
    }

    pub(super) fn answer(&self, item: ReplyItem) {
        let _is_gone = self.arrivals.send(Arrival::Item(item));
    }

    /// All writes of a parcel are done.
    pub(super) fn done(&self, writes: &WriteParcel) {
        self.run(writes.first_request, writes.bodies.len(), writes.first_seq);
    }

    /// Some writes are done, at positions from `lsn` on.
    pub(super) fn run(&self, first: u64, count: usize, lsn: u64) {
        let count = u32::try_from(count).unwrap();
        self.answer(ReplyItem::WrittenRun {
            first,
            count,
            ack: ack(lsn),
        });
    }

    /// All writes of a parcel failed.
    pub(super) fn failed(&self, writes: &WriteParcel, error: Error) {
        let (first, error) = (writes.first_request, Box::new(error));
        let count = u32::try_from(writes.bodies.len()).unwrap();
        self.answer(ReplyItem::Failed {
            first,
            count,
            error,
        });
    }
}

pub(super) fn ack(lsn: u64) -> Ack {
    Ack {
        position: EntryId::new(LeaderEpoch(1), Lsn(lsn)),
        durability: Durability::Disk,
        copies: 2,
    }
}

/// An operation of some bytes; the client does not look into it.
pub(super) fn body(len: usize) -> Bytes {
    Bytes::from(vec![0; len])
}

pub(super) fn error(kind: ErrorKind) -> Error {
    Error::new(kind, "write")
}

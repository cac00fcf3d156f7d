//! The Transport actor: passes frames between the Node actor and the network.

use std::sync::Arc;
use std::time::Duration;

use actix::{
    Actor, ActorContext, AsyncContext, Context, Handler, Message, ResponseActFuture, WrapFuture,
};
use repertoire_core::{Delivery, Error, LinkEvent, NodeId, Outgoing, Transport, TransportSink};

use crate::credit::Credit;
use crate::edge::{Edge, Kick};
use crate::inbox::Inbox;

/// What the transport is told.
#[derive(Debug)]
pub(crate) enum TransportCommand {
    /// Send frames to a peer, in order.
    Send {
        /// The peer.
        to: NodeId,
        /// The frames.
        frames: Vec<Outgoing>,
    },
    /// Read from a peer again.
    Resume(NodeId),
    /// A node has joined, or moved.
    Introduce(NodeId, String),
    /// A node has left.
    Forget(NodeId),
}

/// Starts listening and dialling.
#[derive(Debug, Message)]
#[rtype(result = "Result<(), Error>")]
pub(crate) struct StartTransport;

/// Closes all links after what is queued was sent.
#[derive(Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct CloseTransport(pub Duration);

/// Puts deliveries into the Node actor's inbox, within the credit for bytes from peers.
#[derive(Debug)]
pub(crate) struct InboxSink {
    inbox: Arc<Inbox>,
    credit: Arc<Credit>,
}

impl InboxSink {
    /// A sink in front of an inbox.
    pub(crate) fn new(inbox: Arc<Inbox>, credit: Arc<Credit>) -> Self {
        Self { inbox, credit }
    }
}

impl TransportSink for InboxSink {
    fn deliver(&self, delivery: Delivery) -> bool {
        let bytes: usize = delivery.frames.iter().map(bytes::Bytes::len).sum();
        // The frames are here already, so they are taken; what the answer stops is reading on.
        let within = self.credit.try_take(bytes);
        if !within {
            self.credit.take_over(bytes);
        }
        self.inbox.put(|lanes| lanes.deliveries.push(delivery));
        within
    }

    fn link(&self, event: LinkEvent) {
        self.inbox.put(|lanes| lanes.links.push(event));
    }
}

/// See the module's documentation.
pub(crate) struct TransportActor {
    transport: Arc<dyn Transport>,
    sink: Arc<dyn TransportSink>,
    edge: Arc<Edge<TransportCommand>>,
    taken: Vec<TransportCommand>,
    /// Frames that a full outbox refused; protocols recover by catch-up.
    refused: u64,
}

impl std::fmt::Debug for TransportActor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TransportActor")
            .field("refused", &self.refused)
            .finish_non_exhaustive()
    }
}

impl TransportActor {
    /// An actor over a transport that was not started yet.
    pub(crate) fn new(
        transport: Arc<dyn Transport>,
        sink: Arc<dyn TransportSink>,
        edge: Arc<Edge<TransportCommand>>,
    ) -> Self {
        Self {
            transport,
            sink,
            edge,
            taken: Vec::new(),
            refused: 0,
        }
    }
}

impl Actor for TransportActor {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Self::Context) {
        ctx.set_mailbox_capacity(crate::MAILBOX_CAPACITY);
        self.edge.connect(ctx.address().recipient());
    }
}

impl Handler<Kick> for TransportActor {
    type Result = ();

    fn handle(&mut self, _: Kick, _: &mut Self::Context) {
        let mut taken = std::mem::take(&mut self.taken);
        self.edge.take(&mut taken);
        for command in taken.drain(..) {
            match command {
                TransportCommand::Send { to, frames } => {
                    let offered = frames.len();
                    let sent = self.transport.send(to, frames);
                    self.refused += (offered - sent.min(offered)) as u64;
                }
                TransportCommand::Resume(peer) => self.transport.resume(peer),
                TransportCommand::Introduce(peer, at) => self.transport.introduce(peer, &at),
                TransportCommand::Forget(peer) => self.transport.forget(peer),
            }
        }
        self.taken = taken;
    }
}

impl Handler<StartTransport> for TransportActor {
    type Result = ResponseActFuture<Self, Result<(), Error>>;

    fn handle(&mut self, _: StartTransport, _: &mut Self::Context) -> Self::Result {
        let (transport, sink) = (Arc::clone(&self.transport), Arc::clone(&self.sink));
        Box::pin(async move { transport.start(sink).await }.into_actor(self))
    }
}

impl Handler<CloseTransport> for TransportActor {
    type Result = ResponseActFuture<Self, ()>;

    fn handle(&mut self, close: CloseTransport, ctx: &mut Self::Context) -> Self::Result {
        use actix::ActorFutureExt as _;
        let transport = Arc::clone(&self.transport);
        let _ = ctx.state();
        let closing = async move { transport.close(close.0).await };
        Box::pin(
            closing
                .into_actor(self)
                .map(|(), _, ctx: &mut Context<Self>| ctx.stop()),
        )
    }
}

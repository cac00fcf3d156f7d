//! Sessions of clients, on the node's side.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use repertoire_core::limits::DATA_FRAME_MAX;
use repertoire_wire::hello::{HELLO_FRAME_MAX, Hello, HelloReply, RefusalReason};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::certs::Identity;
use crate::handshake::{certificate, check_claim, check_common, late, refuse};
use crate::inner::{HandshakePlace, Inner};
use crate::outbox::Outbox;
use crate::refusal::LinkEnd;
use crate::stream::{FrameReader, write_outbox};

/// A client, verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientInfo {
    /// Who it is, by its certificate. Nodes may speak as clients, to pass requests on.
    pub identity: Identity,
    /// Where it is.
    pub address: SocketAddr,
    /// What it said of itself.
    pub hello: Hello,
}

/// Serves clients. Called from the transport's own tasks; must not block.
///
/// # Contract
/// * `opened` comes first, then frames in order, then `closed`, once.
/// * The node gives back the bytes of each frame with [`ClientSink::release`]; a client that has
///   more than its credit under way is not read.
pub trait ClientAcceptor: Send + Sync + 'static {
    /// A session begins.
    ///
    /// # Errors
    /// The reason to turn the client away.
    fn opened(
        &self,
        session: u64,
        client: ClientInfo,
        sink: ClientSink,
    ) -> Result<(), RefusalReason>;

    /// Whole frames, still encoded; see `repertoire_wire::client::ClientRequest::decode`.
    fn on_frames(&self, session: u64, frames: Vec<Bytes>);

    /// The session has ended; what is sent to its sink is lost.
    fn closed(&self, session: u64);
}

struct Shared {
    outbox: Outbox,
    taken: AtomicUsize,
    credit: usize,
    released: Notify,
    end: watch::Sender<Option<RefusalReason>>,
}

/// The way back to a client. Cheap to clone; never blocks.
#[derive(Clone)]
pub struct ClientSink(Arc<Shared>);

impl std::fmt::Debug for ClientSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ClientSink")
            .field("waiting", &self.0.outbox.waiting())
            .finish()
    }
}

impl ClientSink {
    /// Queues reply frames (front and body). `false`: the client does not read its replies, or is
    /// gone; the session is over.
    pub fn send(&self, frames: &[(Bytes, Bytes)]) -> bool {
        let mut filling = self.0.outbox.fill();
        for frame in frames {
            if !filling.has_room(frame.0.len() + frame.1.len()) {
                drop(filling);
                self.close(RefusalReason::SlowReader);
                return false;
            }
            filling.put_encoded(frame);
        }
        true
    }

    /// Gives back the credit of handled request frames: their lengths.
    pub fn release(&self, bytes: usize) {
        let less = |taken: usize| Some(taken.saturating_sub(bytes));
        let _before = self
            .0
            .taken
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, less);
        self.0.released.notify_waiters();
    }

    /// Ends the session. The first reason counts.
    pub fn close(&self, reason: RefusalReason) {
        self.0.end.send_if_modified(|end| {
            let is_first = end.is_none();
            end.get_or_insert(reason);
            is_first
        });
    }
}

impl Shared {
    async fn has_credit(&self) {
        loop {
            let mut released = std::pin::pin!(self.released.notified());
            released.as_mut().enable();
            if self.taken.load(Ordering::Acquire) < self.credit {
                return;
            }
            released.await;
        }
    }
}

/// Serves a client's connection until it ends.
pub(crate) async fn serve(
    inner: &Arc<Inner>,
    connection: &Connection,
    address: IpAddr,
    handshake: HandshakePlace,
) -> Result<(), LinkEnd> {
    let Some(_place) = inner.admit_client(address) else {
        return Err(LinkEnd::refused(RefusalReason::TooMany, "too many clients"));
    };
    if inner.clients.get().is_none() {
        return Err(LinkEnd::refused(
            RefusalReason::WrongRole,
            "no clients are served here",
        ));
    }
    certificate(connection)?;
    connection.set_max_concurrent_uni_streams(VarInt::from(0_u8));
    drop(handshake);
    let mut sessions = JoinSet::new();
    let end = loop {
        tokio::select! {
            stream = connection.accept_bi() => match stream {
                Ok((send, recv)) => {
                    sessions.spawn(session(inner.clone(), connection.clone(), send, recv));
                }
                Err(error) => break LinkEnd::from(error),
            },
            Some(_ended) = sessions.join_next() => {
                if inner.is_closing() && sessions.is_empty() {
                    break LinkEnd::refused(RefusalReason::ShuttingDown, "shutting down");
                }
            }
        }
    };
    // Each session notices the connection's end and reports it.
    while sessions.join_next().await.is_some() {}
    Err(end)
}

async fn session(
    inner: Arc<Inner>,
    connection: Connection,
    mut send: SendStream,
    recv: RecvStream,
) {
    let mut reader = FrameReader::new(recv, HELLO_FRAME_MAX);
    let id = inner.next_session.fetch_add(1, Ordering::Relaxed);
    let opened = open(&inner, &connection, &mut reader).await;
    let info = match opened {
        Ok(info) => info,
        Err(end) => {
            inner.report(&connection.remote_address(), &end);
            refuse(send, end).await;
            return;
        }
    };
    let settings = &inner.config.settings;
    let shared = Arc::new(Shared {
        outbox: Outbox::new(settings.session_outbox),
        taken: AtomicUsize::new(0),
        credit: usize::try_from(settings.session_credit).unwrap_or(usize::MAX),
        released: Notify::new(),
        end: watch::Sender::new(None),
    });
    let Some(acceptor) = inner.clients.get() else {
        return;
    };
    let name = info.identity.to_string();
    let sink = ClientSink(shared.clone());
    if let Err(reason) = acceptor.opened(id, info, sink) {
        let end = LinkEnd::refused(reason, "turned away by the node");
        inner.report(&name, &end);
        refuse(send, end).await;
        return;
    }
    inner.sessions.send_modify(|open| *open += 1);
    let end = exchange(&inner, id, &shared, &mut send, &mut reader).await;
    shared.outbox.close();
    acceptor.closed(id);
    inner.sessions.send_modify(|open| *open -= 1);
    inner.report(&name, &end);
    let code = VarInt::from(end.refusal.map_or(0, RefusalReason::code));
    // Both fail only for streams that have ended by themselves.
    let _reset = send.reset(code);
    reader.stop(code);
}

async fn open(
    inner: &Inner,
    connection: &Connection,
    reader: &mut FrameReader,
) -> Result<ClientInfo, LinkEnd> {
    let certificate = certificate(connection)?;
    let frame = timeout(inner.config.settings.hello_timeout, reader.one())
        .await
        .unwrap_or_else(|_| Err(late("the hello did not come in time")))?;
    let hello = Hello::decode(frame)?;
    check_common(inner, &hello)?;
    let identity = check_claim(&certificate, &hello, inner.config.tls.cluster())?;
    reader.set_max(DATA_FRAME_MAX);
    Ok(ClientInfo {
        identity,
        address: connection.remote_address(),
        hello,
    })
}

async fn exchange(
    inner: &Inner,
    id: u64,
    shared: &Shared,
    send: &mut SendStream,
    reader: &mut FrameReader,
) -> LinkEnd {
    let welcome = HelloReply::Welcome {
        version: 1,
        hello: inner.hello(),
        credit: inner.config.settings.session_credit,
    };
    if let Err(error) = send.write_chunk(welcome.encode()).await {
        return error.into();
    }
    let mut closing = inner.closing.subscribe();
    let mut ended = shared.end.subscribe();
    let mut is_finishing = false;
    let mut writing = std::pin::pin!(write_outbox(send, &shared.outbox, |_, _| {}));
    let mut reading = std::pin::pin!(read(inner, id, shared, reader));
    loop {
        tokio::select! {
            written = &mut writing => return match written {
                Ok(()) => LinkEnd::refused(RefusalReason::ShuttingDown, "shutting down"),
                Err(end) => end,
            },
            end = &mut reading, if !is_finishing => return end,
            reason = ended.wait_for(Option::is_some) => {
                let reason = reason.ok().and_then(|reason| *reason);
                let reason = reason.unwrap_or(RefusalReason::ShuttingDown);
                return LinkEnd::refused(reason, "ended by the node");
            }
            _ = closing.wait_for(|closing| *closing), if !is_finishing => {
                is_finishing = true;
                shared.outbox.finish();
            }
        }
    }
}

async fn read(inner: &Inner, id: u64, shared: &Shared, reader: &mut FrameReader) -> LinkEnd {
    let mut frames = Vec::new();
    loop {
        shared.has_credit().await;
        match reader.batch(&mut frames).await {
            Ok(Some(_)) => {}
            Ok(None) => return LinkEnd::lost("the client has ended the session"),
            Err(end) => return end,
        }
        if frames.is_empty() {
            continue;
        }
        let bytes = frames.iter().map(Bytes::len).sum();
        shared.taken.fetch_add(bytes, Ordering::AcqRel);
        if let Some(acceptor) = inner.clients.get() {
            acceptor.on_frames(id, std::mem::take(&mut frames));
        }
    }
}

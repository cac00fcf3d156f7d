//! A session of a client that talks to this node over the network.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use repertoire_core::{
    ConfigEpoch, Descriptor, Error, ErrorKind, GroupId, Mono, Outcome, ReadRequest, Reply,
    ReplyHandle, RequestId, WriteRequest,
};
use repertoire_wire::WireError;
use repertoire_wire::client::{
    AdminReply, AdminRequest, AdminVerb, ClientRequest, Reads, RepliesBuilder, Writes,
};
use std::time::Duration;
use tokio::sync::oneshot;

use super::window::Window;
use super::{ReplySink, Sessions, route_read, route_write};
use crate::actors::node::{Control, TracedRequest};
use crate::admin::Desk;
use crate::credit::Credit;
use crate::inbox::Inbox;

/// Bytes that a request holds of the credit beside its operation.
const REQUEST_BYTES: usize = 64;

/// Bytes of credit that an administrative request gives back.
const ADMIN_BYTES: usize = 4096;

/// Sends reply frames (front and body of each) to the client, and gives it back that many bytes of
/// request credit. Must not block.
pub type FrameOut = Box<dyn Fn(Vec<(Bytes, Bytes)>, usize) + Send + Sync>;

/// Requests of some frames, in order.
#[derive(Default)]
struct Taken {
    writes: Vec<(GroupId, WriteRequest)>,
    reads: Vec<(GroupId, ReadRequest)>,
    traced: Vec<TracedRequest>,
}

struct Shared {
    window: Mutex<Window>,
    out: FrameOut,
    credit: Arc<Credit>,
    session_credit: Arc<Credit>,
}

impl Shared {
    fn end(&self, requests: impl Iterator<Item = u64>) -> usize {
        let mut window = self.window.lock();
        let freed: usize = requests.map(|request| window.finish(request)).sum();
        drop(window);
        self.credit.give_back(freed);
        self.session_credit.give_back(freed);
        freed
    }
}

impl ReplySink for Shared {
    fn deliver(&self, replies: Vec<Reply>) {
        let freed = self.end(replies.iter().map(|reply| reply.to.request));
        let mut builder = RepliesBuilder::new();
        for Reply { to, outcome, .. } in replies {
            match outcome {
                Outcome::Written { ack, result } if result.is_empty() => {
                    builder.written(to.request, ack);
                }
                outcome @ (Outcome::Written { .. }
                | Outcome::Answered { .. }
                | Outcome::Failed(_)) => {
                    builder.push(to.request, outcome);
                }
            }
        }
        builder.grant(u32::try_from(freed).unwrap_or(u32::MAX));
        (self.out)(builder.finish(), freed);
    }
}

/// A session of a client that talks to this node over the network.
pub struct RemoteSession {
    session: u64,
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    sessions: Arc<Sessions>,
}

impl std::fmt::Debug for RemoteSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RemoteSession")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl RemoteSession {
    pub(crate) fn open(
        inbox: Arc<Inbox>,
        sessions: Arc<Sessions>,
        credit: Arc<Credit>,
        session_bytes_max: usize,
        out: FrameOut,
    ) -> Self {
        let session_credit = Credit::new(session_bytes_max);
        let window = Mutex::default();
        let shared = Arc::new(Shared {
            window,
            out,
            credit,
            session_credit,
        });
        let session = sessions.open(|_| Arc::clone(&shared) as Arc<dyn ReplySink>);
        Self {
            session,
            shared,
            inbox,
            sessions,
        }
    }

    /// Takes request frames (without their length in front), in order.
    ///
    /// # Errors
    /// When a frame is no request: the session must be closed.
    pub fn take(&self, frames: Vec<Bytes>) -> Result<(), WireError> {
        let mut taken = Taken::default();
        // Bytes of frames that no request gives back, such as those of a trace.
        let mut surplus = 0;
        for frame in frames {
            let len = frame.len();
            let kept = match ClientRequest::decode(frame)? {
                ClientRequest::Writes(batch) => self.take_writes(&batch, &mut taken),
                ClientRequest::Reads(batch) => self.take_reads(&batch, &mut taken),
                ClientRequest::Admin(request) => {
                    self.take_admin(request);
                    ADMIN_BYTES
                }
                ClientRequest::Unknown { kind } => {
                    tracing::debug!(kind, "A frame of an unknown kind was skipped");
                    0
                }
            };
            surplus += len.saturating_sub(kept);
        }
        if surplus > 0 {
            (self.shared.out)(Vec::new(), surplus);
        }
        if !taken.writes.is_empty() || !taken.reads.is_empty() {
            self.inbox.put(|lanes| {
                lanes.writes.append(&mut taken.writes);
                lanes.reads.append(&mut taken.reads);
                lanes.traced.append(&mut taken.traced);
            });
        }
        Ok(())
    }

    /// Returns the bytes that the requests give back when they end.
    fn take_writes(&self, batch: &Writes, into: &mut Taken) -> usize {
        let head = &batch.head;
        let requests = head.first_request..head.first_request.saturating_add(head.count.into());
        let bodies: Vec<Bytes> = batch.operations().collect();
        let sizes: Vec<usize> = bodies
            .iter()
            .map(|body| body.len() + REQUEST_BYTES)
            .collect();
        let bytes = sizes.iter().sum();
        let descriptor = match self.admit(batch.group, batch.config_epoch, requests.start, &sizes) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                self.refuse(requests, bytes, &error);
                return bytes;
            }
        };
        let deadline = deadline(head.deadline_ms);
        let session = self.session;
        let numbered = requests.zip(head.first_seq..).zip(bodies);
        let before = into.writes.len();
        into.writes.extend(numbered.map(|((request, seq), body)| {
            let id = RequestId {
                client: head.client,
                seq,
                acked_upto: head.acked_upto,
            };
            let reply_to = ReplyHandle { session, request };
            let group = route_write(&descriptor, &body);
            (
                group,
                WriteRequest {
                    id,
                    reply_to,
                    acks: head.acks,
                    deadline,
                    body,
                },
            )
        }));
        if let Some(context) = batch.trace {
            let traced = |(group, request): &(GroupId, WriteRequest)| TracedRequest {
                group: *group,
                reply_to: request.reply_to,
                write: Some(request.id),
                context,
            };
            let requests = into.writes.iter().skip(before);
            into.traced.extend(requests.map(traced));
        }
        bytes
    }

    /// Returns the bytes that the requests give back when they end.
    fn take_reads(&self, batch: &Reads, into: &mut Taken) -> usize {
        let head = &batch.head;
        let requests = head.first_request..head.first_request.saturating_add(head.count.into());
        let sizes = vec![REQUEST_BYTES; head.count as usize];
        let bytes = sizes.iter().sum();
        let descriptor = match self.admit(batch.group, batch.config_epoch, requests.start, &sizes) {
            Ok(descriptor) => descriptor,
            Err(error) => {
                self.refuse(requests, bytes, &error);
                return bytes;
            }
        };
        let deadline = deadline(head.deadline_ms);
        for (request, query) in requests.zip(batch.queries()) {
            let reply_to = ReplyHandle {
                session: self.session,
                request,
            };
            let group = route_read(&descriptor, batch.group.shard, &query);
            let level = batch.level.clone();
            into.traced.extend(batch.trace.map(|context| TracedRequest {
                group,
                reply_to,
                write: None,
                context,
            }));
            into.reads.push((
                group,
                ReadRequest {
                    reply_to,
                    level,
                    deadline,
                    query,
                },
            ));
        }
        bytes
    }

    /// Checks keyspace, version, numbering and credit of a frame.
    fn admit(
        &self,
        group: GroupId,
        config_epoch: ConfigEpoch,
        first: u64,
        sizes: &[usize],
    ) -> Result<Arc<Descriptor>, Error> {
        let descriptor = self.sessions.keyspace(group.keyspace)?;
        // A client that knows a newer one is right; this node is yet to hear of it.
        if config_epoch < descriptor.config_epoch {
            let need = descriptor.config_epoch;
            let kind = ErrorKind::StaleDescriptor {
                have: config_epoch,
                need,
            };
            return Err(Error::new(kind, "request").with("keyspace", &descriptor.name));
        }
        let mut window = self.shared.window.lock();
        if window.next().is_some_and(|next| next != first) {
            return Err(Error::new(ErrorKind::Malformed, "request")
                .with("detail", "requests of a session are numbered without gaps"));
        }
        let bytes = sizes.iter().sum();
        let overloaded =
            |stage: &str| Error::new(ErrorKind::Overloaded, "request").with("stage", stage);
        if !self.shared.session_credit.try_take(bytes) {
            return Err(overloaded("requests of this session"));
        }
        if !self.shared.credit.try_take(bytes) {
            self.shared.session_credit.give_back(bytes);
            return Err(overloaded("requests under way"));
        }
        for (request, bytes) in (first..).zip(sizes) {
            window.push(request, *bytes);
        }
        Ok(descriptor)
    }

    fn refuse(&self, requests: std::ops::Range<u64>, freed: usize, error: &Error) {
        let count = usize::try_from(requests.end - requests.start).unwrap_or(usize::MAX);
        self.shared.window.lock().skip(requests.start, count);
        let mut builder = RepliesBuilder::new();
        for request in requests {
            builder.failed(request, Box::new(error.clone()));
        }
        (self.shared.out)(builder.finish(), freed);
    }

    fn take_admin(&self, request: AdminRequest) {
        let AdminRequest {
            request,
            verb,
            args,
        } = request;
        match verb {
            AdminVerb::Status => self.answer_status(request),
            AdminVerb::Resolve { keyspace } => {
                let result = self
                    .sessions
                    .resolve(keyspace.as_str())
                    .map(|found| Bytes::from(serde_json::to_vec(&*found).unwrap_or_default()))
                    .map_err(Box::new);
                self.answer(&AdminReply { request, result });
            }
            AdminVerb::Call { name } => {
                let desk = Desk {
                    inbox: Arc::clone(&self.inbox),
                    sessions: Arc::clone(&self.sessions),
                    credit: Arc::clone(&self.shared.credit),
                };
                self.answer_later(request, async move {
                    crate::admin::call(&desk, name.as_str(), &args).await
                });
            }
        }
    }

    fn answer_status(&self, request: u64) {
        let (send, receive) = oneshot::channel();
        self.inbox
            .put(|lanes| lanes.controls.push(Control::Status(send)));
        self.answer_later(request, async move {
            let stopped = |_| Error::new(ErrorKind::ShuttingDown, "status");
            let status = receive.await.map_err(stopped)?;
            Ok(Bytes::from(status.to_string()))
        });
    }

    /// Sessions are served by the transport's tasks, which are outside of actix.
    fn answer_later(
        &self,
        request: u64,
        result: impl Future<Output = Result<Bytes, Error>> + Send + 'static,
    ) {
        let shared = Arc::clone(&self.shared);
        tokio::spawn(async move {
            let result = result.await.map_err(Box::new);
            if let Ok(frame) = (AdminReply { request, result }).encode() {
                (shared.out)(vec![frame], ADMIN_BYTES);
            }
        });
    }

    fn answer(&self, reply: &AdminReply) {
        match reply.encode() {
            Ok(frame) => (self.shared.out)(vec![frame], ADMIN_BYTES),
            Err(error) => tracing::warn!(%error, "An answer did not fit a frame"),
        }
    }
}

impl Drop for RemoteSession {
    fn drop(&mut self) {
        self.sessions.close(self.session);
        let held = std::mem::take(&mut *self.shared.window.lock()).held();
        self.shared.credit.give_back(held);
    }
}

fn deadline(deadline_ms: u32) -> Mono {
    crate::clock::now()
        .mono
        .after(Duration::from_millis(deadline_ms.into()))
}

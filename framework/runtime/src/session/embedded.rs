//! A session inside the node's own process.

use std::sync::Arc;

use parking_lot::Mutex;
use repertoire_core::{
    Acks, Error, ErrorKind, GroupId, Mono, ReadLevel, ReadQuery, ReadRequest, Reply, ReplyHandle,
    RequestId, TraceContext, WriteRequest,
};
use tokio::sync::Notify;

use super::window::Window;
use super::{ReplySink, Sessions};
use crate::actors::node::TracedRequest;
use crate::credit::Credit;
use crate::inbox::Inbox;

/// A write of an embedded session.
#[derive(Clone, Debug)]
pub struct EmbeddedWrite {
    /// Where it goes.
    pub group: GroupId,
    /// Its exactly-once identity.
    pub id: RequestId,
    /// Copies wanted; nothing takes the keyspace's default.
    pub acks: Option<Acks>,
    /// After this instant the outcome is reported as unknown.
    pub deadline: Mono,
    /// The encoded operation.
    pub body: bytes::Bytes,
}

#[derive(Default)]
struct Mailbag {
    replies: Vec<Reply>,
    window: Window,
    next_request: u64,
}

struct Shared {
    bag: Mutex<Mailbag>,
    arrived: Notify,
    credit: Arc<Credit>,
}

impl ReplySink for Shared {
    fn deliver(&self, mut replies: Vec<Reply>) {
        let mut bag = self.bag.lock();
        let freed: usize = replies
            .iter()
            .map(|reply| bag.window.finish(reply.to.request))
            .sum();
        bag.replies.append(&mut replies);
        drop(bag);
        self.credit.give_back(freed);
        self.arrived.notify_one();
    }
}

/// A session inside the node's own process. One task reads its replies; any may submit.
pub struct EmbeddedSession {
    session: u64,
    shared: Arc<Shared>,
    inbox: Arc<Inbox>,
    sessions: Arc<Sessions>,
}

impl std::fmt::Debug for EmbeddedSession {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EmbeddedSession")
            .field("session", &self.session)
            .finish_non_exhaustive()
    }
}

impl EmbeddedSession {
    pub(crate) fn open(inbox: Arc<Inbox>, sessions: Arc<Sessions>, credit: Arc<Credit>) -> Self {
        let (bag, arrived) = (Mutex::default(), Notify::new());
        let shared = Arc::new(Shared {
            bag,
            arrived,
            credit,
        });
        let session = sessions.open(|_| Arc::clone(&shared) as Arc<dyn ReplySink>);
        Self {
            session,
            shared,
            inbox,
            sessions,
        }
    }

    /// Submits writes, in order. Returns the number of the first; they count up from there.
    ///
    /// # Errors
    /// `Overloaded` when the node has no credit for them; none was submitted then.
    pub fn write(&self, writes: Vec<EmbeddedWrite>) -> Result<u64, Error> {
        self.write_in(writes, None)
    }

    /// Submits writes that belong to a trace, as [`write`](Self::write) does.
    ///
    /// # Errors
    /// Those of [`write`](Self::write).
    pub fn write_in(
        &self,
        writes: Vec<EmbeddedWrite>,
        trace: Option<TraceContext>,
    ) -> Result<u64, Error> {
        let sizes = writes.iter().map(|write| write.body.len() + 64);
        let bytes: usize = sizes.clone().sum();
        self.reserve(bytes)?;
        let mut bag = self.shared.bag.lock();
        let first = bag.next_request + 1;
        for bytes in sizes {
            bag.next_request += 1;
            let request = bag.next_request;
            bag.window.push(request, bytes);
        }
        drop(bag);
        let session = self.session;
        let requests = (first..).zip(writes).map(|(request, write)| {
            let EmbeddedWrite {
                group,
                id,
                acks,
                deadline,
                body,
            } = write;
            let reply_to = ReplyHandle { session, request };
            (
                group,
                WriteRequest {
                    id,
                    reply_to,
                    acks,
                    deadline,
                    body,
                },
            )
        });
        let requests: Vec<_> = requests.collect();
        self.inbox.put(|lanes| {
            if let Some(context) = trace {
                let traced = |(group, request): &(GroupId, WriteRequest)| TracedRequest {
                    group: *group,
                    reply_to: request.reply_to,
                    write: Some(request.id),
                    context,
                };
                lanes.traced.extend(requests.iter().map(traced));
            }
            lanes.writes.extend(requests);
        });
        Ok(first)
    }

    /// Submits a read. Returns its number.
    ///
    /// # Errors
    /// `Overloaded`.
    pub fn read(
        &self,
        group: GroupId,
        level: ReadLevel,
        deadline: Mono,
        query: ReadQuery,
    ) -> Result<u64, Error> {
        self.read_in(group, level, deadline, query, None)
    }

    /// Submits a read that belongs to a trace, as [`read`](Self::read) does.
    ///
    /// # Errors
    /// Those of [`read`](Self::read).
    pub fn read_in(
        &self,
        group: GroupId,
        level: ReadLevel,
        deadline: Mono,
        query: ReadQuery,
        trace: Option<TraceContext>,
    ) -> Result<u64, Error> {
        self.reserve(128)?;
        let mut bag = self.shared.bag.lock();
        bag.next_request += 1;
        let request = bag.next_request;
        bag.window.push(request, 128);
        drop(bag);
        let reply_to = ReplyHandle {
            session: self.session,
            request,
        };
        let read = ReadRequest {
            reply_to,
            level,
            deadline,
            query,
        };
        self.inbox.put(|lanes| {
            lanes.traced.extend(trace.map(|context| TracedRequest {
                group,
                reply_to,
                write: None,
                context,
            }));
            lanes.reads.push((group, read));
        });
        Ok(request)
    }

    /// Waits for replies; the request's number is in each.
    pub async fn replies(&self) -> Vec<Reply> {
        loop {
            let arrived = self.shared.arrived.notified();
            let replies = std::mem::take(&mut self.shared.bag.lock().replies);
            if !replies.is_empty() {
                return replies;
            }
            arrived.await;
        }
    }

    fn reserve(&self, bytes: usize) -> Result<(), Error> {
        if self.shared.credit.try_take(bytes) {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Overloaded, "request")
            .with("stage", "requests under way")
            .with("bytes_max", self.shared.credit.max()))
    }
}

impl Drop for EmbeddedSession {
    fn drop(&mut self) {
        self.sessions.close(self.session);
        let mut bag = self.shared.bag.lock();
        let held = std::mem::take(&mut bag.window).held();
        drop(bag);
        self.shared.credit.give_back(held);
    }
}

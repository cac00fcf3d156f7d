//! Connections inside a node's own process.

mod offsets;

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;
use repertoire_core::{Error, ErrorKind, Mono, NodeId, Outcome, Reply, RequestId};
use repertoire_runtime::{EmbeddedSession, EmbeddedWrite, NodeHandle};
use repertoire_wire::client::{AdminReply, AdminRequest, AdminVerb, ReplyItem};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::link::{Arrival, Connected, Inbound, Outbound, Parcel, ReadParcel, Task, WriteParcel};
use crate::trace;
use offsets::Offsets;

/// Bytes under way towards a node in this process: 40,000 small writes, far beyond what a node
/// needs to be busy.
const CREDIT: usize = 8 << 20;

/// Opens a connection to a node in this process.
pub(crate) fn connect(handle: &NodeHandle) -> Connected {
    let node = handle.identity().node;
    let session = Arc::new(handle.session());
    let offsets = Arc::new(Mutex::new(Offsets::default()));
    let (aside, from_aside) = mpsc::unbounded_channel();
    Connected {
        node,
        // It shares our fate.
        pulse: None,
        credit: CREDIT,
        outbound: Box::new(ToNode {
            session: Arc::clone(&session),
            offsets: Arc::clone(&offsets),
            handle: handle.clone(),
            aside,
        }),
        inbound: Box::new(FromNode {
            node,
            session,
            offsets,
            handle: handle.clone(),
            aside: from_aside,
        }),
    }
}

struct ToNode {
    session: Arc<EmbeddedSession>,
    offsets: Arc<Mutex<Offsets>>,
    handle: NodeHandle,
    /// What does not come through the session: refusals and administrative answers.
    aside: mpsc::UnboundedSender<Arrival>,
}

impl Outbound for ToNode {
    fn send(&mut self, burst: Vec<Parcel>) -> Task<'_, Result<(), Error>> {
        for parcel in burst {
            match parcel {
                Parcel::Writes(writes) => self.write(writes),
                Parcel::Reads(reads) => self.read(reads),
                Parcel::Admin(request) => self.ask(request),
            }
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

impl ToNode {
    fn write(&self, parcel: WriteParcel) {
        let WriteParcel {
            group,
            client,
            first_seq,
            acked_upto,
            acks,
            bodies,
            trace,
            ..
        } = parcel;
        let (deadline, count) = (mono(parcel.deadline), bodies.len());
        let trace = trace::context(&trace);
        let writes = (first_seq..).zip(bodies).map(|(seq, body)| {
            let id = RequestId {
                client,
                seq,
                acked_upto,
            };
            EmbeddedWrite {
                group,
                id,
                acks,
                deadline,
                body,
            }
        });
        let writes = writes.collect();
        self.submit(parcel.first_request, count, |session| {
            session.write_in(writes, trace)
        });
    }

    fn read(&self, parcel: ReadParcel) {
        let (deadline, trace) = (mono(parcel.deadline), trace::context(&parcel.trace));
        for (request, query) in (parcel.first_request..).zip(parcel.queries) {
            let level = parcel.level.clone();
            self.submit(request, 1, |session| {
                session.read_in(parcel.group, level, deadline, query, trace)
            });
        }
    }

    /// Hands requests to the session and notes how its numbers differ from ours. Requests that it
    /// refuses take no number of its.
    fn submit(
        &self,
        first: u64,
        count: usize,
        submit: impl FnOnce(&EmbeddedSession) -> Result<u64, Error>,
    ) {
        // Locked until the numbers are noted: the reply may be there before.
        let mut offsets = self.offsets.lock();
        match submit(&self.session) {
            Ok(theirs) => offsets.note(theirs, first),
            Err(error) => {
                drop(offsets);
                let count = u32::try_from(count).unwrap_or(u32::MAX);
                let error = Box::new(error);
                let item = ReplyItem::Failed {
                    first,
                    count,
                    error,
                };
                let _is_gone = self.aside.send(Arrival::Item(item));
            }
        }
    }

    fn ask(&self, request: AdminRequest) {
        let AdminRequest {
            request,
            verb,
            args,
        } = request;
        let aside = self.aside.clone();
        let answer = move |result: Result<Bytes, Error>| {
            let result = result.map_err(Box::new);
            let _is_gone = aside.send(Arrival::Admin(AdminReply { request, result }));
        };
        match verb {
            AdminVerb::Status => {
                let handle = self.handle.clone();
                tokio::spawn(async move {
                    answer(
                        handle
                            .status()
                            .await
                            .map(|status| Bytes::from(status.to_string())),
                    );
                });
            }
            AdminVerb::Resolve { keyspace } => {
                let found = self.handle.resolve(keyspace.as_str()).map(|descriptor| {
                    Bytes::from(serde_json::to_vec(&*descriptor).unwrap_or_default())
                });
                answer(found);
            }
            AdminVerb::Call { name } => {
                let handle = self.handle.clone();
                tokio::spawn(async move { answer(handle.call(name.as_str(), &args).await) });
            }
        }
    }
}

struct FromNode {
    node: NodeId,
    session: Arc<EmbeddedSession>,
    offsets: Arc<Mutex<Offsets>>,
    handle: NodeHandle,
    aside: mpsc::UnboundedReceiver<Arrival>,
}

impl Inbound for FromNode {
    fn receive<'a>(&'a mut self, into: &'a mut Vec<Arrival>) -> Task<'a, Result<(), Error>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                replies = self.session.replies() => {
                    let offsets = self.offsets.lock();
                    into.reserve(8);
                    for reply in replies {
                        push(into, offsets.ours(reply.to.request), reply);
                    }
                    Ok(())
                }
                Some(arrival) = self.aside.recv() => {
                    into.push(arrival);
                    Ok(())
                }
                ended = self.handle.ended() => Err(stopped(self.node, ended)),
            }
        })
    }
}

/// Appends a reply; plain writes that end in order become a run.
fn push(into: &mut Vec<Arrival>, request: u64, reply: Reply) {
    match reply.outcome {
        Outcome::Written { ack, result } if result.is_empty() => {
            if let Some(Arrival::Item(ReplyItem::WrittenRun {
                first,
                count,
                ack: begin,
            })) = into.last_mut()
                && *first + u64::from(*count) == request
                && begin.position.lsn.plus((*count).into()) == ack.position.lsn
                && begin.position.epoch == ack.position.epoch
                && begin.durability == ack.durability
                && begin.copies == ack.copies
            {
                *count += 1;
                return;
            }
            let item = ReplyItem::WrittenRun {
                first: request,
                count: 1,
                ack,
            };
            into.push(Arrival::Item(item));
        }
        Outcome::Written { ack, result } => {
            into.push(Arrival::Item(ReplyItem::Written {
                request,
                ack,
                result,
            }));
        }
        Outcome::Answered { position, answer } => {
            into.push(Arrival::Item(ReplyItem::Answered {
                request,
                position,
                answer,
            }));
        }
        Outcome::Failed(error) => {
            let item = ReplyItem::Failed {
                first: request,
                count: 1,
                error,
            };
            into.push(Arrival::Item(item));
        }
    }
}

fn stopped(node: NodeId, ended: Result<(), Error>) -> Error {
    let error = Error::new(ErrorKind::Unavailable, "keep the session").with("node", node);
    match ended {
        Ok(()) => error.with("detail", "the node has stopped"),
        Err(cause) => error.with("detail", cause),
    }
}

/// A deadline on the node's clock.
fn mono(deadline: Instant) -> Mono {
    let left = deadline.saturating_duration_since(Instant::now());
    repertoire_runtime::clock::now().mono.after(left)
}

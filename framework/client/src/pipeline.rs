//! Submitting without waiting, for load generators and servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use repertoire_core::limits::OPERATION_MAX;
use repertoire_core::{Descriptor, Error, GroupId, ReadQuery};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::client::Client;
use crate::completion::Completion;
use crate::flight::{ReadWaiter, WriteWaiter};
use crate::hub::{NewRead, NewWrite};
use crate::options::RequestOptions;
use crate::routing::{self, group};
use crate::trace::{self, Call, Traced};

/// Submits requests without waiting for their outcomes. Cheap to clone; any task may submit.
///
/// Everything that is submitted between two wake-ups of a connection's writer leaves in one burst.
/// Requests that are under way at once are concurrent: after a failure they may take effect in
/// another order than they were submitted in.
///
/// ```no_run
/// # async fn demo(keyspace: repertoire_client::Keyspace) -> Result<(), repertoire_core::Error> {
/// use repertoire_core::Operation;
///
/// let (pipeline, mut completions) = keyspace.pipeline();
/// let put = Operation::Put { key: b"k", value: b"v", expires_at: None }.encode();
/// let first = pipeline.submit(vec![put; 1000]).await?;
/// let (mut done, mut batch) = (0, Vec::new());
/// while done < 1000 {
///     completions.next(&mut batch).await;
///     done += batch.drain(..).map(|completion| completion.count()).sum::<u64>();
/// }
/// # let _ = first;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Pipeline {
    client: Client,
    descriptor: Arc<Descriptor>,
    options: RequestOptions,
    pipe: u32,
    next: Arc<AtomicU64>,
}

/// Outcomes of what a [`Pipeline`] submitted, in completion order.
#[derive(Debug)]
pub struct Completions {
    client: Client,
    pipe: u32,
    arrived: Arc<Notify>,
}

impl Pipeline {
    pub(crate) fn open(
        client: Client,
        descriptor: Arc<Descriptor>,
        options: RequestOptions,
    ) -> (Self, Completions) {
        let (pipe, arrived) = client.driver().act(|hub, _| hub.pipes.open());
        let completions = Completions {
            client: client.clone(),
            pipe,
            arrived,
        };
        let next = Arc::new(AtomicU64::new(1));
        (
            Self {
                client,
                descriptor,
                options,
                pipe,
                next,
            },
            completions,
        )
    }

    /// Submits encoded [operations](repertoire_core::Operation). Returns the ticket of the first;
    /// the others count up from there. Waits while the client's buffer is full; when it is dropped
    /// while it waits, part of the operations may have been submitted.
    ///
    /// The deadline of each begins now.
    ///
    /// # Errors
    /// `TooLarge`, `Unsupported` (keys of one operation in several shards), `Malformed`; nothing was
    /// submitted then. What happens later is a [`Completion`].
    pub async fn submit(&self, operations: Vec<Bytes>) -> Result<u64, Error> {
        let count = operations.len() as u64;
        let groups = self.route(&operations)?;
        let first = self.next.fetch_add(count, Ordering::Relaxed);
        let deadline = Instant::now() + self.options.deadline;
        let trace = self.trace("write", operations.len());
        let mut operations = operations.into_iter().enumerate();
        let mut next = || {
            let (index, body) = operations.next()?;
            let ticket = first + index as u64;
            Some(NewWrite {
                group: groups.of(index),
                body,
                waiter: WriteWaiter::Pipe {
                    pipe: self.pipe,
                    ticket,
                },
                deadline,
                acks: self.options.acks,
                trace: trace.clone(),
            })
        };
        let mut offer = next();
        let driver = self.client.driver();
        driver
            .take_in(|hub, now| {
                while offer.is_some() {
                    hub.write(&mut offer, now);
                    if offer.is_some() {
                        return false;
                    }
                    offer = next();
                }
                true
            })
            .await;
        Ok(first)
    }

    /// Submits reads, at the handle's level.
    /// Returns the ticket of the first, from the same count as those of writes.
    ///
    /// # Errors
    /// `TooLarge` for a key above the cap; `Unsupported` for a scan, count or digest of a keyspace of
    /// several shards (see [`Keyspace::rows`](crate::Keyspace::rows)). Nothing was submitted then.
    pub async fn submit_reads(&self, queries: Vec<ReadQuery>) -> Result<u64, Error> {
        queries.iter().try_for_each(routing::check_query)?;
        routing::check_whole(&self.descriptor, &queries)?;
        let first = self.next.fetch_add(queries.len() as u64, Ordering::Relaxed);
        let deadline = Instant::now() + self.options.deadline;
        let trace = self.trace("read", queries.len());
        let mut queries = (first..).zip(queries);
        let mut next = || {
            let (ticket, query) = queries.next()?;
            Some(NewRead {
                group: group(
                    &self.descriptor,
                    routing::of_query(&self.descriptor, &query),
                ),
                level: self.options.level.clone(),
                query,
                node: self.options.read_node(),
                waiter: ReadWaiter::Pipe {
                    pipe: self.pipe,
                    ticket,
                },
                deadline,
                trace: trace.clone(),
            })
        };
        let mut offer = next();
        let driver = self.client.driver();
        driver
            .take_in(|hub, _| {
                while offer.is_some() {
                    hub.read(&mut offer);
                    if offer.is_some() {
                        return false;
                    }
                    offer = next();
                }
                true
            })
            .await;
        Ok(first)
    }

    fn trace(&self, kind: &'static str, count: usize) -> Traced {
        let keyspace = self.descriptor.name.as_str();
        let call = Call {
            kind,
            keyspace,
            count,
        };
        trace::begin(call, self.options.trace)
    }

    fn route(&self, operations: &[Bytes]) -> Result<Groups, Error> {
        if let Some(long) = operations.iter().find(|body| body.len() > OPERATION_MAX) {
            return Err(routing::too_large(long.len(), OPERATION_MAX));
        }
        let of = |body: &Bytes| {
            routing::of_body(&self.descriptor, body).map(|shard| group(&self.descriptor, shard))
        };
        if self.descriptor.placement.shards.len() <= 1 {
            let body = Bytes::new();
            return of(&body).map(Groups::One);
        }
        operations
            .iter()
            .map(of)
            .collect::<Result<_, _>>()
            .map(Groups::Each)
    }
}

/// The groups of a batch.
enum Groups {
    One(GroupId),
    Each(Vec<GroupId>),
}

impl Groups {
    fn of(&self, index: usize) -> GroupId {
        match self {
            Self::One(group) => *group,
            Self::Each(groups) => groups.get(index).copied().unwrap_or_default(),
        }
    }
}

impl Completions {
    /// Waits for outcomes and appends them to `into`. Loses nothing when it is dropped while it
    /// waits. Pass the same vector, emptied, again and again: its memory is reused.
    pub async fn next(&mut self, into: &mut Vec<Completion>) {
        let before = into.len();
        loop {
            self.try_next(into);
            if into.len() > before {
                return;
            }
            self.arrived.notified().await;
        }
    }

    /// Appends the outcomes that are there.
    pub fn try_next(&mut self, into: &mut Vec<Completion>) {
        if into.is_empty() {
            self.client
                .driver()
                .act(|hub, _| hub.pipes.take(self.pipe, into));
            return;
        }
        let mut more = Vec::new();
        self.client
            .driver()
            .act(|hub, _| hub.pipes.take(self.pipe, &mut more));
        into.append(&mut more);
    }
}

impl Drop for Completions {
    fn drop(&mut self) {
        self.client
            .driver()
            .act(|hub, _| hub.pipes.close(self.pipe));
    }
}

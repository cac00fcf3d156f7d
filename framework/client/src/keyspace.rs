//! Requests to one keyspace, one at a time.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use repertoire_core::limits::OPERATION_MAX;
use repertoire_core::{
    Acks, Answer, Descriptor, Error, ErrorKind, Guard, NodeId, Operation, Position, ReadLevel,
    ReadQuery, Row, ShardId, TraceContext,
};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::client::Client;
use crate::flight::{ReadWaiter, WriteWaiter, Written};
use crate::hub::{NewRead, NewWrite};
use crate::options::RequestOptions;
use crate::pipeline::{Completions, Pipeline};
use crate::routing::{self, group};
use crate::trace::{self, Call};

/// A keyspace, with choices for the requests made through it. Cheap to clone; the methods that make
/// a choice return a handle that has made it and leave this one as it is.
///
/// A write that fails tells by [`Error::outcome`] whether it may still have happened: `Unknown` when
/// a copy of it met an unknown fate, `NotApplied` when none can have been applied.
#[derive(Clone, Debug)]
pub struct Keyspace {
    client: Client,
    descriptor: Arc<Descriptor>,
    options: RequestOptions,
}

impl Keyspace {
    pub(crate) const fn new(
        client: Client,
        descriptor: Arc<Descriptor>,
        options: RequestOptions,
    ) -> Self {
        Self {
            client,
            descriptor,
            options,
        }
    }

    /// What the keyspace is, as far as this client knows by now.
    pub fn descriptor(&self) -> Arc<Descriptor> {
        let known = self
            .client
            .driver()
            .act(|hub, _| hub.descriptor(self.descriptor.id));
        known.unwrap_or_else(|| Arc::clone(&self.descriptor))
    }

    /// The client that it belongs to.
    pub const fn client(&self) -> &Client {
        &self.client
    }

    /// Its shards.
    pub fn shards(&self) -> Vec<ShardId> {
        self.descriptor().placement.shards.keys().copied().collect()
    }

    /// The choices that this handle makes.
    pub const fn options(&self) -> &RequestOptions {
        &self.options
    }

    /// A handle that makes these choices.
    #[must_use]
    pub fn with(&self, options: RequestOptions) -> Self {
        Self {
            options,
            ..self.clone()
        }
    }

    /// A handle whose writes need these copies.
    #[must_use]
    pub fn acks(&self, acks: Acks) -> Self {
        self.with(RequestOptions {
            acks: Some(acks),
            ..self.options.clone()
        })
    }

    /// A handle whose requests may take this long, retries included.
    #[must_use]
    pub fn deadline(&self, deadline: Duration) -> Self {
        self.with(RequestOptions {
            deadline,
            ..self.options.clone()
        })
    }

    /// A handle whose reads must be this fresh.
    #[must_use]
    pub fn level(&self, level: ReadLevel) -> Self {
        self.with(RequestOptions {
            level,
            ..self.options.clone()
        })
    }

    /// A handle whose `Local` and `Session` reads go to this node while it serves.
    #[must_use]
    pub fn at(&self, node: NodeId) -> Self {
        self.with(RequestOptions {
            node: Some(node),
            ..self.options.clone()
        })
    }

    /// A handle whose requests belong to the trace of what causes them; see
    /// [`RequestOptions::trace`].
    #[must_use]
    pub fn caused_by(&self, trace: TraceContext) -> Self {
        self.with(RequestOptions {
            trace: Some(trace),
            ..self.options.clone()
        })
    }

    /// Sets a key.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute).
    pub async fn put(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<Written, Error> {
        let (key, value) = (key.as_ref(), value.as_ref());
        self.execute(&Operation::Put {
            key,
            value,
            expires_at: None,
        })
        .await
    }

    /// Sets a key that is gone after `expires_at`, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute).
    pub async fn put_until(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
        expires_at: u64,
    ) -> Result<Written, Error> {
        let (key, value) = (key.as_ref(), value.as_ref());
        self.execute(&Operation::Put {
            key,
            value,
            expires_at: Some(expires_at),
        })
        .await
    }

    /// Removes a key. Removing an absent key is not an error.
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute).
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<Written, Error> {
        self.execute(&Operation::Delete { key: key.as_ref() }).await
    }

    /// Replaces a value if it is the expected one; nothing stands for "no value" on both sides.
    ///
    /// # Errors
    /// `Conflict` when it is not; those of [`execute`](Self::execute).
    pub async fn compare_and_set(
        &self,
        key: impl AsRef<[u8]>,
        expected: Option<&[u8]>,
        new: Option<&[u8]>,
    ) -> Result<Written, Error> {
        let key = key.as_ref();
        self.execute(&Operation::CompareAndSet { key, expected, new })
            .await
    }

    /// Several puts and deletes, all or none; their keys must be of one shard. Over several shards, and
    /// then not atomic: [`batch_per_shard`](Self::batch_per_shard).
    ///
    /// # Errors
    /// Those of [`execute`](Self::execute).
    pub async fn batch(&self, operations: Vec<Operation<'_>>) -> Result<Written, Error> {
        self.execute(&Operation::Batch(operations)).await
    }

    /// Several operations, all or none, if every guard holds; the result holds the values of
    /// `returning`, in the keyspace's encoding of results.
    ///
    /// # Errors
    /// `Conflict` when a guard does not hold; those of [`execute`](Self::execute).
    pub async fn transaction<'a>(
        &self,
        guards: Vec<Guard<'a>>,
        ops: Vec<Operation<'a>>,
        returning: Vec<&'a [u8]>,
    ) -> Result<Written, Error> {
        self.execute(&Operation::Transaction {
            guards,
            ops,
            returning,
        })
        .await
    }

    /// Runs a registered function at the leader. In a keyspace of several shards it must be told whose:
    /// [`call_near`](Self::call_near).
    ///
    /// # Errors
    /// `Unsupported` for a function that is not registered, `Application` when it fails on its own
    /// terms; those of [`execute`](Self::execute).
    pub async fn call(&self, function: &str, args: impl AsRef<[u8]>) -> Result<Written, Error> {
        self.execute(&Operation::Call {
            function,
            args: args.as_ref(),
        })
        .await
    }

    /// Does an operation, exactly once whatever the network does: retries carry the same identity.
    ///
    /// # Errors
    /// `Timeout` at the deadline; `Unsupported` when its keys lie in several shards; what the node
    /// says when trying again is of no use.
    pub async fn execute(&self, operation: &Operation<'_>) -> Result<Written, Error> {
        routing::check_operation(operation)?;
        let descriptor = self.descriptor();
        let shard = routing::of_operation(&descriptor, operation)?;
        let body = operation.encode();
        if body.len() > OPERATION_MAX {
            return Err(routing::too_large(body.len(), OPERATION_MAX));
        }
        let call = self.call_of("write", &descriptor);
        let trace = trace::begin(call, self.options.trace);
        let (reply, outcome) = oneshot::channel();
        let mut write = Some(NewWrite {
            group: group(&descriptor, shard),
            body,
            waiter: WriteWaiter::Call(reply),
            deadline: Instant::now() + self.options.deadline,
            acks: self.options.acks,
            trace: trace.clone(),
        });
        let driver = self.client.driver();
        driver
            .take_in(|hub, now| {
                hub.write(&mut write, now);
                write.is_none()
            })
            .await;
        let gone = |_| Err(Error::new(ErrorKind::ShuttingDown, "write"));
        let outcome = outcome.await.unwrap_or_else(gone);
        trace::end(&trace, &outcome);
        outcome.map_err(|error| error.with("keyspace", &descriptor.name))
    }

    /// The value of a key, and the position it was read at.
    ///
    /// # Errors
    /// `Timeout` at the deadline; `Discarded` when a failover discarded the position of a `Session`
    /// read; what the node says when trying again is of no use.
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<(Position, Option<Bytes>), Error> {
        let key = Bytes::copy_from_slice(key.as_ref());
        let descriptor = self.descriptor();
        let shard = descriptor.placement.slots.shard_of(&key);
        match self.read(shard, ReadQuery::Get(key)).await? {
            (position, Answer::Value(value)) => Ok((position, value)),
            (_, other) => Err(routing::wrong_answer(&other)),
        }
    }

    /// The rows with keys in `[from, to)`, in order, at most `limit`; an empty `to` means no end.
    /// For keyspaces with several shards see [`rows`](Self::rows) and [`scan_shard`](Self::scan_shard).
    ///
    /// # Errors
    /// `Unsupported` with several shards; those of [`get`](Self::get).
    pub async fn scan(
        &self,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        limit: u32,
    ) -> Result<(Position, Vec<Row>), Error> {
        self.scan_shard(self.only_shard()?, from, to, limit).await
    }

    /// The rows of one shard with keys in `[from, to)`, in order, at most `limit`.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub async fn scan_shard(
        &self,
        shard: ShardId,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        limit: u32,
    ) -> Result<(Position, Vec<Row>), Error> {
        let from = Bytes::copy_from_slice(from.as_ref());
        let to = Bytes::copy_from_slice(to.as_ref());
        match self
            .read(shard, ReadQuery::Scan { from, to, limit })
            .await?
        {
            (position, Answer::Rows(rows)) => Ok((position, rows)),
            (_, other) => Err(routing::wrong_answer(&other)),
        }
    }

    /// The number of live keys; of one shard when it is named. Of all: [`count_all`](Self::count_all).
    ///
    /// # Errors
    /// `Unsupported` with several shards and none named; those of [`get`](Self::get).
    pub async fn count(&self, shard: Option<ShardId>) -> Result<(Position, u64), Error> {
        let shard = shard.map_or_else(|| self.only_shard(), Ok)?;
        match self.read(shard, ReadQuery::Count).await? {
            (position, Answer::Count(count)) => Ok((position, count)),
            (_, other) => Err(routing::wrong_answer(&other)),
        }
    }

    /// The digest of the state, equal on all replicas at equal positions; of one shard when it is
    /// named. Of all: [`digest_all`](Self::digest_all).
    ///
    /// # Errors
    /// `Unsupported` with several shards and none named; those of [`get`](Self::get).
    pub async fn digest(&self, shard: Option<ShardId>) -> Result<(Position, u128), Error> {
        let shard = shard.map_or_else(|| self.only_shard(), Ok)?;
        match self.read(shard, ReadQuery::Digest).await? {
            (position, Answer::Digest(digest)) => Ok((position, digest)),
            (_, other) => Err(routing::wrong_answer(&other)),
        }
    }

    /// A pipeline: submit without waiting, hear of outcomes in batches.
    pub fn pipeline(&self) -> (Pipeline, Completions) {
        Pipeline::open(self.client.clone(), self.descriptor(), self.options.clone())
    }

    const fn call_of<'a>(&self, kind: &'static str, descriptor: &'a Descriptor) -> Call<'a> {
        let keyspace = descriptor.name.as_str();
        let count = 1;
        Call {
            kind,
            keyspace,
            count,
        }
    }

    fn only_shard(&self) -> Result<ShardId, Error> {
        match *self.shards() {
            [] => Ok(ShardId(0)),
            [shard] => Ok(shard),
            _ => Err(Error::new(ErrorKind::Unsupported, "read")
                .with("keyspace", &self.descriptor.name)
                .with("detail", "it has several shards")
                .with(
                    "remedy",
                    "name one of them, or ask all: rows, count_all, digest_all",
                )),
        }
    }

    pub(crate) async fn read(
        &self,
        shard: ShardId,
        query: ReadQuery,
    ) -> Result<(Position, Answer), Error> {
        routing::check_query(&query)?;
        let trace = trace::begin(self.call_of("read", &self.descriptor), self.options.trace);
        let (reply, answer) = oneshot::channel();
        let mut read = Some(NewRead {
            group: group(&self.descriptor, shard),
            level: self.options.level.clone(),
            query,
            node: self.options.read_node(),
            waiter: ReadWaiter::Call(reply),
            deadline: Instant::now() + self.options.deadline,
            trace: trace.clone(),
        });
        let driver = self.client.driver();
        driver
            .take_in(|hub, _| {
                hub.read(&mut read);
                read.is_none()
            })
            .await;
        let gone = |_| Err(Error::new(ErrorKind::ShuttingDown, "read"));
        let answer = answer.await.unwrap_or_else(gone);
        trace::end(&trace, &answer);
        answer.map_err(|error| error.with("keyspace", &self.descriptor.name))
    }
}

//! Requests that concern every shard of a keyspace, and calls that concern one.

mod rows;

use std::collections::BTreeMap;

use bytes::Bytes;
use repertoire_core::cursor::Cursor;
use repertoire_core::limits::OPERATION_MAX;
use repertoire_core::{Error, ErrorKind, Operation, Position, ShardId};
use tokio::task::JoinSet;

use crate::flight::Written;
use crate::guarantees::SessionKeyspace;
use crate::keyspace::Keyspace;
pub use rows::Rows;

/// What every shard of a keyspace answered, each at a position of its own: shards have no common
/// history, so the whole is no state that the keyspace was in at one moment while somebody writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PerShard<T> {
    /// The position at which each shard was read, and its answer.
    pub shards: BTreeMap<ShardId, (Position, T)>,
}

impl PerShard<u64> {
    /// The sum.
    pub fn total(&self) -> u64 {
        self.shards.values().map(|(_, count)| count).sum()
    }
}

impl PerShard<u128> {
    /// One digest of all shards' digests: equal where all of them are.
    pub fn combined(&self) -> u128 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        for (shard, (_, digest)) in &self.shards {
            hash.update(&shard.0.to_le_bytes());
            hash.update(&digest.to_le_bytes());
        }
        hash.digest128()
    }
}

impl Keyspace {
    /// All rows with keys in `[from, to)`, of all shards, in the order of their keys; an empty `to`
    /// means no end. They are fetched page by page as they are asked for.
    ///
    /// ```no_run
    /// # async fn demo(orders: repertoire_client::Keyspace) -> Result<(), repertoire_core::Error> {
    /// let mut rows = orders.rows("2026-11", "2026-12");
    /// while let Some(page) = rows.next(100).await? {
    ///     for row in page { println!("{:?}", row.key); }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn rows(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Rows {
        Rows::of(self.clone(), from.as_ref(), to.as_ref())
    }

    /// The rows of one shard with keys in `[from, to)`, in order, page by page: for keys that a `{tag}`
    /// keeps together, where asking the other shards is of no use.
    pub fn rows_of(&self, shard: ShardId, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Rows {
        Rows::of_shard(self.clone(), shard, from.as_ref(), to.as_ref())
    }

    /// The number of live keys of every shard.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), of the first shard that fails.
    pub async fn count_all(&self) -> Result<PerShard<u64>, Error> {
        let count = |keyspace: Self, shard| async move { keyspace.count(Some(shard)).await };
        self.of_all(count).await
    }

    /// The digest of every shard, each equal on all its replicas at equal positions.
    ///
    /// # Errors
    /// Those of [`get`](Self::get), of the first shard that fails.
    pub async fn digest_all(&self) -> Result<PerShard<u128>, Error> {
        let digest = |keyspace: Self, shard| async move { keyspace.digest(Some(shard)).await };
        self.of_all(digest).await
    }

    /// Runs a registered function at the leader of the shard that owns `near`, a key or a `{tag}`. All
    /// keys that the function reads must be of that shard.
    ///
    /// # Errors
    /// `Unsupported` when the function reads a key of another shard; those of [`call`](Self::call).
    pub async fn call_near(
        &self,
        near: impl AsRef<[u8]>,
        function: &str,
        args: impl AsRef<[u8]>,
    ) -> Result<Written, Error> {
        let args = args.as_ref();
        let call = Operation::Call { function, args };
        if self.descriptor().placement.slots.is_whole() {
            return self.execute(&call).await;
        }
        let routed = Operation::Transaction {
            guards: Vec::new(),
            ops: vec![call],
            returning: vec![near.as_ref()],
        };
        let mut written = self.execute(&routed).await?;
        let undecodable = |error| Error::undecodable("call", &error);
        let mut cursor = Cursor::new(&written.result);
        let result = cursor.blob(OPERATION_MAX, "result").map_err(undecodable)?;
        written.result = Bytes::copy_from_slice(result);
        Ok(written)
    }

    /// Puts and deletes whose keys may lie in several shards: one batch per shard. Each batch is atomic;
    /// all of them together are not. Some may be done when others fail, and a reader may see some
    /// earlier than others. The outcome of each says so.
    pub async fn batch_per_shard(
        &self,
        operations: &[Operation<'_>],
    ) -> BTreeMap<ShardId, Result<Written, Error>> {
        let slots = self.descriptor().placement.slots.clone();
        let mut outcomes = BTreeMap::new();
        let mut parts: BTreeMap<ShardId, Vec<Operation<'_>>> = BTreeMap::new();
        for operation in operations {
            match slots.owner(operation) {
                Ok(owner) => parts.entry(owner.unwrap_or_default()).or_default(),
                // Not a put and not a delete: refused there.
                Err(_) => parts.entry(ShardId(0)).or_default(),
            }
            .push(operation.clone());
        }
        let mut tasks = JoinSet::new();
        for (shard, part) in parts {
            let (keyspace, batch) = (self.clone(), Operation::Batch(part).encode());
            tasks.spawn(async move {
                let outcome = match Operation::decode(&batch) {
                    Ok(batch) => keyspace.execute(&batch).await,
                    Err(error) => Err(Error::undecodable("write", &error)),
                };
                (shard, outcome)
            });
        }
        while let Some(done) = tasks.join_next().await {
            if let Ok((shard, outcome)) = done {
                outcomes.insert(shard, outcome);
            }
        }
        outcomes
    }

    async fn of_all<T, F>(&self, ask: impl Fn(Self, ShardId) -> F) -> Result<PerShard<T>, Error>
    where
        T: Send + 'static,
        F: Future<Output = Result<(Position, T), Error>> + Send + 'static,
    {
        let mut tasks = JoinSet::new();
        for shard in self.shards() {
            let answer = ask(self.clone(), shard);
            tasks.spawn(async move { (shard, answer.await) });
        }
        let mut shards = BTreeMap::new();
        while let Some(answer) = tasks.join_next().await {
            let (shard, answer) = answer.map_err(|error| lost(&error))?;
            shards.insert(shard, answer.map_err(|error| error.with("shard", shard))?);
        }
        Ok(PerShard { shards })
    }
}

impl SessionKeyspace {
    /// All rows with keys in `[from, to)`, of all shards, in the order of their keys; an empty `to`
    /// means no end. Each page contains what the session has written and read in its shard.
    pub fn rows(&self, from: impl AsRef<[u8]>, to: impl AsRef<[u8]>) -> Rows {
        Rows::of_session(self.clone(), from.as_ref(), to.as_ref())
    }
}

/// A task ended without its answer.
fn lost(error: &tokio::task::JoinError) -> Error {
    Error::new(ErrorKind::Unexpected, "ask every shard").with("detail", error)
}

//! Sessions: where requests come from and replies go to.

mod embedded;
mod remote;
mod window;

pub use embedded::{EmbeddedSession, EmbeddedWrite};
pub use remote::{FrameOut, RemoteSession};

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use dashmap::DashMap;
use parking_lot::RwLock;
use repertoire_core::{
    Catalogue, Descriptor, Error, ErrorKind, GroupId, KeyspaceId, Operation, ReadQuery, Reply,
    ShardId,
};
use repertoire_wire::ANY_SHARD;

use crate::tokens::TokenDesk;

/// Where the replies of one session go. Called from the Node actor; must not block.
pub(crate) trait ReplySink: Send + Sync {
    /// Takes replies over.
    fn deliver(&self, replies: Vec<Reply>);
}

/// All sessions of a node, and what they need to route by.
#[derive(Default)]
pub(crate) struct Sessions {
    next: AtomicU64,
    sinks: DashMap<u64, Arc<dyn ReplySink>>,
    catalogue: RwLock<Arc<Catalogue>>,
    /// Keyspaces that the cluster was formatted with: the catalogue will hold them.
    formatted: RwLock<Vec<String>>,
    /// Seals and opens session tokens.
    pub(crate) tokens: TokenDesk,
}

impl std::fmt::Debug for Sessions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sessions")
            .field("open", &self.sinks.len())
            .finish_non_exhaustive()
    }
}

impl Sessions {
    /// No sessions yet.
    pub(crate) fn new(tokens: TokenDesk) -> Self {
        Self {
            tokens,
            ..Self::default()
        }
    }

    /// Opens a session; its number is never reused by this process.
    pub(crate) fn open(&self, sink: impl FnOnce(u64) -> Arc<dyn ReplySink>) -> u64 {
        let session = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        self.sinks.insert(session, sink(session));
        session
    }

    /// Closes a session: replies that are still under way are dropped.
    pub(crate) fn close(&self, session: u64) {
        self.sinks.remove(&session);
    }

    pub(crate) fn deliver(&self, session: u64, replies: Vec<Reply>) {
        // Cloned out, so that no guard is held while the sink works.
        let sink = self.sinks.get(&session).map(|sink| Arc::clone(&sink));
        if let Some(sink) = sink {
            sink.deliver(replies);
        }
    }

    pub(crate) fn publish(&self, catalogue: Arc<Catalogue>) {
        *self.catalogue.write() = catalogue;
    }

    /// Names the keyspaces that the cluster was formatted with.
    pub(crate) fn expect(&self, keyspaces: Vec<String>) {
        *self.formatted.write() = keyspaces;
    }

    /// A keyspace by name.
    ///
    /// # Errors
    /// `Unavailable` while the catalogue does not hold it yet, `UnknownKeyspace`.
    pub(crate) fn resolve(&self, name: &str) -> Result<Arc<Descriptor>, Error> {
        let catalogue = self.catalogue();
        let is_on_its_way = || {
            // A node that joined, or was formatted with nothing, has all to learn.
            let is_empty = catalogue.keyspaces().next().is_none();
            is_empty || self.formatted.read().iter().any(|known| known == name)
        };
        match catalogue.by_name(name) {
            Ok(descriptor) => Ok(Arc::clone(descriptor)),
            Err(_) if is_on_its_way() => Err(Error::new(ErrorKind::Unavailable, "resolve")
                .with("keyspace", name)
                .with("detail", "the catalogue does not hold it yet")),
            Err(error) => Err(error),
        }
    }

    /// The catalogue as this node knows it.
    pub(crate) fn catalogue(&self) -> Arc<Catalogue> {
        Arc::clone(&self.catalogue.read())
    }

    /// A keyspace by number.
    ///
    /// # Errors
    /// `UnknownKeyspace`.
    pub(crate) fn keyspace(&self, id: KeyspaceId) -> Result<Arc<Descriptor>, Error> {
        self.catalogue.read().keyspace(id).cloned()
    }
}

/// The group that an encoded operation goes to: the owner of its keys. What has none, because its keys
/// lie in several shards or it does not decode, goes where it is refused with the reason: every shard
/// checks what it is asked to write.
pub(crate) fn route_write(descriptor: &Descriptor, body: &[u8]) -> GroupId {
    let owner = || {
        let operation = Operation::decode(body).ok()?;
        descriptor.placement.slots.owner(&operation).ok().flatten()
    };
    let is_whole = descriptor.placement.slots.is_whole();
    let shard = if is_whole { None } else { owner() };
    GroupId {
        keyspace: descriptor.id,
        shard: shard.unwrap_or(ShardId(0)),
    }
}

/// The group that a query goes to: that of its key, or the shard that the client names.
pub(crate) fn route_read(descriptor: &Descriptor, named: ShardId, query: &ReadQuery) -> GroupId {
    let shard = match query {
        ReadQuery::Get(key) => descriptor.placement.slots.shard_of(key),
        ReadQuery::Scan { .. } | ReadQuery::Digest | ReadQuery::Count => match named {
            ShardId(ANY_SHARD) => ShardId(0),
            named => named,
        },
    };
    GroupId {
        keyspace: descriptor.id,
        shard,
    }
}

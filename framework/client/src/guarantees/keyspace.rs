//! One keyspace, as a session sees it.

use bytes::Bytes;
use repertoire_core::{
    Answer, EntryId, Error, ErrorKind, GroupId, Need, NodeId, Operation, Position, ReadLevel,
    ReadQuery, Row, ShardId,
};
use tokio::time::Instant;

use super::{Session, is_elsewhere_better};
use crate::flight::Written;
use crate::keyspace::Keyspace;
use crate::routing::{self, group};

/// A keyspace, as a session sees it: its writes and reads move the session on. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SessionKeyspace {
    session: Session,
    keyspace: Keyspace,
}

impl SessionKeyspace {
    pub(crate) const fn new(session: Session, keyspace: Keyspace) -> Self {
        Self { session, keyspace }
    }

    /// The same keyspace with choices made by `choose`, such as acks or a deadline. A read level and
    /// a node have no effect: the session chooses them.
    #[must_use]
    pub fn with(&self, choose: impl FnOnce(&Keyspace) -> Keyspace) -> Self {
        Self::new(self.session.clone(), choose(&self.keyspace))
    }

    /// The session that it belongs to.
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// Its shards.
    pub fn shards(&self) -> Vec<ShardId> {
        self.keyspace.shards()
    }

    /// Sets a key.
    ///
    /// # Errors
    /// Those of [`Keyspace::execute`].
    pub async fn put(
        &self,
        key: impl AsRef<[u8]>,
        value: impl AsRef<[u8]>,
    ) -> Result<Written, Error> {
        let (key, value) = (key.as_ref(), value.as_ref());
        let expires_at = None;
        self.execute(&Operation::Put {
            key,
            value,
            expires_at,
        })
        .await
    }

    /// Removes a key. Removing an absent key is not an error.
    ///
    /// # Errors
    /// Those of [`Keyspace::execute`].
    pub async fn delete(&self, key: impl AsRef<[u8]>) -> Result<Written, Error> {
        self.execute(&Operation::Delete { key: key.as_ref() }).await
    }

    /// Does an operation, exactly once. Whatever the session reads later contains it. A write that
    /// ends as unknown is not part of the session.
    ///
    /// # Errors
    /// Those of [`Keyspace::execute`].
    pub async fn execute(&self, operation: &Operation<'_>) -> Result<Written, Error> {
        let descriptor = self.keyspace.descriptor();
        let group = group(&descriptor, routing::of_operation(&descriptor, operation)?);
        let written = self.keyspace.execute(operation).await?;
        self.session.wrote(group, written.ack.position);
        Ok(written)
    }

    /// The value of a key.
    ///
    /// # Errors
    /// `Discarded` when a failover discarded what the session had written or read: see
    /// [`accept_loss`](Self::accept_loss). `Timeout` at the deadline; those of [`Keyspace::get`].
    pub async fn get(&self, key: impl AsRef<[u8]>) -> Result<Option<Bytes>, Error> {
        let key = Bytes::copy_from_slice(key.as_ref());
        let shard = self.keyspace.descriptor().placement.slots.shard_of(&key);
        match self.read(shard, ReadQuery::Get(key)).await? {
            Answer::Value(value) => Ok(value),
            other => Err(routing::wrong_answer(&other)),
        }
    }

    /// The rows of one shard with keys in `[from, to)`, in order, at most `limit`; an empty `to` means
    /// no end.
    ///
    /// # Errors
    /// Those of [`get`](Self::get).
    pub async fn scan_shard(
        &self,
        shard: ShardId,
        from: impl AsRef<[u8]>,
        to: impl AsRef<[u8]>,
        limit: u32,
    ) -> Result<Vec<Row>, Error> {
        let from = Bytes::copy_from_slice(from.as_ref());
        let to = Bytes::copy_from_slice(to.as_ref());
        let query = ReadQuery::Scan { from, to, limit };
        match self.read(shard, query).await? {
            Answer::Rows(rows) => Ok(rows),
            other => Err(routing::wrong_answer(&other)),
        }
    }

    /// The session goes on without what `error`, a `Discarded`, says is gone. Returns whether there
    /// was anything to forget. Until then every read of the shard ends with that error, so that a
    /// loss is never passed over by accident.
    pub fn accept_loss(&self, error: &Error) -> bool {
        let ErrorKind::Discarded {
            need: Position::Entry(gone),
        } = error.kind()
        else {
            return false;
        };
        let keyspace = self.keyspace.descriptor().id;
        let mut seen = self.session.seen.lock();
        let holds =
            |(group, at): &(GroupId, &[EntryId])| group.keyspace == keyspace && at.contains(gone);
        let groups: Vec<GroupId> = seen.positions.groups().filter(holds).map(|g| g.0).collect();
        for group in &groups {
            seen.positions.forget(*group, *gone);
        }
        !groups.is_empty()
    }

    async fn read(&self, shard: ShardId, query: ReadQuery) -> Result<Answer, Error> {
        let until = Instant::now() + self.keyspace.options().deadline;
        let descriptor = self.keyspace.descriptor();
        let group = group(&descriptor, shard);
        let need = self.session.need(group);
        let nodes = descriptor
            .replicas(shard)
            .iter()
            .map(|spec| spec.node)
            .collect();
        let replica = self.session.replica(nodes).filter(|_| need != Need::Leader);
        if let Some(node) = replica {
            let answer = self.ask_replica(shard, &query, &need, node).await;
            match answer {
                Err(error) if is_elsewhere_better(&error) && Instant::now() < until => {
                    self.session.avoid(node);
                }
                answer => return self.note(group, &need, answer),
            }
        }
        let left = until.saturating_duration_since(Instant::now());
        let keyspace = self.keyspace.deadline(left);
        if let (Need::Contains(_), Some(_)) = (&need, replica) {
            let answer = self.ask_anyone(&keyspace, shard, query, &need).await;
            return self.note(group, &need, answer);
        }
        let answer = keyspace
            .level(ReadLevel::Leader)
            .read(shard, query.clone())
            .await;
        if let (Need::Contains(position), Ok((Position::Entry(at), _))) = (&need, &answer)
            && !is_of_leadership(position, *at)
        {
            // A leader contains what it acknowledged itself; of its predecessors' writes it may hold
            // none. One more read shows that a single history contains both.
            if let need @ Need::Contains(_) = self.session.need_with(group, *at) {
                let checked = self.ask_anyone(&keyspace, shard, query, &need).await;
                return self.note(group, &need, checked);
            }
        }
        self.note(group, &need, answer)
    }

    async fn ask_replica(
        &self,
        shard: ShardId,
        query: &ReadQuery,
        need: &Need,
        node: NodeId,
    ) -> Result<(Position, Answer), Error> {
        let level = match need {
            Need::Contains(position) => ReadLevel::Session(position.clone()),
            Need::Nothing | Need::Leader => ReadLevel::Local,
        };
        let patience = self.session.patience.min(self.keyspace.options().deadline);
        let keyspace = self.keyspace.level(level).at(node).deadline(patience);
        keyspace.read(shard, query.clone()).await
    }

    /// Asks the leader, as far as it is known: whoever contains the position may answer.
    async fn ask_anyone(
        &self,
        keyspace: &Keyspace,
        shard: ShardId,
        query: ReadQuery,
        need: &Need,
    ) -> Result<(Position, Answer), Error> {
        let mut options = keyspace.options().clone();
        options.node = None;
        options.level = match need {
            Need::Contains(position) => ReadLevel::Session(position.clone()),
            Need::Nothing | Need::Leader => ReadLevel::Leader,
        };
        keyspace.with(options).read(shard, query).await
    }

    fn note(
        &self,
        group: GroupId,
        asked: &Need,
        answer: Result<(Position, Answer), Error>,
    ) -> Result<Answer, Error> {
        let (position, answer) = answer?;
        if let Position::Entry(at) = position {
            self.session.read(group, asked, at);
        }
        Ok(answer)
    }
}

/// Whether a position was made by the leadership of `at`, and no later than it.
fn is_of_leadership(position: &Position, at: EntryId) -> bool {
    matches!(position, Position::Entry(need) if need.epoch == at.epoch && need.lsn <= at.lsn)
}

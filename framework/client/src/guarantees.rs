//! Sessions that keep their guarantees at any replica: what was seen is asked for again.

mod keyspace;
mod policy;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use repertoire_core::{EntryId, Error, ErrorKind, GroupId, Need, NodeId, SessionPositions};
use serde_json::json;
use tokio::time::Instant;

use crate::client::Client;
pub use keyspace::SessionKeyspace;
pub use policy::preferred;
pub use policy::{ReadPolicy, SAW_RECENTLY};

/// A node that did not serve in time is passed over for so long.
const AVOIDED_FOR: Duration = Duration::from_secs(1);

/// A session of one user (Terry et al., 1994): reads its own writes, reads that never go back, and
/// writes that follow what was read, in one keyspace and over several, whichever replica serves.
/// Cheap to clone; clones are the same session.
///
/// It remembers the newest position of each shard that it has written or read. A read goes to a
/// replica that contains that position; one that is behind has [`patience`](Self::patience) to catch
/// up, then the leader is asked. A position that a failover discarded ends the read with `Discarded`:
/// the session is told that its write is gone, instead of being shown a past without it.
///
/// What a session guarantees cannot be weakened by a read level: its reads have none.
///
/// ```no_run
/// # async fn demo(client: repertoire_client::Client) -> Result<(), repertoire_core::Error> {
/// let phone = client.session("alice");
/// phone.keyspace("posts").await?.put("1", "hello").await?;
/// let token = phone.token().await?;
///
/// // Later, on another device.
/// let laptop = client.resume("alice", &token).await?;
/// let post = laptop.keyspace("posts").await?.get("1").await?;
/// assert_eq!(post.as_deref(), Some(&b"hello"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Session {
    client: Client,
    user: Arc<[u8]>,
    policy: ReadPolicy,
    patience: Duration,
    seen: Arc<Mutex<Seen>>,
}

/// What all clones of a session share.
#[derive(Debug, Default)]
struct Seen {
    positions: SessionPositions,
    wrote_at: Option<Instant>,
    avoided: BTreeMap<NodeId, Instant>,
}

impl Client {
    /// Begins a session. `user` chooses the replica that serves its reads: the same one for all
    /// sessions of that user, while it serves.
    pub fn session(&self, user: impl AsRef<[u8]>) -> Session {
        Session {
            client: self.clone(),
            user: user.as_ref().into(),
            policy: ReadPolicy::default(),
            patience: Duration::from_millis(100),
            seen: Arc::default(),
        }
    }

    /// Goes on with a session where its [token](Session::token) left it.
    ///
    /// # Errors
    /// `InvalidToken`, with the reason; `Unsupported` where the nodes have no key for tokens;
    /// `Unavailable` when no node answers.
    pub async fn resume(&self, user: impl AsRef<[u8]>, token: &str) -> Result<Session, Error> {
        let session = self.session(user);
        session.join(token).await?;
        Ok(session)
    }

    /// Asks one node after the other, until one answers.
    async fn admin_anywhere(
        &self,
        name: &str,
        args: &serde_json::Value,
    ) -> Result<serde_json::Value, Error> {
        let mut failure = Error::new(ErrorKind::Unavailable, "call").with("name", name);
        for node in self.nodes() {
            match self.admin(node, name, args).await {
                Err(error) if is_elsewhere_better(&error) => failure = error,
                answer => return answer,
            }
        }
        Err(failure)
    }
}

/// Whether another node may answer where one did not.
const fn is_elsewhere_better(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable
            | ErrorKind::Timeout
            | ErrorKind::NotCaughtUp { .. }
            | ErrorKind::ShuttingDown
            | ErrorKind::Overloaded
            | ErrorKind::Poisoned
            | ErrorKind::StorageFailed
            | ErrorKind::Corrupted
    )
}

impl Session {
    /// The same session with another way to choose who serves reads.
    #[must_use]
    pub fn reading(&self, policy: ReadPolicy) -> Self {
        Self {
            policy,
            ..self.clone()
        }
    }

    /// The same session with another patience: how long a replica may take to answer a read, and to
    /// catch up for it, before the leader is asked. 100 ms by default.
    #[must_use]
    pub fn patience(&self, patience: Duration) -> Self {
        Self {
            patience,
            ..self.clone()
        }
    }

    /// A keyspace, as this session sees it.
    ///
    /// # Errors
    /// Those of [`Client::keyspace`].
    pub async fn keyspace(&self, name: &str) -> Result<SessionKeyspace, Error> {
        let keyspace = self.client.keyspace(name).await?;
        Ok(SessionKeyspace::new(self.clone(), keyspace))
    }

    /// What the session has seen, sealed by a node: to go on elsewhere with [`Client::resume`], or to
    /// be [joined](Self::join) by whoever must see it, too. At most 4096 bytes, in characters that
    /// URLs and cookies take.
    ///
    /// # Errors
    /// `Unsupported` where the nodes have no key for tokens; `Unavailable` when no node answers.
    pub async fn token(&self) -> Result<String, Error> {
        let positions = serde_json::to_value(self.positions()).map_err(|e| unreadable(&e))?;
        let answer = self.client.admin_anywhere("seal-token", &positions).await?;
        let token = answer.get("token").and_then(serde_json::Value::as_str);
        token
            .map(str::to_owned)
            .ok_or_else(|| Error::new(ErrorKind::Malformed, "seal a token").with("answer", &answer))
    }

    /// Takes over what another session has seen, from its token: from here on this session sees all
    /// of that, too. So an answer is never seen without its question, when it carries the token of
    /// whoever had read the question.
    ///
    /// # Errors
    /// `InvalidToken`, with the reason; those of [`token`](Self::token). Nothing is taken over then.
    pub async fn join(&self, token: &str) -> Result<(), Error> {
        // Longer ones are refused here: they would not fit into a request, either.
        let _is_sound: repertoire_core::SessionToken = token.parse()?;
        let args = json!({ "token": token });
        let answer = self.client.admin_anywhere("open-token", &args).await?;
        let other: SessionPositions = serde_json::from_value(answer).map_err(|e| unreadable(&e))?;
        self.seen.lock().positions.merge(&other);
        Ok(())
    }

    /// What the session has seen so far.
    pub fn positions(&self) -> SessionPositions {
        self.seen.lock().positions.clone()
    }

    fn need(&self, group: GroupId) -> Need {
        self.seen.lock().positions.need(group)
    }

    /// What a read must see that also shows this position.
    fn need_with(&self, group: GroupId, at: EntryId) -> Need {
        let mut positions = self.positions();
        positions.note(group, at);
        positions.need(group)
    }

    pub(crate) fn wrote(&self, group: GroupId, at: EntryId) {
        let mut seen = self.seen.lock();
        seen.positions.note(group, at);
        seen.wrote_at = Some(Instant::now());
    }

    fn read(&self, group: GroupId, asked: &Need, at: EntryId) {
        self.seen.lock().positions.note_read(group, asked, at);
    }

    fn avoid(&self, node: NodeId) {
        let until = Instant::now() + AVOIDED_FOR;
        self.seen.lock().avoided.insert(node, until);
    }

    /// The replica for a read, unless it is to go to the leader.
    fn replica(&self, nodes: Vec<NodeId>) -> Option<NodeId> {
        let now = Instant::now();
        let mut seen = self.seen.lock();
        if self.policy.wants_leader(seen.wrote_at, now) {
            return None;
        }
        seen.avoided.retain(|_, until| *until > now);
        let is_fit = |node: &NodeId| !seen.avoided.contains_key(node);
        preferred(&self.user, nodes).into_iter().find(is_fit)
    }
}

fn unreadable(error: &serde_json::Error) -> Error {
    Error::new(ErrorKind::Malformed, "use a session token").with("detail", error)
}

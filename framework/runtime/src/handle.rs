//! A running node, as the rest of the process sees it.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::Bytes;
use parking_lot::Mutex;
use repertoire_core::{
    Appointment, Catalogue, Descriptor, Error, ErrorKind, GroupId, MemberChange, NodeId, Promotion,
};
use tokio::sync::{mpsc, oneshot, watch};

use crate::actors::node::Control;
use crate::admin;
use crate::admin::Desk;
use crate::credit::Credit;
use crate::identity::Identity;
use crate::inbox::Inbox;
use crate::options::RuntimeOptions;
use crate::session::{EmbeddedSession, FrameOut, RemoteSession, Sessions};

/// What every handle shares.
pub(crate) struct Running {
    pub(crate) identity: Identity,
    pub(crate) options: RuntimeOptions,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) sessions: Arc<Sessions>,
    pub(crate) request_credit: Arc<Credit>,
    pub(crate) stop: mpsc::UnboundedSender<StopOrder>,
    pub(crate) ended: watch::Receiver<Option<Result<(), Error>>>,
    pub(crate) thread: Mutex<Option<JoinHandle<()>>>,
}

/// How to stop.
#[derive(Debug)]
pub(crate) struct StopOrder {
    /// How long links may take to drain.
    pub(crate) patience: Duration,
    /// Set when the node stops because of a failure.
    pub(crate) failure: Option<Error>,
}

/// A running node. Cheap to clone; the node runs until [`stop`](Self::stop), a failure of its log,
/// or the end of the process.
#[derive(Clone)]
pub struct NodeHandle {
    pub(crate) running: Arc<Running>,
}

impl std::fmt::Debug for NodeHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NodeHandle")
            .field("identity", &self.running.identity)
            .finish()
    }
}

impl NodeHandle {
    /// Who the node is.
    pub fn identity(&self) -> &Identity {
        &self.running.identity
    }

    /// Opens a session inside this process.
    pub fn session(&self) -> EmbeddedSession {
        let running = &self.running;
        let credit = Arc::clone(&running.request_credit);
        EmbeddedSession::open(
            Arc::clone(&running.inbox),
            Arc::clone(&running.sessions),
            credit,
        )
    }

    /// Opens a session for a client on the network; `out` sends its reply frames.
    pub fn remote_session(&self, out: FrameOut) -> RemoteSession {
        let running = &self.running;
        RemoteSession::open(
            Arc::clone(&running.inbox),
            Arc::clone(&running.sessions),
            Arc::clone(&running.request_credit),
            running.options.session_bytes_max,
            out,
        )
    }

    /// The catalogue as this node knows it.
    pub fn catalogue(&self) -> Arc<Catalogue> {
        self.running.sessions.catalogue()
    }

    /// A keyspace by name.
    ///
    /// # Errors
    /// `UnknownKeyspace`; `Unavailable` while the catalogue does not hold yet what the cluster was
    /// formatted with.
    pub fn resolve(&self, keyspace: &str) -> Result<Arc<Descriptor>, Error> {
        self.running.sessions.resolve(keyspace)
    }

    /// How the node is: a JSON object, documented in the book's reference.
    ///
    /// # Errors
    /// `ShuttingDown` when the node has stopped.
    pub async fn status(&self) -> Result<serde_json::Value, Error> {
        let (send, receive) = oneshot::channel();
        self.running
            .inbox
            .put(|lanes| lanes.controls.push(Control::Status(send)));
        let stopped = || Error::new(ErrorKind::ShuttingDown, "status");
        let mut ended = self.running.ended.clone();
        tokio::select! {
            status = receive => status.map_err(|_| stopped()),
            _ = ended.wait_for(Option::is_some) => Err(stopped()),
        }
    }

    /// Lets a replica start again that was given up because its plug-in panicked time and again. It
    /// is built anew within moments; its status says whether it runs.
    ///
    /// # Errors
    /// `UnknownKeyspace`.
    pub async fn release(&self, group: GroupId) -> Result<(), Error> {
        let (send, receive) = oneshot::channel();
        self.running
            .inbox
            .put(|lanes| lanes.controls.push(Control::Release(group, send)));
        receive
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::ShuttingDown, "release")))
    }

    /// Has this node, which leads a group, hand the leadership over to `to`, without losing an
    /// acknowledgement. Returns once the wish is known; a write waits until it has come true. The
    /// status of the nodes says when `to` leads; a leader that is not relieved within two election
    /// timeouts goes on leading.
    ///
    /// # Errors
    /// `UnknownKeyspace`, `NotLeader`, `ConfigInvalid` for a node that cannot lead the group or for a
    /// leader that is fixed, `Unsupported` by the protocol, `Unavailable` while the leader changes.
    pub async fn transfer(&self, group: GroupId, to: NodeId) -> Result<(), Error> {
        admin::transfer(&self.running.inbox, group, to).await
    }

    /// Makes this node's replica lead a group whose leader is gone. First the node's
    /// [`FenceHook`](crate::FenceHook), if it has one, cuts the former leader off. Returns once the
    /// voters are about to be asked; the status of the node says whether it came to lead.
    ///
    /// # Errors
    /// `UnknownKeyspace`; `ConfigInvalid` for a fixed leader or a replica that may not lead; `Fenced`
    /// when the promotion replaces another epoch than the newest; `Conflict` while the leader is
    /// alive; `Unavailable` for a replica that may have forgotten what it promised; those of the hook.
    pub async fn promote(
        &self,
        group: GroupId,
        promotion: Promotion,
    ) -> Result<Appointment, Error> {
        let catalogue = self.catalogue();
        let described = catalogue.keyspaces().find(|d| d.id == group.keyspace);
        let name = described.map_or_else(|| group.to_string(), |d| d.name.clone());
        admin::promote::order(&self.desk(), group, name, promotion).await
    }

    /// Has this node, which leads a group, change who belongs to it. Returns once the change is begun, or
    /// was made before: it is made when [`members`](Self::members) says that it is settled, and until
    /// then it may be taken back by another leader. A leader that is to be removed hands over first and
    /// says `Unavailable`: ask the next one.
    ///
    /// The catalogue has to place a replica on a node before it can join, and not to any more after it
    /// was removed; `repertoire member` does all of it.
    ///
    /// # Errors
    /// `UnknownKeyspace`; `NotLeader`; `Unsupported` by the protocol; `ConfigInvalid` for a change that
    /// cannot be made, with the reason; `Conflict` while another change is under way; `Unavailable` while
    /// too few of those that would be left can be reached, or a new leader has yet to settle.
    pub async fn change_members(&self, group: GroupId, change: MemberChange) -> Result<(), Error> {
        admin::members::change(&self.desk(), group, change).await
    }

    /// The members of a group as this node's replica knows them: a JSON object. `leads` and `epoch` say
    /// of which leadership, `lsn` since which record, and `is_settled` whether nobody can take that back.
    /// Each of `members` has `node`, `incarnation` (null: a founder), `role` (`voter`, `joining`,
    /// `learner`) and `replaces`; `removed` are those that were members, with their disks.
    ///
    /// # Errors
    /// `UnknownKeyspace`; `Unsupported` where members cannot change.
    pub async fn members(&self, group: GroupId) -> Result<serde_json::Value, Error> {
        admin::members::list(&self.desk(), group).await
    }

    fn desk(&self) -> Desk {
        Desk {
            inbox: Arc::clone(&self.running.inbox),
            sessions: Arc::clone(&self.running.sessions),
            credit: Arc::clone(&self.running.request_credit),
        }
    }

    /// Calls an administrative function by name, with JSON, as clients on the network do.
    ///
    /// # Errors
    /// `Unsupported` for a name that is not known, `Malformed` for arguments that are not understood;
    /// those of the function.
    pub async fn call(&self, name: &str, args: &[u8]) -> Result<Bytes, Error> {
        admin::call(&self.desk(), name, args).await
    }

    /// Stops the node in order: requests are refused, the log is synced, links drain for at most
    /// `patience`, then its threads end.
    ///
    /// # Errors
    /// `StorageFailed` when the log could not be synced.
    pub async fn stop(&self, patience: Duration) -> Result<(), Error> {
        let _ = self.running.stop.send(StopOrder {
            patience,
            failure: None,
        });
        let ended = self.ended().await;
        let thread = self.running.thread.lock().take();
        if let Some(thread) = thread {
            // The thread has reported its end already; joining it takes no time.
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        ended
    }

    /// Whether the node has stopped, by request or by a failure of its log.
    pub fn has_ended(&self) -> bool {
        self.running.ended.borrow().is_some()
    }

    /// Waits until the node has stopped, by request or by a failure of its log.
    ///
    /// # Errors
    /// The failure.
    pub async fn ended(&self) -> Result<(), Error> {
        let mut ended = self.running.ended.clone();
        let gone = || Err(Error::new(ErrorKind::Unexpected, "run the node"));
        match ended.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or(Ok(())),
            Err(_) => gone(),
        }
    }
}

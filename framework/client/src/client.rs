//! The handle that applications hold.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use repertoire_core::{Descriptor, Error, ErrorKind, NodeId};
use repertoire_wire::BoundedStr;
use repertoire_wire::client::AdminVerb;
use tokio::time::Instant;

use crate::builder::ClientBuilder;
use crate::driver::Driver;
use crate::keyspace::Keyspace;
use crate::options::{DEADLINE, RequestOptions};

/// Pause between two questions for a keyspace that is not there yet.
const RESOLVE_PAUSE: Duration = Duration::from_millis(20);

/// A client of a cluster. Cheap to clone; all clones share connections. When the last clone, and
/// the last [`Keyspace`] and pipeline made from them, is dropped, its connections end and what is
/// under way ends as unknown.
///
/// ```no_run
/// # async fn demo(node: repertoire_runtime::NodeHandle) -> Result<(), repertoire_core::Error> {
/// use repertoire_client::Client;
/// use repertoire_core::Acks;
///
/// let client = Client::builder().node(node).build().await?;
/// let accounts = client.keyspace("accounts").await?;
/// let written = accounts.acks(Acks::Majority).put(b"alice", b"10").await?;
/// let (position, value) = accounts.get(b"alice").await?;
/// assert_eq!(value.as_deref(), Some(&b"10"[..]));
/// # let _ = (written, position);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
}

struct Shared {
    driver: Arc<Driver>,
    options: RequestOptions,
    patience: Duration,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.driver.close();
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("nodes", &self.nodes())
            .finish_non_exhaustive()
    }
}

impl Client {
    /// Begins to make a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::default()
    }

    pub(crate) fn new(driver: Arc<Driver>, options: RequestOptions, patience: Duration) -> Self {
        let shared = Arc::new(Shared {
            driver,
            options,
            patience,
        });
        Self { shared }
    }

    pub(crate) fn driver(&self) -> &Arc<Driver> {
        &self.shared.driver
    }

    /// A keyspace by name. A cluster that was just formatted announces its keyspaces one after the
    /// other: while a node says that it does not know all of them yet, it is asked again for a while
    /// (see [`ClientBuilder::patience`]).
    ///
    /// # Errors
    /// `UnknownKeyspace`, `Unavailable` when no node answers.
    pub async fn keyspace(&self, name: &str) -> Result<Keyspace, Error> {
        let until = Instant::now() + self.shared.patience;
        loop {
            let deadline = Instant::now() + self.shared.options.deadline;
            match self.driver().resolve(name, deadline).await {
                Ok(descriptor) => {
                    let options = self.shared.options.clone();
                    return Ok(Keyspace::new(self.clone(), descriptor, options));
                }
                Err(error) if *error.kind() == ErrorKind::Unavailable && Instant::now() < until => {
                    self.driver().pause(RESOLVE_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// A keyspace by descriptor, for those who have one; nobody is asked.
    pub fn keyspace_of(&self, descriptor: Arc<Descriptor>) -> Keyspace {
        self.driver()
            .act(|hub, _| hub.learn(Arc::clone(&descriptor)));
        Keyspace::new(self.clone(), descriptor, self.shared.options.clone())
    }

    /// The nodes that this client has dealt with, connected ones first.
    pub fn nodes(&self) -> Vec<NodeId> {
        self.driver().act(|hub, _| hub.nodes())
    }

    /// How a node is: the JSON object that the book's reference documents.
    ///
    /// # Errors
    /// `Unavailable` when it cannot be reached, `Timeout` when it does not answer.
    pub async fn status(&self, node: NodeId) -> Result<serde_json::Value, Error> {
        let json = self.ask(node, AdminVerb::Status, Bytes::new()).await?;
        parse(&json)
    }

    /// Calls an administrative function of a node; arguments and answer are JSON.
    ///
    /// # Errors
    /// `Unsupported` for a name that the node does not know; those of [`status`](Self::status);
    /// those of the function.
    pub async fn admin(
        &self,
        node: NodeId,
        name: &str,
        args: &serde_json::Value,
    ) -> Result<serde_json::Value, Error> {
        let unknown = || Error::new(ErrorKind::Unsupported, "call").with("name", name);
        let name = BoundedStr::new(name).ok_or_else(unknown)?;
        let args = Bytes::from(args.to_string());
        parse(&self.ask(node, AdminVerb::Call { name }, args).await?)
    }

    async fn ask(&self, node: NodeId, verb: AdminVerb, args: Bytes) -> Result<Bytes, Error> {
        let deadline = Instant::now() + DEADLINE;
        self.driver().ask(node, verb, args, deadline).await
    }
}

fn parse(json: &[u8]) -> Result<serde_json::Value, Error> {
    serde_json::from_slice(json)
        .map_err(|e| Error::new(ErrorKind::Malformed, "read an answer").with("detail", e))
}

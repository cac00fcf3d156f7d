//! Making a client.

use std::time::Duration;

use repertoire_core::{Acks, Error, ErrorKind};
use repertoire_runtime::NodeHandle;
use repertoire_transport_quic::QuicSettings;
use repertoire_transport_quic::certs::TlsIdentity;
use tokio::runtime::Handle;

use crate::client::Client;
use crate::dialler::Dialler;
use crate::driver::Driver;
use crate::hub::Hub;
use crate::options::RequestOptions;

/// What a client is made from. Give it nodes of this process, addresses of others with
/// certificates, or both: nodes of this process are then reached directly.
///
/// ```no_run
/// # async fn demo() -> Result<(), repertoire_core::Error> {
/// use repertoire_client::{Client, TlsFiles, TlsIdentity};
///
/// let tls = TlsIdentity::load(&TlsFiles {
///     ca: "certs/ca.pem".into(),
///     cert: "certs/client.pem".into(),
///     key: "certs/client.key".into(),
/// })?;
/// let client = Client::builder().address("127.0.0.1:7401").tls(tls).build().await?;
/// # let _ = client;
/// # Ok(())
/// # }
/// ```
#[must_use]
#[derive(Clone, Debug)]
pub struct ClientBuilder {
    nodes: Vec<NodeHandle>,
    addresses: Vec<String>,
    tls: Option<TlsIdentity>,
    settings: QuicSettings,
    options: RequestOptions,
    patience: Duration,
    buffer: usize,
    window: usize,
    runtime: Option<Handle>,
}

impl Default for ClientBuilder {
    fn default() -> Self {
        Self {
            nodes: Vec::new(),
            addresses: Vec::new(),
            tls: None,
            settings: QuicSettings::default(),
            options: RequestOptions::default(),
            patience: Duration::from_secs(1),
            buffer: 32 << 20,
            window: 8 << 20,
            runtime: None,
        }
    }
}

impl ClientBuilder {
    /// Adds a node of this process.
    pub fn node(mut self, node: NodeHandle) -> Self {
        self.nodes.push(node);
        self
    }

    /// Adds a node by `host:port`. One that can be reached is enough: it knows the others.
    pub fn address(mut self, address: impl Into<String>) -> Self {
        self.addresses.push(address.into());
        self
    }

    /// The client's certificates and key, for nodes that are reached by address.
    pub fn tls(mut self, tls: TlsIdentity) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Limits and times of the network.
    pub const fn network(mut self, settings: QuicSettings) -> Self {
        self.settings = settings;
        self
    }

    /// How long a request may take, retries included; 5 s by default.
    pub const fn deadline(mut self, deadline: Duration) -> Self {
        self.options.deadline = deadline;
        self
    }

    /// Copies that writes need; each keyspace's own setting by default.
    pub const fn acks(mut self, acks: Acks) -> Self {
        self.options.acks = Some(acks);
        self
    }

    /// How long a keyspace is asked for while nodes do not know all keyspaces yet; 1 s by default.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Bytes of requests that may wait or be under way, over all connections; 32 MiB by default.
    /// Submitters wait while they are used up.
    pub const fn buffer(mut self, bytes: usize) -> Self {
        self.buffer = bytes;
        self
    }

    /// Bytes of requests that may be under way on one connection; 8 MiB by default, and never more
    /// than the node grants.
    pub const fn window(mut self, bytes: usize) -> Self {
        self.window = bytes;
        self
    }

    /// The tokio runtime for the client's own tasks; the current one by default. With it, the
    /// client's methods may be awaited on any executor.
    pub fn runtime(mut self, runtime: Handle) -> Self {
        self.runtime = Some(runtime);
        self
    }

    /// Connects to the first node that answers.
    ///
    /// # Errors
    /// `ConfigInvalid` without nodes, certificates or a runtime; `Unavailable` when no node
    /// answers; `IdentityRefused` when one side does not accept the other.
    pub async fn build(self) -> Result<Client, Error> {
        let runtime = self
            .runtime
            .or_else(|| Handle::try_current().ok())
            .ok_or_else(|| {
                Error::new(ErrorKind::ConfigInvalid, "make a client")
                    .with("remedy", "give it a tokio runtime")
            })?;
        let dialler = Dialler::new(self.nodes, self.addresses, self.tls, self.settings);
        let hub = Hub::new(self.buffer, self.window);
        let driver = Driver::start(hub, Box::new(dialler), runtime.clone());
        let client = Client::new(driver, self.options, self.patience);
        let driver = std::sync::Arc::clone(client.driver());
        let begun = runtime.spawn(async move { driver.begin().await }).await;
        begun.unwrap_or_else(|_| Err(Error::new(ErrorKind::ShuttingDown, "make a client")))?;
        Ok(client)
    }
}

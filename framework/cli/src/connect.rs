//! Flags of the verbs that talk to a cluster.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use repertoire::core::{Acks, Catalogue, NodeId, ReadLevel};
use repertoire_client::{Client, ClientBuilder, Keyspace, QuicSettings, TlsFiles, TlsIdentity};

use crate::failure::Failure;
use crate::paging::PAGE_ROWS;
use crate::values;

/// A node that has not answered by now is passed over for the next: a person waits.
const HANDSHAKE: Duration = Duration::from_secs(2);

/// How to reach a cluster.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Connection")]
pub(crate) struct ConnectArgs {
    /// A node to begin with; it tells where the others are.
    #[arg(
        long,
        value_name = "HOST:PORT",
        value_delimiter = ',',
        default_value = "127.0.0.1:7401"
    )]
    pub(crate) connect: Vec<String>,
    /// The cluster's authority.
    #[arg(long, value_name = "FILE", default_value = "certs/ca.pem")]
    pub(crate) ca: PathBuf,
    /// The client's certificate.
    #[arg(long, value_name = "FILE", default_value = "certs/client.pem")]
    pub(crate) cert: PathBuf,
    /// The client's private key.
    #[arg(long = "key", value_name = "FILE", default_value = "certs/client.key")]
    pub(crate) private_key: PathBuf,
    /// How long a request may take, retries included, as in 500ms or 5s [default: 5s]
    #[arg(long, value_name = "SPAN", value_parser = values::span)]
    pub(crate) deadline: Option<Duration>,
}

impl ConnectArgs {
    /// Makes a client.
    pub(crate) async fn client(&self) -> Result<Client, Failure> {
        Ok(self.builder()?.build().await?)
    }

    /// Begins to make a client.
    pub(crate) fn builder(&self) -> Result<ClientBuilder, Failure> {
        let tls = TlsIdentity::load(&TlsFiles {
            ca: self.ca.clone(),
            cert: self.cert.clone(),
            key: self.private_key.clone(),
        })?;
        let mut builder = Client::builder().tls(tls);
        for address in &self.connect {
            builder = builder.address(address);
        }
        let handshake_timeout = self.deadline.unwrap_or(HANDSHAKE).min(HANDSHAKE);
        builder = builder.network(QuicSettings {
            handshake_timeout,
            ..QuicSettings::default()
        });
        if let Some(deadline) = self.deadline {
            builder = builder.deadline(deadline);
        }
        Ok(builder)
    }

    /// Makes a client and reads the catalogue as the node that it reached knows it.
    pub(crate) async fn catalogue(&self) -> Result<(Client, Catalogue), Failure> {
        let client = self.client().await?;
        let keyspace = client.keyspace("catalogue").await?.level(ReadLevel::Local);
        let mut catalogue = Catalogue::default();
        let mut rows = keyspace.rows("", "");
        while let Some(page) = rows.next(PAGE_ROWS).await? {
            for row in page {
                catalogue.absorb(&row.key, &row.value)?;
            }
        }
        catalogue.insert(Arc::unwrap_or_clone(keyspace.descriptor()));
        Ok((client, catalogue))
    }
}

/// Which keyspace.
#[derive(Clone, Debug, Args)]
pub(crate) struct TargetArgs {
    /// The keyspace.
    #[arg(long, value_name = "NAME")]
    pub(crate) keyspace: String,
    #[command(flatten)]
    pub(crate) connect: ConnectArgs,
}

impl TargetArgs {
    /// Connects, and finds the keyspace.
    pub(crate) async fn open(&self) -> Result<Keyspace, Failure> {
        let client = self.connect.client().await?;
        Ok(client.keyspace(&self.keyspace).await?)
    }
}

/// What a write asks for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct WriteArgs {
    /// Copies that must exist before the write counts as done: async, semi-sync, semi-sync=K,
    /// sync or majority [default: the keyspace's setting]
    #[arg(long, value_name = "MODE", value_parser = values::acks)]
    pub(crate) acks: Option<Acks>,
}

impl WriteArgs {
    pub(crate) fn of(&self, keyspace: Keyspace) -> Keyspace {
        match self.acks {
            Some(acks) => keyspace.acks(acks),
            None => keyspace,
        }
    }
}

/// What a read asks for.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct ReadArgs {
    /// How fresh the answer must be: leader (what is acknowledged) or local (what a replica has).
    #[arg(long, value_name = "LEVEL", value_parser = values::level, default_value = "leader")]
    pub(crate) level: ReadLevel,
    /// The node that local reads go to.
    #[arg(long, value_name = "ID")]
    pub(crate) node: Option<u64>,
}

impl ReadArgs {
    pub(crate) fn of(&self, keyspace: &Keyspace) -> Keyspace {
        let keyspace = keyspace.level(self.level.clone());
        match self.node {
            Some(node) => keyspace.at(NodeId(node)),
            None => keyspace,
        }
    }
}

//! What the load goes to.

mod local;
pub(crate) mod processes;

use repertoire_client::Keyspace;
use repertoire_core::{Error, ErrorKind};

use crate::{BenchOptions, Network};
use local::Local;
use processes::Processes;

/// The keyspace's and the cluster's name.
pub(crate) const NAME: &str = "bench";

/// The second keyspace's name, where there is one.
pub(crate) const ASYNC_NAME: &str = "bench-async";

/// Where the nodes are.
pub(crate) enum Target {
    /// In this process; the client's calls do not leave it.
    Local(Box<Local>),
    /// In processes of their own; the client talks to them over QUIC.
    Processes(Box<Processes>),
}

impl Target {
    pub(crate) async fn start(options: &BenchOptions) -> Result<Self, Error> {
        if options.processes.is_some() && options.transport == Network::Memory {
            return Err(Error::new(ErrorKind::ConfigInvalid, "start the nodes")
                .with("detail", "processes cannot share a memory transport")
                .with("remedy", "leave out --processes or --transport"));
        }
        Ok(match options.processes {
            None => Self::Local(Box::new(Local::start(options).await?)),
            Some(nodes) => Self::Processes(Box::new(Processes::start(options, nodes).await?)),
        })
    }

    pub(crate) const fn keyspace(&self) -> &Keyspace {
        match self {
            Self::Local(target) => target.keyspace(),
            Self::Processes(target) => target.keyspace(),
        }
    }

    /// A client that reads at a follower.
    pub(crate) async fn follower(&self) -> Result<Keyspace, Error> {
        match self {
            Self::Local(target) => target.follower().await,
            Self::Processes(target) => Ok(target.follower()),
        }
    }

    /// `fdatasync` calls of all nodes so far.
    pub(crate) async fn syncs(&self) -> u64 {
        match self {
            Self::Local(target) => target.syncs().await,
            Self::Processes(target) => target.syncs().await,
        }
    }

    /// Processes beside this one.
    pub(crate) fn children(&self) -> Vec<u32> {
        match self {
            Self::Local(_) => Vec::new(),
            Self::Processes(target) => target.pids(),
        }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        match self {
            Self::Local(target) => target.folder(),
            Self::Processes(target) => target.folder(),
        }
    }

    pub(crate) async fn stop(self) -> Result<(), Error> {
        match self {
            Self::Local(target) => target.stop().await,
            Self::Processes(target) => {
                target.stop();
                Ok(())
            }
        }
    }
}

/// The `fdatasync` calls in a node's report of itself.
fn syncs_in(status: &serde_json::Value) -> u64 {
    status
        .pointer("/log/syncs")
        .and_then(serde_json::Value::as_u64)
        .unwrap_or(0)
}

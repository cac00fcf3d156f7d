//! What the tests of the database share: one of ours, a real one, and a client for both.
#![allow(dead_code, reason = "each test uses its part")]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    unused_imports,
    reason = "a test ends where its expectation does"
)]

mod real;
mod wire;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use redis_front::{Database, Options};
use repertoire::core::{Durability, NodeId};
use tokio::runtime::Runtime;

pub(crate) use real::{Real, has, python};
pub(crate) use wire::{Frame, Wire, encode};

/// One of ours, with threads of its own.
pub(crate) struct Ours {
    runtime: Runtime,
    database: Option<Database>,
    pub(crate) address: SocketAddr,
}

impl Ours {
    pub(crate) fn start(options: Options) -> Self {
        let runtime = Runtime::new().unwrap();
        let database = runtime.block_on(Database::start(options)).unwrap();
        let address = database.address();
        Self {
            runtime,
            database: Some(database),
            address,
        }
    }

    /// Three nodes in memory, for tests that are not about disks.
    pub(crate) fn quick() -> Self {
        Self::start(Options {
            durability: Durability::Memory,
            databases: 2,
            ..options(None)
        })
    }

    pub(crate) fn connect(&self) -> Wire {
        Wire::connect(self.address)
    }

    pub(crate) fn stop_node(&mut self, node: u64) {
        let database = self.database.as_mut().unwrap();
        self.runtime
            .block_on(database.cluster().stop_node(NodeId(node)))
            .unwrap();
    }

    pub(crate) fn start_node(&mut self, node: u64) {
        let database = self.database.as_mut().unwrap();
        self.runtime
            .block_on(database.cluster().start_node(NodeId(node)))
            .unwrap();
    }

    /// How a node is.
    pub(crate) fn status(&mut self, node: u64) -> serde_json::Value {
        let database = self.database.as_mut().unwrap();
        let node = database.cluster().node(NodeId(node)).unwrap().clone();
        self.runtime.block_on(node.handle().status()).unwrap()
    }

    pub(crate) fn stop(mut self) {
        self.end();
    }

    fn end(&mut self) {
        if let Some(database) = self.database.take() {
            self.runtime.block_on(database.stop()).unwrap();
        }
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.end();
        }
    }
}

/// A free port, two databases, and this folder.
pub(crate) fn options(data: Option<&Path>) -> Options {
    Options {
        listen: SocketAddr::from(([127, 0, 0, 1], 0)),
        data: data.map(Path::to_owned),
        databases: 2,
        ..Options::default()
    }
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}

/// Asks until the answer is right; a minute is far beyond what any of it may take.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is_so() {
        assert!(begun.elapsed().as_secs() < 60, "never came: {what}");
        std::thread::yield_now();
    }
}

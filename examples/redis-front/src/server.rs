//! The listener.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use repertoire::core::{Error, ErrorKind};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::connection;
use crate::front::Front;

/// Most clients at a time, as in Redis. The next one is told and sent away.
const CLIENTS_MAX: usize = 10_000;

/// Pause after the system could not accept a connection: it is out of files, say.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts clients until it is stopped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    accepting: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Listens.
    ///
    /// # Errors
    /// `ConfigInvalid` when the address is in use or not of this machine.
    pub(crate) async fn start(front: Arc<Front>, listen: SocketAddr) -> Result<Self, Error> {
        let failed = |e: std::io::Error| {
            Error::new(ErrorKind::ConfigInvalid, "listen for clients")
                .with("listen", listen)
                .with("detail", e)
                .with("remedy", "choose another address with --listen")
        };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let accepting = tokio::spawn(accept(listener, front));
        Ok(Self { address, accepting })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops accepting, and ends every connection. What is under way may still happen.
    pub(crate) async fn stop(self) {
        self.accepting.abort();
        let _is_aborted = self.accepting.await;
    }
}

async fn accept(listener: TcpListener, front: Arc<Front>) {
    // Dropped with this task, and every connection with it.
    let mut connections = JoinSet::new();
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "A connection could not be accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        while connections.try_join_next().is_some() {}
        let counters = &front.counters;
        if connections.len() >= CLIENTS_MAX {
            counters.refused.fetch_add(1, Ordering::Relaxed);
            connections.spawn(send_away(stream));
            continue;
        }
        let id = counters.connections.fetch_add(1, Ordering::Relaxed) + 1;
        let front = Arc::clone(&front);
        connections.spawn(async move {
            let _guest = Guest::new(Arc::clone(&front));
            if let Err(error) = connection::serve(stream, front, id).await {
                tracing::debug!(id, %error, "A connection broke");
            }
        });
    }
}

async fn send_away(mut stream: TcpStream) {
    let text = b"-ERR max number of clients reached\r\n";
    let _is_gone = stream.write_all(text).await;
}

/// Counts a client for as long as it is there.
struct Guest(Arc<Front>);

impl Guest {
    fn new(front: Arc<Front>) -> Self {
        front.counters.connected.fetch_add(1, Ordering::Relaxed);
        Self(front)
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.counters.connected.fetch_sub(1, Ordering::Relaxed);
    }
}

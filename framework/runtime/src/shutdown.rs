//! Stopping in order: clients, log, network, threads.

use std::time::Duration;

use actix::{Addr, Arbiter};
use repertoire_core::Error;
use tokio::sync::oneshot;

use crate::actors::log::{FlushAndStop, LogActor};
use crate::actors::node::{Control, NodeActor};
use crate::actors::transport::{CloseTransport, TransportActor};
use crate::handle::{NodeHandle, StopOrder};

/// Longest wait for an actor that should answer at once.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// The running actors.
pub(crate) struct Actors {
    pub(crate) node: Addr<NodeActor>,
    pub(crate) log: Addr<LogActor>,
    pub(crate) transport: Addr<TransportActor>,
    pub(crate) threads: Vec<Arbiter>,
}

/// Stops a node: Node drains, Log syncs, Transport closes, threads end. A step that does not answer
/// in time does not hold up the next.
pub(crate) async fn shut_down(
    handle: &NodeHandle,
    actors: Actors,
    order: StopOrder,
) -> Result<(), Error> {
    let Actors {
        node,
        log,
        transport,
        threads,
    } = actors;
    let (drained, is_drained) = oneshot::channel();
    handle
        .running
        .inbox
        .put(|lanes| lanes.controls.push(Control::Drain(drained)));
    let _ = tokio::time::timeout(ANSWER_MAX, is_drained).await;
    let synced = match order.failure {
        Some(failure) => Err(failure),
        None => match tokio::time::timeout(ANSWER_MAX, log.send(FlushAndStop)).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) | Err(_) => Ok(()),
        },
    };
    let close = transport.send(CloseTransport(order.patience));
    let _ = tokio::time::timeout(order.patience + ANSWER_MAX, close).await;
    drop(node);
    for thread in &threads {
        thread.stop();
    }
    for thread in threads {
        let _ = thread.join();
    }
    if let Err(error) = &synced {
        tracing::error!(%error, "The node stopped because of a failure");
    }
    synced
}

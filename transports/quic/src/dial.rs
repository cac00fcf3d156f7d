//! Dialling: towards peers with a higher id, again and again, with pauses that grow and differ.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::sync::Arc;
use std::time::Duration;

use quinn::Connection;
use repertoire_core::{LinkEvent, NodeId};
use repertoire_wire::hello::Hello;
use tokio::time::{sleep, timeout};

use crate::certs::Identity;
use crate::endpoint::dialling;
use crate::handshake;
use crate::inner::Inner;
use crate::link;
use crate::peer::Peer;
use crate::refusal::LinkEnd;
use crate::tls::ALPN_PEER;

/// Keeps a link to `peer` up until the transport closes or the peer is removed.
pub(crate) async fn keep(inner: Arc<Inner>, peer: Arc<Peer>) {
    let mut closing = inner.closing.subscribe();
    let mut removed = peer.removed.subscribe();
    let end = async {
        tokio::select! {
            _ = closing.wait_for(|closing| *closing) => {}
            _ = removed.wait_for(|removed| *removed) => {}
        }
        // A link that is up ends by itself and reports it.
        let _turn = peer.turn.lock().await;
    };
    tokio::select! {
        () = dial_forever(&inner, &peer) => {}
        () = end => {}
    }
}

async fn dial_forever(inner: &Arc<Inner>, peer: &Arc<Peer>) {
    let settings = &inner.config.settings;
    let mut pause = settings.reconnect_min;
    loop {
        let turn = peer.turn.lock().await;
        match connect(inner, peer).await {
            Ok((connection, hello)) => {
                pause = settings.reconnect_min;
                link::run(inner, peer, connection, hello).await;
            }
            Err(end) => {
                inner.hear(peer.id, &end);
                inner.report(&peer.id, &end);
                if end.refusal.is_some() {
                    inner.tell(LinkEvent::Down {
                        peer: peer.id,
                        reason: end.to_string(),
                    });
                }
            }
        }
        drop(turn);
        sleep(jittered(pause)).await;
        pause = (pause * 2).min(settings.reconnect_max);
    }
}

/// Between half and all of `pause`, so that nodes that lost each other together do not come back
/// together.
fn jittered(pause: Duration) -> Duration {
    let random = RandomState::new().build_hasher().finish() % 1024;
    let fraction = u32::try_from(random).unwrap_or(0);
    pause / 2 + pause / 2 * fraction / 1024
}

async fn connect(inner: &Inner, peer: &Peer) -> Result<(Connection, Hello), LinkEnd> {
    let settings = &inner.config.settings;
    let connecting = timeout(settings.dial_timeout, begin(inner, peer));
    let connection = connecting
        .await
        .unwrap_or_else(|_| Err(LinkEnd::lost("the peer did not answer in time")))?;
    match handshake::dial(inner, &connection, peer.id).await {
        Ok(hello) => Ok((connection, hello)),
        Err(end) => {
            // The reason for the silence may have come as the end of the connection.
            let end = match connection.close_reason() {
                Some(reason) => LinkEnd::from(reason),
                None => end,
            };
            end.close(&connection);
            Err(end)
        }
    }
}

async fn begin(inner: &Inner, peer: &Peer) -> Result<Connection, LinkEnd> {
    let text = peer.address();
    let address = tokio::net::lookup_host(&text)
        .await
        .map_err(|e| LinkEnd::lost(format!("{text}: {e}")))?
        .next()
        .ok_or_else(|| LinkEnd::lost(format!("{text} has no address")))?;
    let endpoint = inner
        .endpoint()
        .ok_or_else(|| LinkEnd::lost("not started"))?;
    let identity = &inner.config.tls;
    let settings = &inner.config.settings;
    let config = dialling(identity, Some(peer.id), ALPN_PEER, settings, &inner.uncork)
        .map_err(LinkEnd::lost)?;
    let name = server_name(peer.id, identity.cluster());
    let connecting = endpoint
        .connect_with(config, address, &name)
        .map_err(LinkEnd::lost)?;
    Ok(connecting.await?)
}

fn server_name(id: NodeId, cluster: &str) -> String {
    Identity::Node(id).dns_name(cluster)
}

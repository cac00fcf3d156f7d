//! Accepting: strangers are bounded, then peers and clients part ways.

use std::net::SocketAddr;
use std::sync::Arc;

use quinn::crypto::rustls::HandshakeData;
use quinn::{Connection, Endpoint, Incoming};
use repertoire_wire::hello::RefusalReason;
use tokio::time::timeout;

use crate::counters::add;
use crate::handshake;
use crate::inner::{HandshakePlace, Inner};
use crate::link;
use crate::peer::Peer;
use crate::refusal::LinkEnd;
use crate::session;
use crate::tls::{ALPN_CLIENT, ALPN_PEER};

/// Accepts connections until the endpoint closes.
pub(crate) async fn run(inner: Arc<Inner>, endpoint: Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        admit(&inner, incoming);
    }
}

fn admit(inner: &Arc<Inner>, incoming: Incoming) {
    let settings = &inner.config.settings;
    let address = incoming.remote_address();
    let open = inner.handshakes();
    if inner.is_closing() || open >= inner.handshakes_max(address.ip()) {
        inner.counters.refused(RefusalReason::TooMany);
        incoming.refuse();
        return;
    }
    if open >= settings.retry_from && !incoming.remote_address_validated() && incoming.may_retry() {
        add(&inner.counters.retries_asked, 1);
        // It may retry, so asking it to cannot fail.
        let _asked = incoming.retry();
        return;
    }
    add(&inner.counters.handshakes, 1);
    let place = inner.begin_handshake();
    let inner = inner.clone();
    let task = inner.clone();
    task.spawn(async move {
        if let Err(end) = handle(&inner, incoming, place).await {
            inner.report(&address, &end);
        }
    });
}

async fn handle(
    inner: &Arc<Inner>,
    incoming: Incoming,
    place: HandshakePlace,
) -> Result<(), LinkEnd> {
    let address = incoming.remote_address();
    let connecting = incoming.accept()?;
    let connection = timeout(inner.config.settings.handshake_timeout, connecting)
        .await
        .map_err(|_| handshake::late("the handshake took too long"))??;
    let end = match protocol(&connection).as_deref() {
        Some(name) if name == ALPN_PEER => peer(inner, &connection, place).await,
        Some(name) if name == ALPN_CLIENT => {
            session::serve(inner, &connection, address.ip(), place).await
        }
        _ => Err(LinkEnd::refused(
            RefusalReason::NoCommonVersion,
            "no common protocol",
        )),
    };
    if let Err(end) = &end {
        end.close(&connection);
    }
    end
}

fn protocol(connection: &Connection) -> Option<Vec<u8>> {
    let data = connection.handshake_data()?;
    data.downcast::<HandshakeData>().ok()?.protocol
}

async fn peer(
    inner: &Arc<Inner>,
    connection: &Connection,
    place: HandshakePlace,
) -> Result<(), LinkEnd> {
    let hello = handshake::accept(inner, connection).await?;
    let peer = match admit_peer(inner, &hello, connection.remote_address()) {
        Ok(peer) => peer,
        Err(end) => return Err(hello.refuse(end).await),
    };
    drop(place);
    let turn = timeout(inner.config.settings.hello_timeout, peer.turn.lock()).await;
    let Ok(_turn) = turn else {
        let end = handshake::late("the former link of this peer did not end in time");
        return Err(hello.refuse(end).await);
    };
    let said = hello.hello.clone();
    hello.welcome(inner).await?;
    link::run(inner, &peer, connection.clone(), said).await;
    Ok(())
}

/// Whether a node that has proven who it is may have a link. A former link of the same disk makes
/// room: the peer has restarted, or lost the connection before we noticed.
fn admit_peer(
    inner: &Inner,
    hello: &handshake::PeerHello,
    address: SocketAddr,
) -> Result<Arc<Peer>, LinkEnd> {
    let node = hello.node;
    let Some(peer) = inner.peer(node) else {
        let detail = format!("{node} at {address} is not in the cluster");
        return Err(LinkEnd::refused(RefusalReason::NotAMember, detail));
    };
    if node >= inner.config.node {
        let detail = format!("{} dials {node}", inner.config.node);
        return Err(LinkEnd::refused(RefusalReason::NotTheDialler, detail));
    }
    // Another disk may have come meanwhile.
    handshake::refuse_second(inner, node, &hello.hello)?;
    if let Some(link) = peer.link() {
        LinkEnd::refused(RefusalReason::Replaced, "a newer connection took over")
            .close(&link.connection);
    }
    Ok(peer)
}

//! The socket and quinn's configuration.

use std::io::ErrorKind as IoErrorKind;
use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::{Duration, Instant};

use quinn::{
    Endpoint, EndpointConfig, IdleTimeout, MtuDiscoveryConfig, TokioRuntime, TransportConfig,
    VarInt,
};
use quinn_proto::HashedConnectionIdGenerator;
use repertoire_core::{Error, ErrorKind, NodeId};
use ring::hmac;
use socket2::{Domain, Protocol, Socket, Type};

use crate::certs::TlsIdentity;
use crate::congestion::Uncork;
use crate::settings::{MTU_MAX, Mtu, QuicSettings};
use crate::tls;

/// One-way streams that a peer may open: one per class, and room for a later version's.
const PEER_STREAMS: u8 = 32;

/// One-way streams that a stranger may open before it is known to be a peer.
const CLASSES: u8 = 3;

/// Sessions on one client connection.
const CLIENT_STREAMS: u8 = 16;

/// Connections that wait to be looked at.
const INCOMING_MAX: usize = 256;

/// Bytes kept of a connection that waits to be looked at, and of all of them together.
const INCOMING_BUFFER: u64 = 64 * 1024;
const INCOMING_BUFFER_TOTAL: u64 = 8 * 1024 * 1024;

/// Streams whose windows may be full at once. Control never has to wait for the others: the
/// windows of all three classes fit into the connection's.
const WINDOWS: u32 = 4;

/// How long a node waits for an address that is in use: the socket of its former self goes only once
/// its connections are drained.
const BIND_PATIENCE: Duration = Duration::from_secs(5);

/// Between two tries to bind.
const BIND_PAUSE: Duration = Duration::from_millis(20);

/// Opens the endpoint of a node.
pub(crate) async fn open(
    listen: SocketAddr,
    identity: &TlsIdentity,
    settings: &QuicSettings,
    uncork: &Uncork,
) -> Result<Endpoint, Error> {
    let crypto = tls::server(identity)?;
    let mut server = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    server
        .transport_config(Arc::new(accepting(settings, uncork)))
        .migration(false)
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER)
        .incoming_buffer_size_total(INCOMING_BUFFER_TOTAL);
    let begun = Instant::now();
    let socket = loop {
        match socket(listen, settings) {
            Err(error)
                if error.kind() == IoErrorKind::AddrInUse && begun.elapsed() < BIND_PATIENCE =>
            {
                tokio::time::sleep(BIND_PAUSE).await;
            }
            other => break other.map_err(|e| failed(&listen.to_string(), e))?,
        }
    };
    endpoint(socket, Some(server), recognising(identity), settings)
}

/// Opens the endpoint of a client.
pub(crate) fn open_client(remote: SocketAddr, settings: &QuicSettings) -> Result<Endpoint, Error> {
    let any = if remote.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let local = any.parse().map_err(|e| failed("bind", e))?;
    let socket = socket(local, settings).map_err(|e| failed(any, e))?;
    endpoint(socket, None, EndpointConfig::default(), settings)
}

/// How to dial a node.
pub(crate) fn dialling(
    identity: &TlsIdentity,
    expected: Option<NodeId>,
    alpn: &[u8],
    settings: &QuicSettings,
    uncork: &Uncork,
) -> Result<quinn::ClientConfig, Error> {
    let crypto = tls::client(identity, expected, alpn)?;
    let mut client = quinn::ClientConfig::new(Arc::new(crypto));
    client.transport_config(Arc::new(transport(settings, uncork)));
    Ok(client)
}

/// Gives a connection that turned out to be a peer's the room of a peer.
pub(crate) fn widen_for_peer(connection: &quinn::Connection, settings: &QuicSettings) {
    let window = settings.stream_window.saturating_mul(WINDOWS);
    connection.set_max_concurrent_uni_streams(VarInt::from(PEER_STREAMS));
    connection.set_receive_window(VarInt::from_u32(window));
    connection.set_send_window(window.into());
}

/// Settings under which a node that died and came back recognises packets of connections from
/// before, and tells their senders at once that these are gone (RFC 9000, section 10.3.2). With keys
/// drawn anew at each start, peers would go on talking to the dead until their idle timeout.
fn recognising(identity: &TlsIdentity) -> EndpointConfig {
    let secret = hmac::Key::new(hmac::HMAC_SHA256, identity.key.secret_der());
    let reset = hmac::sign(&secret, b"repertoire stateless reset");
    let ids = hmac::sign(&secret, b"repertoire connection ids");
    let (ids, _) = ids.as_ref().split_first_chunk().unwrap_or((&[0; 8], &[]));
    let ids = u64::from_le_bytes(*ids);
    let reset = hmac::Key::new(hmac::HMAC_SHA256, reset.as_ref());
    let mut config = EndpointConfig::new(Arc::new(reset));
    config.cid_generator(move || Box::new(HashedConnectionIdGenerator::from_key(ids)));
    config
}

fn endpoint(
    socket: UdpSocket,
    server: Option<quinn::ServerConfig>,
    mut config: EndpointConfig,
    settings: &QuicSettings,
) -> Result<Endpoint, Error> {
    settings.mtu.validate()?;
    let largest = match settings.mtu {
        Mtu::Auto => MTU_MAX,
        Mtu::Fixed(bytes) => bytes.max(1472),
    };
    config
        .max_udp_payload_size(largest)
        .map_err(|e| failed("mtu", e))?;
    Endpoint::new(config, server, socket, Arc::new(TokioRuntime)).map_err(|e| failed("socket", e))
}

fn socket(local: SocketAddr, settings: &QuicSettings) -> std::io::Result<UdpSocket> {
    let socket = Socket::new(Domain::for_address(local), Type::DGRAM, Some(Protocol::UDP))?;
    if local.is_ipv6() {
        socket.set_only_v6(false)?;
    }
    // The kernel may grant less than asked; less is slower, not wrong.
    if socket.set_recv_buffer_size(settings.socket_buffer).is_err()
        || socket.set_send_buffer_size(settings.socket_buffer).is_err()
    {
        tracing::warn!(
            bytes = settings.socket_buffer,
            "the kernel refused the socket buffers"
        );
    }
    socket.bind(&local.into())?;
    Ok(socket.into())
}

/// For connections that are accepted: nobody knows yet who they are, so they get a client's room.
fn accepting(settings: &QuicSettings, uncork: &Uncork) -> TransportConfig {
    let mut config = transport(settings, uncork);
    config
        .max_concurrent_bidi_streams(VarInt::from(CLIENT_STREAMS))
        .max_concurrent_uni_streams(VarInt::from(CLASSES))
        .receive_window(VarInt::from_u32(settings.stream_window));
    config
}

/// Room for datagrams that nobody reads; see [`Pulse`](crate::Pulse). The oldest are dropped.
const KNOCKS_BYTES: usize = 64;

fn transport(settings: &QuicSettings, uncork: &Uncork) -> TransportConfig {
    let mut config = TransportConfig::default();
    uncork.install(&mut config);
    let window = settings.stream_window.saturating_mul(WINDOWS);
    let idle = IdleTimeout::try_from(settings.idle_timeout).ok();
    config
        .max_concurrent_bidi_streams(VarInt::from(PEER_STREAMS))
        .max_concurrent_uni_streams(VarInt::from(PEER_STREAMS))
        .stream_receive_window(VarInt::from_u32(settings.stream_window))
        .receive_window(VarInt::from_u32(window))
        .send_window(window.into())
        .max_idle_timeout(idle)
        .initial_rtt(settings.initial_rtt)
        .keep_alive_interval(Some(settings.keep_alive))
        .datagram_receive_buffer_size(Some(KNOCKS_BYTES))
        .enable_segmentation_offload(settings.segmentation_offload);
    match settings.mtu {
        Mtu::Auto => {
            let mut search = MtuDiscoveryConfig::default();
            search.upper_bound(MTU_MAX);
            config.mtu_discovery_config(Some(search));
        }
        Mtu::Fixed(bytes) => {
            config
                .initial_mtu(bytes)
                .min_mtu(bytes)
                .mtu_discovery_config(None);
        }
    }
    config
}

fn failed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ConfigInvalid, "open the transport's socket")
        .with("what", what)
        .with("problem", error)
        .with(
            "remedy",
            "check node.listen, and that no other process uses the address",
        )
}

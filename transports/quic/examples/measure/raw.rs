//! quinn alone, in the same run: what there is to be had.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use quinn::{Endpoint, TransportConfig};
use repertoire_transport_quic::certs::IssuedCertificate;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::version::TLS13;

/// Megabytes a second over one stream in chunks of 64 KiB, without our frames, classes and client
/// certificates.
pub(crate) fn throughput(
    (ca, issued): (&str, &IssuedCertificate),
    at: SocketAddr,
    mtu: Option<u16>,
    seconds: u64,
) -> f64 {
    let received = Arc::new(AtomicU64::new(0));
    let counter = received.clone();
    let cert = CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert], key)
        .unwrap();
    let mut server =
        quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(server).unwrap()));
    server.transport_config(Arc::new(transport(mtu)));
    let receiving = std::thread::spawn(move || {
        runtime().block_on(async move {
            let endpoint = endpoint(at, mtu, Some(server));
            let connection = endpoint.accept().await.unwrap().await.unwrap();
            let mut stream = connection.accept_uni().await.unwrap();
            let mut chunks = vec![Bytes::new(); 256];
            while let Ok(Some(count)) = stream.read_chunks(&mut chunks).await {
                let bytes: usize = chunks
                    .iter_mut()
                    .take(count)
                    .map(|c| std::mem::take(c).len())
                    .sum();
                counter.fetch_add(bytes as u64, Ordering::Relaxed);
            }
        });
    });
    let mut roots = rustls::RootCertStore::empty();
    roots
        .add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap())
        .unwrap();
    let client = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Arc::new(QuicClientConfig::try_from(client).unwrap());
    let mut client = quinn::ClientConfig::new(client);
    client.transport_config(Arc::new(transport(mtu)));
    let rate = runtime().block_on(async {
        let endpoint = endpoint("127.0.0.1:0".parse().unwrap(), mtu, None);
        let name = "node-2.measure.repertoire";
        let connection = endpoint
            .connect_with(client, at, name)
            .unwrap()
            .await
            .unwrap();
        let mut stream = connection.open_uni().await.unwrap();
        let chunk = Bytes::from(vec![7; 64 * 1024]);
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(seconds) {
            stream.write_chunk(chunk.clone()).await.unwrap();
        }
        let rate = received.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64() / 1e6;
        connection.close(0_u8.into(), b"");
        endpoint.wait_idle().await;
        rate
    });
    receiving.join().unwrap();
    rate
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap()
}

fn transport(mtu: Option<u16>) -> TransportConfig {
    let mut config = TransportConfig::default();
    if let Some(bytes) = mtu {
        config
            .initial_mtu(bytes)
            .min_mtu(bytes)
            .mtu_discovery_config(None);
    }
    config
}

fn endpoint(at: SocketAddr, mtu: Option<u16>, server: Option<quinn::ServerConfig>) -> Endpoint {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::DGRAM, None).unwrap();
    socket.set_recv_buffer_size(4 << 20).unwrap();
    socket.set_send_buffer_size(4 << 20).unwrap();
    socket.bind(&at.into()).unwrap();
    let mut config = quinn::EndpointConfig::default();
    config
        .max_udp_payload_size(mtu.unwrap_or(1472).max(1472))
        .unwrap();
    Endpoint::new(config, server, socket.into(), Arc::new(quinn::TokioRuntime)).unwrap()
}

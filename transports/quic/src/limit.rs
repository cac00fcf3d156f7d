//! What QUIC can do on this machine, with nothing of ours: the limit that this transport is measured
//! against.

use std::error::Error;
use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use bytes::Bytes;
use quinn::rustls::RootCertStore;
use quinn::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use quinn::{ClientConfig, Endpoint, ServerConfig};

/// Bytes handed over at once: what the transport sends in one go under load.
const CHUNK: usize = 64 * 1024;

const HOST: &str = "localhost";

type Failure = Box<dyn Error + Send + Sync>;

/// How fast one stream of quinn is on loopback with its default settings: bytes per second that
/// arrive, in millions. Both ends share the machine, each with a thread of its own. Blocks for a little
/// longer than `span`.
///
/// # Errors
/// When loopback cannot be used.
///
/// # Example
/// ```
/// let rate = repertoire_transport_quic::raw_mb_per_second(std::time::Duration::from_millis(50))?;
/// assert!(rate > 0.0);
/// # Ok::<(), Box<dyn std::error::Error + Send + Sync>>(())
/// ```
pub fn raw_mb_per_second(span: Duration) -> Result<f64, Failure> {
    let key = rcgen::generate_simple_self_signed([HOST.to_owned()])?;
    let certificate = key.cert.der().clone();
    let trusted = certificate.clone();
    let secret = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let (listening, address) = mpsc::channel();
    thread::scope(|scope| {
        let server = scope.spawn(move || block_on(receive(certificate, secret, listening)));
        let sent = address
            .recv()
            .map_err(Failure::from)
            .and_then(|address| block_on(send(address, trusted, span)));
        let received = server
            .join()
            .unwrap_or_else(|_| Err("the receiver panicked".into()))?;
        sent?;
        Ok(received)
    })
}

fn block_on<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(work)
}

/// Takes one stream in; answers the rate at which it came.
async fn receive(
    certificate: CertificateDer<'static>,
    secret: PrivatePkcs8KeyDer<'static>,
    listening: mpsc::Sender<SocketAddr>,
) -> Result<f64, Failure> {
    let config = ServerConfig::with_single_cert(vec![certificate], secret.into())?;
    let endpoint = Endpoint::server(config, SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    listening.send(endpoint.local_addr()?)?;
    let incoming = endpoint.accept().await.ok_or("nobody came")?;
    let connection = incoming.await?;
    let mut stream = connection.accept_uni().await?;
    let begin = Instant::now();
    let mut bytes = 0;
    while let Some(chunk) = stream.read_chunk(usize::MAX, true).await? {
        bytes += chunk.bytes.len();
    }
    let rate = bytes as f64 / begin.elapsed().as_secs_f64() / 1e6;
    connection.close(0_u32.into(), b"");
    endpoint.wait_idle().await;
    Ok(rate)
}

async fn send(
    address: SocketAddr,
    trusted: CertificateDer<'static>,
    span: Duration,
) -> Result<(), Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted)?;
    let mut endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    endpoint.set_default_client_config(ClientConfig::with_root_certificates(Arc::new(roots))?);
    let connection = endpoint.connect(address, HOST)?.await?;
    let mut stream = connection.open_uni().await?;
    let chunk = Bytes::from(vec![7; CHUNK]);
    let begin = Instant::now();
    while begin.elapsed() < span {
        stream.write_chunk(chunk.clone()).await?;
    }
    stream.finish()?;
    // The receiver closes when it has everything.
    connection.closed().await;
    endpoint.wait_idle().await;
    Ok(())
}

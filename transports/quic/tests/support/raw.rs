//! A stranger that speaks QUIC but not our rules.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Connection, Endpoint};
use repertoire_transport_quic::RefusalReason;
use repertoire_transport_quic::certs::IssuedCertificate;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

pub(crate) const PEER: &[u8] = b"repertoire/1";
pub(crate) const CLIENT: &[u8] = b"repertoire-client/1";

/// How a stranger behaves.
pub(crate) struct Stranger<'a> {
    pub(crate) trusts: &'a str,
    pub(crate) shows: Option<&'a IssuedCertificate>,
    pub(crate) alpn: &'a [u8],
}

impl Stranger<'_> {
    /// Connects to a node that is named like `name`. The endpoint has to be kept.
    pub(crate) async fn connect(
        &self,
        to: SocketAddr,
        name: &str,
    ) -> (Endpoint, Result<Connection, quinn::ConnectionError>) {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from_pem_slice(self.trusts.as_bytes()).unwrap())
            .unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut tls = match self.shows {
            None => builder.with_no_client_auth(),
            Some(issued) => {
                let cert = CertificateDer::from_pem_slice(issued.cert_pem.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
                builder.with_client_auth_cert(vec![cert], key).unwrap()
            }
        };
        tls.alpn_protocols = vec![self.alpn.to_vec()];
        let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
        let endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        let connection = endpoint.connect_with(config, to, name).unwrap().await;
        (endpoint, connection)
    }
}

/// Sends bytes on a two-way stream and leaves it open.
pub(crate) async fn say(connection: &Connection, bytes: Bytes) -> quinn::SendStream {
    let (mut send, recv) = connection.open_bi().await.unwrap();
    send.write_chunk(bytes).await.unwrap();
    // Answers are looked for in the connection's end.
    std::mem::forget(recv);
    send
}

/// The reason with which the node closed the connection.
pub(crate) async fn closed_for(connection: &Connection) -> RefusalReason {
    let end = connection.closed().await;
    let quinn::ConnectionError::ApplicationClosed(close) = end else {
        panic!("closed otherwise: {end}");
    };
    RefusalReason::from_code(u16::try_from(close.error_code.into_inner()).unwrap())
}

//! TLS configurations, built by hand: TLS 1.3 only, both sides prove who they are, no early data,
//! no tickets, no resumption.
//!
//! quinn's conveniences would turn early data on: bytes that are read before the other side has
//! shown its certificate. They are not used.

mod verify;

use std::sync::Arc;

use quinn::crypto::rustls::{QuicClientConfig, QuicServerConfig};
use repertoire_core::{Error, ErrorKind, NodeId};
use rustls::client::Resumption;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::CertificateDer;
use rustls::server::NoServerSessionStorage;
use rustls::{RootCertStore, version::TLS13};

pub(crate) use verify::{marked_reason, verify_name};

use crate::certs::TlsIdentity;
use verify::{DiallerVerifier, NodeVerifier};

/// Protocol name between nodes.
pub(crate) const ALPN_PEER: &[u8] = b"repertoire/1";

/// Protocol name between clients and nodes.
pub(crate) const ALPN_CLIENT: &[u8] = b"repertoire-client/1";

/// The accepting side.
pub(crate) fn server(identity: &TlsIdentity) -> Result<QuicServerConfig, Error> {
    let provider = provider();
    let verifier = DiallerVerifier::new(roots(&identity.roots)?, &provider)?;
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(broken)?
        .with_client_cert_verifier(Arc::new(verifier))
        .with_single_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(broken)?;
    config.max_early_data_size = 0;
    config.send_tls13_tickets = 0;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.alpn_protocols = vec![ALPN_PEER.to_vec(), ALPN_CLIENT.to_vec()];
    QuicServerConfig::try_from(config).map_err(broken)
}

/// The dialling side; `expected` is the node it means to reach, or any node of its cluster.
pub(crate) fn client(
    identity: &TlsIdentity,
    expected: Option<NodeId>,
    alpn: &[u8],
) -> Result<QuicClientConfig, Error> {
    let provider = provider();
    let roots = roots(&identity.roots)?;
    let verifier = NodeVerifier::new(roots, &provider, identity.cluster().to_owned(), expected);
    let mut config = rustls::ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_client_auth_cert(identity.chain.clone(), identity.key.clone_key())
        .map_err(broken)?;
    config.resumption = Resumption::disabled();
    config.enable_early_data = false;
    // The name would travel in clear; the verifier knows whom it expects without it.
    config.enable_sni = false;
    config.alpn_protocols = vec![alpn.to_vec()];
    QuicClientConfig::try_from(config).map_err(broken)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn roots(certificates: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, Error> {
    let mut store = RootCertStore::empty();
    for certificate in certificates {
        store.add(certificate.clone()).map_err(broken)?;
    }
    Ok(Arc::new(store))
}

fn broken(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::ConfigInvalid, "configure TLS")
        .with("problem", error)
        .with(
            "remedy",
            "check that certificate, key and authority belong together",
        )
}

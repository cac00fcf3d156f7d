//! Certificate verification: webpki does the work, these wrappers say who is expected and make the
//! reason of a refusal survive the trip through TLS, on both sides.
//!
//! TLS has few alerts: "expired" and "not yet valid" share one, and half of the rest is "bad
//! certificate". So a refusal's number is written into the text of the error, which QUIC carries to
//! the other side in the reason of the connection's end.

use std::fmt;
use std::sync::Arc;

use repertoire_core::{Error, ErrorKind, NodeId};
use repertoire_wire::hello::RefusalReason;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, OtherError, RootCertStore,
    SignatureScheme,
};

use crate::certs::{Identity, identity_of};

const MARK: &str = "refused-for-reason-";

/// A refusal as rustls carries it. rustls prints it with `Debug`.
struct Refused {
    reason: RefusalReason,
    detail: String,
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{MARK}{} ({}: {})",
            self.reason.code(),
            self.reason,
            self.detail
        )
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for Refused {}

/// Finds the reason that a verifier, here or on the other side, wrote into an error's text.
pub(crate) fn marked_reason(text: &str) -> Option<RefusalReason> {
    let (_, rest) = text.split_once(MARK)?;
    let end = rest
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(rest.len());
    let code = rest.get(..end)?.parse().ok()?;
    Some(RefusalReason::from_code(code))
}

/// Whether the certificate is good for exactly that name.
pub(crate) fn verify_name(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(parsed) = webpki::EndEntityCert::try_from(certificate) else {
        return false;
    };
    let Ok(name) = ServerName::try_from(name) else {
        return false;
    };
    parsed.verify_is_valid_for_subject_name(&name).is_ok()
}

fn refuse(reason: RefusalReason, detail: impl fmt::Display) -> rustls::Error {
    let refused = Refused {
        reason,
        detail: detail.to_string(),
    };
    CertificateError::Other(OtherError(Arc::new(refused))).into()
}

#[allow(
    clippy::wildcard_enum_match_arm,
    reason = "the foreign enum grows; whatever is new is a bad certificate"
)]
fn marked(error: rustls::Error) -> rustls::Error {
    use CertificateError as E;

    let rustls::Error::InvalidCertificate(problem) = error else {
        return error;
    };
    let reason = match &problem {
        // A foreign authority of the same name: its signature does not verify with our key.
        E::UnknownIssuer | E::BadSignature => RefusalReason::ForeignAuthority,
        E::Expired | E::ExpiredContext { .. } => RefusalReason::Expired,
        E::NotValidYet | E::NotValidYetContext { .. } => RefusalReason::NotYetValid,
        E::NotValidForName | E::NotValidForNameContext { .. } => RefusalReason::OtherIdentity,
        E::InvalidPurpose | E::InvalidPurposeContext { .. } => RefusalReason::WrongUsage,
        _ => RefusalReason::BadCertificate,
    };
    refuse(reason, problem)
}

/// Verifies the certificate of whoever dials: a chain to our authorities, for that usage. Who it is
/// is compared after the handshake, when it has said so.
#[derive(Debug)]
pub(super) struct DiallerVerifier {
    inner: Arc<dyn ClientCertVerifier>,
}

impl DiallerVerifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, Error> {
        let inner = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|e| {
                Error::new(ErrorKind::ConfigInvalid, "configure TLS").with("problem", e)
            })?;
        Ok(Self { inner })
    }
}

impl ClientCertVerifier for DiallerVerifier {
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        let verified = self
            .inner
            .verify_client_cert(end_entity, intermediates, now);
        verified.map_err(marked)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.inner.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

/// Verifies the certificate of the node that was dialled: a chain to our authorities, for that
/// usage, for the expected node (or any node) of our cluster.
#[derive(Debug)]
pub(super) struct NodeVerifier {
    roots: Arc<RootCertStore>,
    algorithms: WebPkiSupportedAlgorithms,
    cluster: String,
    expected: Option<NodeId>,
}

impl NodeVerifier {
    pub(super) fn new(
        roots: Arc<RootCertStore>,
        provider: &CryptoProvider,
        cluster: String,
        expected: Option<NodeId>,
    ) -> Self {
        Self {
            roots,
            algorithms: provider.signature_verification_algorithms,
            cluster,
            expected,
        }
    }

    fn check_identity(&self, certificate: &CertificateDer<'_>) -> Result<(), rustls::Error> {
        let Some((found, cluster)) = identity_of(certificate) else {
            return Err(refuse(RefusalReason::OtherIdentity, "it names nobody"));
        };
        if cluster != self.cluster {
            return Err(refuse(RefusalReason::WrongCluster, cluster));
        }
        match (self.expected, &found) {
            (_, Identity::Client(_)) => Err(refuse(RefusalReason::WrongRole, found)),
            (None, Identity::Node(_)) => Ok(()),
            (Some(expected), Identity::Node(_)) => {
                let name = Identity::Node(expected).dns_name(&self.cluster);
                if verify_name(certificate, &name) {
                    return Ok(());
                }
                let detail = format!("expected {expected}, found {found}");
                Err(refuse(RefusalReason::OtherIdentity, detail))
            }
        }
    }
}

impl ServerCertVerifier for NodeVerifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.algorithms.all;
        verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            algorithms,
        )
        .map_err(marked)?;
        self.check_identity(end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        // TLS 1.3 only; this is never asked.
        Err(CertificateError::BadEncoding.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, cert, dss, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

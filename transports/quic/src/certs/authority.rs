//! The cluster's own certificate authority.

use std::fmt;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose,
};
use repertoire_core::Error;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::names::is_label;
use super::{Identity, invalid};

/// Clocks of different machines may differ by this much without a fresh certificate being refused.
const BACKDATE: Duration = Duration::from_hours(1);

const DAY: Duration = Duration::from_hours(24);

/// From when to when a certificate is valid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// The first instant.
    pub not_before: SystemTime,
    /// The last instant.
    pub not_after: SystemTime,
}

impl Validity {
    /// From an hour ago, for clocks that differ, until `days` from now.
    pub fn days(days: u32) -> Self {
        let now = SystemTime::now();
        Self {
            not_before: now - BACKDATE,
            not_after: now + DAY * days,
        }
    }
}

/// Which end of a connection a certificate serves at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// Either end: nodes.
    Both,
    /// The dialling end only: clients.
    Client,
    /// The accepting end only.
    Server,
}

/// A certificate and its private key, as PEM.
#[derive(Clone)]
pub struct IssuedCertificate {
    /// The certificate.
    pub cert_pem: String,
    /// The private key. Store it with [`write_private`](super::write_private).
    pub key_pem: String,
}

impl fmt::Debug for IssuedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCertificate").finish_non_exhaustive()
    }
}

/// The cluster's own certificate authority.
pub struct ClusterAuthority {
    cluster: String,
    cert_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl fmt::Debug for ClusterAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterAuthority")
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl ClusterAuthority {
    /// Makes a new authority for `cluster`.
    ///
    /// # Errors
    /// `ConfigInvalid` when the name is no lower-case DNS label.
    pub fn create(cluster: &str, validity: Validity) -> Result<Self, Error> {
        let key = KeyPair::generate().map_err(broken)?;
        let params = authority_params(cluster, Some(validity))?;
        let cert_pem = params.self_signed(&key).map_err(broken)?.pem();
        Ok(Self {
            cluster: cluster.to_owned(),
            cert_pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// Takes up an authority that was made before.
    ///
    /// # Errors
    /// `ConfigInvalid` when certificate, key and cluster name do not belong together.
    pub fn load(cluster: &str, cert_pem: &str, key_pem: &str) -> Result<Self, Error> {
        let key = KeyPair::from_pem(key_pem)
            .map_err(|e| invalid(e, "pass the private key of the authority"))?;
        let authority = Self {
            cluster: cluster.to_owned(),
            cert_pem: cert_pem.to_owned(),
            issuer: Issuer::new(authority_params(cluster, None)?, key),
        };
        authority.check()?;
        Ok(authority)
    }

    /// The authority's certificate, which every node and client trusts.
    pub fn cert_pem(&self) -> &str {
        &self.cert_pem
    }

    /// The authority's private key. Store it with [`write_private`](super::write_private), away
    /// from the nodes.
    pub fn key_pem(&self) -> String {
        self.issuer.key().serialize_pem()
    }

    /// The cluster's name.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    /// Issues a certificate with the usage that belongs to the role.
    ///
    /// # Errors
    /// `ConfigInvalid` when the name does not fit into a DNS name.
    pub fn issue(&self, who: &Identity, days: u32) -> Result<IssuedCertificate, Error> {
        let usage = match who {
            Identity::Node(_) => Usage::Both,
            Identity::Client(_) => Usage::Client,
        };
        self.issue_with(who, Validity::days(days), usage)
    }

    /// Issues a certificate with a validity and usage of the caller's choice.
    ///
    /// # Errors
    /// `ConfigInvalid` when the name does not fit into a DNS name.
    pub fn issue_with(
        &self,
        who: &Identity,
        validity: Validity,
        usage: Usage,
    ) -> Result<IssuedCertificate, Error> {
        let name = who.dns_name(&self.cluster);
        if Identity::parse(&name).as_ref().map(|(parsed, _)| parsed) != Some(who) {
            return Err(invalid(
                format!("{who} is no valid name"),
                "node ids start at 1; client names are lower-case letters, digits and hyphens",
            ));
        }
        let key = KeyPair::generate().map_err(broken)?;
        let mut params = CertificateParams::new(vec![name]).map_err(broken)?;
        set_validity(&mut params, validity);
        params.distinguished_name = named(&who.to_string());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = match usage {
            Usage::Both => vec![
                ExtendedKeyUsagePurpose::ServerAuth,
                ExtendedKeyUsagePurpose::ClientAuth,
            ],
            Usage::Client => vec![ExtendedKeyUsagePurpose::ClientAuth],
            Usage::Server => vec![ExtendedKeyUsagePurpose::ServerAuth],
        };
        let cert = params.signed_by(&key, &self.issuer).map_err(broken)?;
        Ok(IssuedCertificate {
            cert_pem: cert.pem(),
            key_pem: key.serialize_pem(),
        })
    }

    /// Issues a certificate and has the authority's own certificate verify it: the cheapest way to
    /// know that key, name and certificate belong together.
    fn check(&self) -> Result<(), Error> {
        let trial = self.issue(&Identity::Client("trial".to_owned()), 1)?;
        let remedy = "pass the certificate and key that were made together for this cluster";
        let read = |pem: &str| {
            CertificateDer::from_pem_slice(pem.as_bytes()).map_err(|e| invalid(e, remedy))
        };
        let (root, leaf) = (read(&self.cert_pem)?, read(&trial.cert_pem)?);
        let anchor = webpki::anchor_from_trusted_cert(&root).map_err(|e| invalid(e, remedy))?;
        let leaf = webpki::EndEntityCert::try_from(&leaf).map_err(|e| invalid(e, remedy))?;
        leaf.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &[anchor],
            &[],
            UnixTime::now(),
            webpki::KeyUsage::client_auth(),
            None,
            None,
        )
        .map_err(|e| invalid(e, remedy))?;
        Ok(())
    }
}

fn authority_params(cluster: &str, validity: Option<Validity>) -> Result<CertificateParams, Error> {
    if !is_label(cluster) {
        return Err(invalid(
            format!("{cluster:?} is no valid cluster name"),
            "use up to 63 lower-case letters, digits and hyphens",
        ));
    }
    let mut params = CertificateParams::default();
    if let Some(validity) = validity {
        set_validity(&mut params, validity);
    }
    params.distinguished_name = named(&format!("{cluster} repertoire authority"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    Ok(params)
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn set_validity(params: &mut CertificateParams, validity: Validity) {
    let at = |time: SystemTime| {
        let since = time
            .duration_since(SystemTime::UNIX_EPOCH)
            .unwrap_or_default();
        rcgen::date_time_ymd(1970, 1, 1) + since
    };
    params.not_before = at(validity.not_before);
    params.not_after = at(validity.not_after);
}

fn broken(error: rcgen::Error) -> Error {
    invalid(error, "report it: certificates could not be made")
}

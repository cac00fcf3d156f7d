//! Names inside certificates.

use std::fmt;

use repertoire_core::NodeId;
use rustls::pki_types::CertificateDer;

/// What all our names end in.
const SUFFIX: &str = "repertoire";

/// Who a certificate stands for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Identity {
    /// A node of the cluster.
    Node(NodeId),
    /// A client, by name.
    Client(String),
}

impl Identity {
    /// The DNS name that a certificate of `cluster` carries for it.
    ///
    /// ```
    /// use repertoire_core::NodeId;
    /// use repertoire_transport_quic::certs::Identity;
    /// assert_eq!(Identity::Node(NodeId(2)).dns_name("shop"), "node-2.shop.repertoire");
    /// ```
    pub fn dns_name(&self, cluster: &str) -> String {
        format!("{self}.{cluster}.{SUFFIX}")
    }

    /// Takes a name apart: who, and of which cluster.
    pub fn parse(name: &str) -> Option<(Self, String)> {
        let mut labels = name.split('.');
        let (who, cluster, suffix) = (labels.next()?, labels.next()?, labels.next()?);
        if labels.next().is_some() || suffix != SUFFIX || !is_label(cluster) {
            return None;
        }
        let identity = if let Some(id) = who.strip_prefix("node-") {
            let id: u64 = id.parse().ok()?;
            let canonical = id > 0 && format!("node-{id}") == who;
            canonical.then_some(Self::Node(NodeId(id)))?
        } else {
            let name = who.strip_prefix("client-")?;
            is_label(name).then(|| Self::Client(name.to_owned()))?
        };
        Some((identity, cluster.to_owned()))
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Node(id) => write!(f, "node-{}", id.0),
            Self::Client(name) => write!(f, "client-{name}"),
        }
    }
}

/// Whether `text` can be one label of a DNS name, in lower case.
pub(crate) fn is_label(text: &str) -> bool {
    let ends = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    (1..=63).contains(&text.len())
        && text.chars().all(|c| ends(c) || c == '-')
        && text.starts_with(ends)
        && text.ends_with(ends)
}

/// Who the certificate says it stands for, by the first of its names that is one of ours. To be
/// believed only after its chain was verified.
pub(crate) fn identity_of(certificate: &CertificateDer<'_>) -> Option<(Identity, String)> {
    let parsed = webpki::EndEntityCert::try_from(certificate).ok()?;
    parsed.valid_dns_names().find_map(Identity::parse)
}

#[cfg(test)]
mod tests {
    use repertoire_core::NodeId;

    use super::{Identity, is_label};

    #[test]
    fn names_survive_the_round_trip() {
        for identity in [
            Identity::Node(NodeId(7)),
            Identity::Client("batch-1".into()),
        ] {
            let name = identity.dns_name("shop");
            assert_eq!(Identity::parse(&name), Some((identity, "shop".into())));
        }
    }

    #[test]
    fn other_names_are_nobody() {
        for name in [
            "node-0.shop.repertoire",
            "node-01.shop.repertoire",
            "node-x.shop.repertoire",
            "node-1.shop.example",
            "node-1.repertoire",
            "node-1.a.b.repertoire",
            "client-.shop.repertoire",
            "server-1.shop.repertoire",
        ] {
            assert_eq!(Identity::parse(name), None, "{name}");
        }
        assert!(!is_label("Shop") && !is_label("-shop") && !is_label(""));
    }
}

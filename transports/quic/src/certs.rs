//! Who is who: the cluster's authority, the certificates it issues, and the files they live in.
//!
//! A certificate names exactly one process: `node-<id>.<cluster>.repertoire` or
//! `client-<name>.<cluster>.repertoire`, as a DNS name in its subject alternative names. The common
//! name says nothing. Nodes may stand at either end of a connection, clients only at the dialling
//! one.

mod authority;
mod files;
mod names;

pub use authority::{ClusterAuthority, IssuedCertificate, Usage, Validity};
pub use files::{TlsFiles, TlsIdentity, write_private};
pub use names::Identity;

pub(crate) use names::identity_of;

use repertoire_core::{Error, ErrorKind};

fn invalid(problem: impl std::fmt::Display, remedy: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, "prepare certificates")
        .with("problem", problem)
        .with("remedy", remedy)
}

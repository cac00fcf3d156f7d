//! Certificates and keys in files.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use repertoire_core::{Error, ErrorKind};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{Identity, identity_of};

/// Where a process finds its certificates.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The authorities that it trusts; more than one while they are being rotated.
    pub ca: PathBuf,
    /// Its certificate, followed by intermediate ones if there are any.
    pub cert: PathBuf,
    /// Its private key, readable by its owner alone.
    pub key: PathBuf,
}

/// Certificates and key of a process, checked as far as that is possible without a peer.
pub struct TlsIdentity {
    pub(crate) roots: Vec<CertificateDer<'static>>,
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    identity: Identity,
    cluster: String,
}

impl fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsIdentity")
            .field("identity", &self.identity)
            .field("cluster", &self.cluster)
            .finish_non_exhaustive()
    }
}

impl Clone for TlsIdentity {
    fn clone(&self) -> Self {
        Self {
            roots: self.roots.clone(),
            chain: self.chain.clone(),
            key: self.key.clone_key(),
            identity: self.identity.clone(),
            cluster: self.cluster.clone(),
        }
    }
}

impl TlsIdentity {
    /// Reads the files.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming the file and the remedy.
    pub fn load(files: &TlsFiles) -> Result<Self, Error> {
        let ca = read(&files.ca, "tls.ca")?;
        let cert = read(&files.cert, "tls.cert")?;
        require_private(&files.key)?;
        let key = read(&files.key, "tls.key")?;
        Self::parse(&ca, &cert, &key, |part| match part {
            Part::Ca => files.ca.display().to_string(),
            Part::Cert => files.cert.display().to_string(),
            Part::Key => files.key.display().to_string(),
        })
    }

    /// Reads PEM texts.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming the text and the remedy.
    pub fn from_pem(ca: &str, cert: &str, key: &str) -> Result<Self, Error> {
        Self::parse(ca.as_bytes(), cert.as_bytes(), key.as_bytes(), |part| {
            format!("{part:?}")
        })
    }

    /// Who the certificate stands for.
    pub const fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The cluster it is good for.
    pub fn cluster(&self) -> &str {
        &self.cluster
    }

    fn parse(
        ca: &[u8],
        cert: &[u8],
        key: &[u8],
        file: impl Fn(Part) -> String,
    ) -> Result<Self, Error> {
        let roots = certificates(ca, &file(Part::Ca))?;
        let chain = certificates(cert, &file(Part::Cert))?;
        // The reader's own message could quote the key; it is not passed on.
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| {
            let problem = "it holds no private key";
            refuse(
                &file(Part::Key),
                problem,
                "point tls.key at the PEM private key",
            )
        })?;
        let (identity, cluster) = chain.first().and_then(identity_of).ok_or_else(|| {
            let problem = "it names no node or client of a cluster";
            refuse(
                &file(Part::Cert),
                problem,
                "issue one with `repertoire cert`",
            )
        })?;
        Ok(Self {
            roots,
            chain,
            key,
            identity,
            cluster,
        })
    }
}

#[derive(Clone, Copy, Debug)]
enum Part {
    Ca,
    Cert,
    Key,
}

fn certificates(pem: &[u8], file: &str) -> Result<Vec<CertificateDer<'static>>, Error> {
    let remedy = "point it at a PEM file with at least one certificate";
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    let found = found.map_err(|e| refuse(file, &e.to_string(), remedy))?;
    if found.is_empty() {
        return Err(refuse(file, "it holds no certificate", remedy));
    }
    Ok(found)
}

fn read(path: &Path, setting: &str) -> Result<Vec<u8>, Error> {
    let remedy = format!("check that {setting} names a file that the node may read");
    std::fs::read(path).map_err(|e| refuse(&path.display().to_string(), &e.to_string(), &remedy))
}

fn refuse(file: &str, problem: &str, remedy: &str) -> Error {
    Error::new(ErrorKind::ConfigInvalid, "load certificates")
        .with("file", file)
        .with("problem", problem)
        .with("remedy", remedy)
}

#[cfg(unix)]
fn require_private(path: &Path) -> Result<(), Error> {
    use std::os::unix::fs::MetadataExt as _;

    let file = path.display().to_string();
    let remedy = "check that tls.key names a file that the node may read";
    let metadata = std::fs::metadata(path).map_err(|e| refuse(&file, &e.to_string(), remedy))?;
    let mode = metadata.mode() & 0o777;
    let for_others = mode & 0o077;
    if for_others == 0 {
        return Ok(());
    }
    let problem = format!("its mode is {mode:o}: others than its owner may read the private key");
    Err(refuse(&file, &problem, &format!("run `chmod 600 {file}`")))
}

#[cfg(not(unix))]
fn require_private(_path: &Path) -> Result<(), Error> {
    Ok(())
}

/// Writes a new file that only its owner may read. Refuses to replace an existing one.
///
/// # Errors
/// `ConfigInvalid` when the file exists or cannot be written.
pub fn write_private(path: &Path, text: &str) -> Result<(), Error> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        options.mode(0o600);
    }
    let write = || -> std::io::Result<()> {
        let mut file = options.open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|e| {
        let remedy = "choose a folder that you may write to and that holds no such file";
        refuse(&path.display().to_string(), &e.to_string(), remedy)
    })
}

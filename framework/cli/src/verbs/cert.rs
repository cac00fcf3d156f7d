//! `cert`: the cluster's own authority and the certificates it issues.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use repertoire::certs::{ClusterAuthority, Identity, Validity, write_private};
use repertoire::core::{NodeId, TokenKeys};
use serde_json::json;

use crate::Context;
use crate::failure::Failure;

/// Make the certificates of a cluster. Private keys are readable by their owner alone; existing
/// files are never replaced.
#[derive(Clone, Debug, Args)]
pub(crate) struct CertArgs {
    #[command(subcommand)]
    kind: Kind,
}

#[derive(Clone, Debug, Subcommand)]
enum Kind {
    /// Make the authority: ca.pem, which everyone needs, and ca.key, which no node needs; and
    /// token.key, which every node needs and nobody else.
    Ca {
        #[command(flatten)]
        place: Place,
        /// Days that it is good for.
        #[arg(long, default_value_t = 3650)]
        days: u32,
    },
    /// Make certificates of nodes: node-ID.pem and node-ID.key.
    Node {
        /// The nodes' numbers.
        #[arg(required = true, value_parser = clap::value_parser!(u64).range(1..))]
        id: Vec<u64>,
        #[command(flatten)]
        place: Place,
        /// Days that they are good for.
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
    /// Make a key for session tokens alone: token.key.
    Token {
        /// Where the file goes.
        #[arg(long, value_name = "FOLDER", default_value = "certs")]
        folder: PathBuf,
    },
    /// Make a certificate of a client: NAME.pem and NAME.key.
    Client {
        /// The client's name.
        #[arg(default_value = "client")]
        name: String,
        #[command(flatten)]
        place: Place,
        /// Days that it is good for.
        #[arg(long, default_value_t = 365)]
        days: u32,
    },
}

#[derive(Clone, Debug, Args)]
struct Place {
    /// The cluster's name.
    #[arg(long, value_name = "NAME")]
    cluster: String,
    /// Where the files are.
    #[arg(long, value_name = "FOLDER", default_value = "certs")]
    folder: PathBuf,
}

/// Runs the verb.
pub(crate) fn run(args: &CertArgs, context: &Context) -> Result<(), Failure> {
    let mut made = Vec::new();
    match &args.kind {
        Kind::Ca { place, days } => {
            let authority = ClusterAuthority::create(&place.cluster, Validity::days(*days))?;
            std::fs::create_dir_all(&place.folder)
                .map_err(|e| Failure::io(place.folder.display(), &e))?;
            made.extend(place.write("ca", authority.cert_pem(), &authority.key_pem())?);
            made.push(write_token_key(&place.folder)?);
        }
        Kind::Node { id, place, days } => {
            let authority = place.authority()?;
            for id in id {
                let issued = authority.issue(&Identity::Node(NodeId(*id)), *days)?;
                let name = format!("node-{id}");
                made.extend(place.write(&name, &issued.cert_pem, &issued.key_pem)?);
            }
        }
        Kind::Token { folder } => made.push(write_token_key(folder)?),
        Kind::Client { name, place, days } => {
            let issued = place
                .authority()?
                .issue(&Identity::Client(name.clone()), *days)?;
            made.extend(place.write(name, &issued.cert_pem, &issued.key_pem)?);
        }
    }
    let files: Vec<String> = made.iter().map(|file| file.display().to_string()).collect();
    if context.output.is_json() {
        return context.output.object(&json!({"files": files}));
    }
    files.iter().try_for_each(|file| context.output.line(file))
}

impl Place {
    fn authority(&self) -> Result<ClusterAuthority, Failure> {
        let (cert, key) = (self.read("ca.pem")?, self.read("ca.key")?);
        Ok(ClusterAuthority::load(&self.cluster, &cert, &key)?)
    }

    fn read(&self, name: &str) -> Result<String, Failure> {
        let path = self.folder.join(name);
        std::fs::read_to_string(&path).map_err(|e| {
            let path = path.display();
            Failure::failed(format!(
                "{path}: {e}; make the authority first: repertoire cert ca --cluster {} --folder {}",
                self.cluster,
                self.folder.display()
            ))
        })
    }

    /// Writes a key and its certificate; the key first, because it refuses to replace another.
    fn write(&self, name: &str, cert: &str, key: &str) -> Result<[PathBuf; 2], Failure> {
        let (cert_file, key_file) = (
            self.folder.join(format!("{name}.pem")),
            self.folder.join(format!("{name}.key")),
        );
        write_private(&key_file, key)?;
        write_new(&cert_file, cert)?;
        Ok([cert_file, key_file])
    }
}

fn write_token_key(folder: &Path) -> Result<PathBuf, Failure> {
    let file = folder.join("token.key");
    let secret = repertoire::new_token_secret()?;
    write_private(&file, &TokenKeys::file_text(&secret))?;
    Ok(file)
}

fn write_new(path: &Path, text: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    let written = file.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|e| Failure::io(path.display(), &e))
}

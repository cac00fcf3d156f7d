//! Certificates and configurations of the nodes.

use std::net::UdpSocket;
use std::path::Path;

use repertoire::certs::{ClusterAuthority, Identity, IssuedCertificate, Validity, write_private};
use repertoire_core::{Acks, Durability, Error, ErrorKind, NodeId};

use super::super::{ASYNC_NAME, NAME};
use crate::BenchOptions;

/// Days that the certificates are good for.
const DAYS: u32 = 2;

pub(super) const AUTHORITY: &str = "ca.pem";
pub(super) const CLIENT_CERT: &str = "client.pem";
pub(super) const CLIENT_KEY: &str = "client.key";

pub(super) fn config_name(id: u64) -> String {
    format!("node-{id}.toml")
}

/// Writes everything; answers where the nodes will listen.
pub(super) fn write(
    folder: &Path,
    options: &BenchOptions,
    nodes: u64,
) -> Result<Vec<String>, Error> {
    let addresses = free_addresses(nodes)?;
    let authority = ClusterAuthority::create(NAME, Validity::days(DAYS))?;
    put(folder, AUTHORITY, authority.cert_pem())?;
    let client = authority.issue(&Identity::Client("client".to_owned()), DAYS)?;
    put_issued(folder, CLIENT_CERT, CLIENT_KEY, &client)?;
    for id in 1..=nodes {
        let issued = authority.issue(&Identity::Node(NodeId(id)), DAYS)?;
        put_issued(
            folder,
            &format!("node-{id}.pem"),
            &format!("node-{id}.key"),
            &issued,
        )?;
        put(folder, &config_name(id), &config(id, &addresses, options))?;
    }
    Ok(addresses)
}

fn put(folder: &Path, name: &str, text: &str) -> Result<(), Error> {
    let path = folder.join(name);
    std::fs::write(&path, text).map_err(|e| {
        Error::new(ErrorKind::StorageFailed, "write a file")
            .with("path", path.display())
            .with("detail", e)
    })
}

fn put_issued(
    folder: &Path,
    cert: &str,
    key: &str,
    issued: &IssuedCertificate,
) -> Result<(), Error> {
    write_private(&folder.join(key), &issued.key_pem)?;
    put(folder, cert, &issued.cert_pem)
}

/// Addresses that were free a moment ago. All sockets are held until all are known.
fn free_addresses(nodes: u64) -> Result<Vec<String>, Error> {
    let failed = |e| Error::new(ErrorKind::Unavailable, "find a free port").with("detail", e);
    let sockets: Result<Vec<_>, _> = (0..nodes).map(|_| UdpSocket::bind("127.0.0.1:0")).collect();
    let addresses = sockets.map_err(failed)?;
    let addresses = addresses
        .iter()
        .map(|s| s.local_addr().map(|a| a.to_string()));
    addresses.collect::<Result<_, _>>().map_err(failed)
}

fn config(id: u64, addresses: &[String], options: &BenchOptions) -> String {
    let address = usize::try_from(id - 1)
        .ok()
        .and_then(|index| addresses.get(index));
    let listen = address.map_or("", String::as_str);
    let nodes: Vec<String> = (1..)
        .zip(addresses)
        .map(|(id, address)| format!("{id} = \"{address}\""))
        .collect();
    let nodes = nodes.join(", ");
    let mtu = options
        .mtu
        .map_or(String::new(), |mtu| format!("[transport]\nmtu = {mtu}\n"));
    let keyspaces = match options.async_too {
        true => {
            keyspace(NAME, options.acks(), options) + &keyspace(ASYNC_NAME, Acks::Async, options)
        }
        false => keyspace(NAME, options.acks(), options),
    };
    format!(
        r#"[node]
id = {id}
listen = "{listen}"
data = "data/{id}"
[tls]
ca = "{AUTHORITY}"
cert = "node-{id}.pem"
key = "node-{id}.key"
[cluster]
name = "{NAME}"
nodes = {{ {nodes} }}
{mtu}{keyspaces}"#
    )
}

fn keyspace(name: &str, acks: Acks, options: &BenchOptions) -> String {
    let acks = match acks {
        Acks::Async => "\"async\"".to_owned(),
        Acks::SemiSync(followers) => format!("{{ semi-sync = {followers} }}"),
        Acks::Sync => "\"sync\"".to_owned(),
        Acks::Majority => "\"majority\"".to_owned(),
    };
    let durability = match options.medium() {
        Durability::Memory => "memory",
        Durability::Os => "os",
        Durability::Disk => "disk",
    };
    let number = |setting: &str, value: Option<u64>| {
        value.map_or(String::new(), |value| format!("{setting} = {value}\n"))
    };
    let checkpoint = number("checkpoint_bytes", options.checkpoint_bytes);
    let retention = number("log_retention_bytes", options.log_retention_bytes);
    let failover = match options.elect {
        true => format!("[keyspace.{name}.single-leader]\nfailover = \"elect\"\n"),
        false => String::new(),
    };
    let (protocol, engine, format) = (&options.protocol, &options.engine, &options.log_format);
    format!(
        r#"[keyspace.{name}]
protocol = "{protocol}"
engine = "{engine}"
log_format = "{format}"
acks = {acks}
durability = "{durability}"
{checkpoint}{retention}{failover}"#
    )
}

//! Leaves the cluster running, for those who want to look around.

use std::path::Path;

use repertoire::LocalCluster;
use repertoire::certs::{Identity, write_private};

use super::stage::Stage;
use crate::failure::Failure;

/// Days that the client's certificate is good for; the cluster's own live as long.
const DAYS: u32 = 30;

/// Writes certificates for a client and tells how to reach the cluster.
pub(crate) fn invite(cluster: &LocalCluster, stage: &mut Stage) -> Result<(), Failure> {
    let folder = cluster.folder().join("certs");
    std::fs::create_dir_all(&folder).map_err(|e| Failure::io(folder.display(), &e))?;
    let authority = cluster.authority();
    let issued = authority.issue(&Identity::Client("guest".to_owned()), DAYS)?;
    write(&folder.join("ca.pem"), authority.cert_pem())?;
    write(&folder.join("client.pem"), &issued.cert_pem)?;
    write_private(&folder.join("client.key"), &issued.key_pem)?;
    let addresses: Vec<String> = cluster
        .addresses()
        .iter()
        .map(ToString::to_string)
        .collect();
    stage.act("The cluster goes on until Ctrl-C");
    stage.say("In another terminal:");
    stage.say(&format!(
        "  export REPERTOIRE_CONNECT={}",
        addresses.join(",")
    ));
    for (variable, file) in [
        ("CA", "ca.pem"),
        ("CERT", "client.pem"),
        ("KEY", "client.key"),
    ] {
        stage.say(&format!(
            "  export REPERTOIRE_{variable}={}",
            folder.join(file).display()
        ));
    }
    stage.say("  repertoire status");
    stage.say("  repertoire scan --keyspace orders --prefix customer-0001/ --limit 5");
    stage.say("  repertoire put --keyspace orders hello world");
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<(), Failure> {
    std::fs::write(path, text).map_err(|e| Failure::io(path.display(), &e))
}

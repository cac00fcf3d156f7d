//! The starts of this node's disk, and what it remembers of the disks of others.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use parking_lot::Mutex;
use repertoire_core::{Error, ErrorKind, Incarnation, Lineage, NodeId, PeerWitness, Seen};
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc::UnboundedSender;

use crate::NodeHandle;
use crate::handle::StopOrder;
use crate::identity::{Identity, read_json, remove_durably, save_identity, write_json};

const LINEAGE: &str = "starts.json";
const PEERS: &str = "peers.json";
const DISOWNED: &str = "disowned.json";

/// Disks remembered of one peer.
const DISKS_MAX: usize = 16;

/// How a node begins a start of its disk.
#[derive(Clone, Debug)]
pub struct Beginning {
    /// Who it is: another incarnation than before, if its peers have disowned the disk.
    pub identity: Identity,
    /// The starts of the disk, this one included.
    pub lineage: Lineage,
    /// Peers have disowned the disk: nothing in its log counts until they have repaired it. Call
    /// [`settle`] once the log knows that.
    pub is_disowned: bool,
}

/// Counts a start of the disk, durably.
///
/// # Errors
/// `Corrupted` and `StorageFailed`.
pub fn begin_start(data: &Path, identity: Identity, random: u128) -> Result<Beginning, Error> {
    let is_disowned = data.join(DISOWNED).exists();
    let (mark, high) = (random & u128::from(u64::MAX), random >> 64);
    let mark = u64::try_from(mark).unwrap_or_default();
    let mut identity = identity;
    let mut lineage: Lineage = read_json(data, LINEAGE)?.unwrap_or_default();
    if is_disowned {
        // What was promised under the former name is not known any more.
        identity.log = Some(identity.log.unwrap_or(identity.incarnation));
        identity.incarnation = Incarnation(random.rotate_left(17) ^ high);
        save_identity(data, &identity)?;
        lineage = Lineage::default();
    }
    lineage.begin(mark);
    write_json(data, LINEAGE, &lineage)?;
    Ok(Beginning {
        identity,
        lineage,
        is_disowned,
    })
}

/// The log knows that nothing in it counts: the next start is one like any other.
///
/// # Errors
/// `StorageFailed`.
pub fn settle(data: &Path) -> Result<(), Error> {
    remove_durably(data, DISOWNED)
}

/// A disk of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Disk {
    incarnation: Incarnation,
    seen: Option<Seen>,
}

/// Remembers the disks of peers in the data folder, and stops the node when a peer disowns its own.
#[derive(Debug)]
pub struct DiskWitness {
    data: PathBuf,
    /// The disks of each peer in the order in which they were met: all but the last are over.
    disks: Mutex<BTreeMap<u64, Vec<Disk>>>,
    stop: OnceLock<UnboundedSender<StopOrder>>,
}

impl DiskWitness {
    /// Remembers what the data folder says.
    ///
    /// # Errors
    /// `Corrupted` when it does not parse.
    pub fn open(data: &Path) -> Result<Self, Error> {
        Ok(Self {
            data: data.to_owned(),
            disks: Mutex::new(read_json(data, PEERS)?.unwrap_or_default()),
            stop: OnceLock::new(),
        })
    }

    /// Names the node that stops when its disk is disowned.
    pub fn watch_over(&self, handle: &NodeHandle) {
        // Set once: there is one node to a witness.
        let _ = self.stop.set(handle.running.stop.clone());
    }
}

fn refused(peer: NodeId, detail: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::IdentityRefused, "meet a node")
        .with("node", peer)
        .with("detail", detail)
}

impl PeerWitness for DiskWitness {
    fn meet(&self, peer: NodeId, incarnation: Incarnation, lineage: &Lineage) -> Result<(), Error> {
        let mut disks = self.disks.lock();
        let known = disks.entry(peer.0).or_default();
        let met = known
            .iter()
            .position(|disk| disk.incarnation == incarnation);
        let before = known.clone();
        match met {
            Some(place) if place + 1 < known.len() => {
                return Err(refused(peer, "the node went on with another disk since"));
            }
            Some(place) => {
                if let Some(disk) = known.get_mut(place) {
                    let continued = disk.seen.map_or(Ok(()), |seen| lineage.continues(seen));
                    continued.map_err(|how| refused(peer, how))?;
                    disk.seen = lineage.now().or(disk.seen);
                }
            }
            None => {
                let seen = lineage.now();
                known.push(Disk { incarnation, seen });
                let surplus = known.len().saturating_sub(DISKS_MAX);
                known.drain(..surplus);
            }
        }
        if *known != before {
            write_json(&self.data, PEERS, &*disks)?;
        }
        Ok(())
    }

    fn disowned(&self, by: NodeId, detail: &str) {
        let error = Error::new(ErrorKind::IdentityRefused, "run a node")
            .with("disowned by", by)
            .with("detail", detail)
            .with("folder", self.data.display())
            .with(
                "remedy",
                "if another process runs with a copy of this folder, stop one of them; then start \
                 the node again: it goes on as a new disk that learns from its peers what it lacks",
            );
        let note = serde_json::json!({ "by": by.0, "detail": detail });
        let failure = match write_json(&self.data, DISOWNED, &note) {
            Ok(()) => error,
            Err(failed) => failed,
        };
        tracing::error!(%failure, "This node's disk is not the one that its peers know");
        if let Some(stop) = self.stop.get() {
            let _ = stop.send(StopOrder {
                patience: Duration::ZERO,
                failure: Some(failure),
            });
        }
    }
}

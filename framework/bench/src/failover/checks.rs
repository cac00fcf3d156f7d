//! What the nodes hold in the end, beside what the client was told.

use std::collections::BTreeSet;
use std::time::Duration;

use repertoire_client::{Completion, Keyspace};
use repertoire_core::{Answer, Error, ErrorKind, NodeId, ReadLevel, ReadQuery};

use super::writer::{Written, key, value};
use super::{Load, NODES, PATIENCE, WritesReport};
use crate::target::processes::Processes;

/// Reads under way at once.
const READS: usize = 1000;

/// Waits for the nodes to agree, then reads back every write that was acknowledged.
pub(super) async fn all(
    load: &Load,
    written: &Written,
    nodes: &Processes,
) -> Result<WritesReport, Error> {
    let digests_equal = agree(&load.keyspace, NODES).await?;
    let lost_keys = lost(load, &written.acknowledged).await?;
    let mut listed = BTreeSet::new();
    for id in 1..=NODES {
        listed.extend(nodes.discarded(&load.name(), id).await?);
    }
    let lost_listed = lost_keys.iter().filter(|key| listed.contains(*key));
    Ok(WritesReport {
        lost_listed: lost_listed.count() as u64,
        acknowledged: written.acknowledged.len() as u64,
        not_acknowledged: written.failed,
        lost_acknowledged: lost_keys.len() as u64,
        lost_keys,
        digests_equal,
    })
}

/// Whether full scans of all nodes have one digest, before patience ends. Followers hear of what is
/// visible a little later than their leader.
async fn agree(keyspace: &Keyspace, nodes: u64) -> Result<bool, Error> {
    let agreed = async {
        loop {
            let mut digests = BTreeSet::new();
            for id in (1..=nodes).map(NodeId) {
                let local = keyspace.level(ReadLevel::Local).at(id);
                digests.insert(local.digest(None).await?.1);
            }
            if digests.len() == 1 {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, agreed)
        .await
        .unwrap_or(Ok(false))
}

/// The keys of acknowledged writes that are not there.
async fn lost(load: &Load, acknowledged: &[u64]) -> Result<Vec<String>, Error> {
    let (pipeline, mut completions) = load.keyspace.pipeline();
    let (mut lost, mut batch) = (BTreeSet::new(), Vec::new());
    for numbers in acknowledged.chunks(READS) {
        let get = |number: &u64| ReadQuery::Get(key(*number).into());
        let first = pipeline
            .submit_reads(numbers.iter().map(get).collect())
            .await?;
        let mut left = numbers.len();
        while left > 0 {
            completions.next(&mut batch).await;
            for completion in batch.drain(..) {
                let (ticket, answer) = match completion {
                    Completion::Answered { ticket, answer, .. } => (ticket, answer),
                    Completion::Failed { error, .. } => return Err(*error),
                    Completion::Written { .. } | Completion::Returned { .. } => continue,
                };
                let place = usize::try_from(ticket - first).ok();
                let number = place.and_then(|place| numbers.get(place)).copied();
                let number =
                    number.ok_or_else(|| Error::new(ErrorKind::Unexpected, "read back"))?;
                let wanted = value(number, load.bytes);
                if !matches!(&answer, Answer::Value(Some(found)) if **found == wanted) {
                    lost.insert(number);
                }
                left -= 1;
            }
        }
    }
    Ok(lost.into_iter().map(key).collect())
}

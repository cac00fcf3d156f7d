//! What the nodes say of themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use repertoire::LocalCluster;
use repertoire::core::{Error, ErrorKind, NodeId};
use serde_json::Value;

/// Pause between two questions.
const PAUSE: Duration = Duration::from_millis(5);

/// Longest wait for something that takes moments.
const PATIENCE: Duration = Duration::from_secs(30);

/// How far a replica is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// Records in its log.
    pub(crate) last: u64,
    /// Records that it has applied.
    pub(crate) applied: u64,
}

/// How far the replicas of a node are, by keyspace.
pub(crate) async fn reach(
    cluster: &LocalCluster,
    node: NodeId,
) -> Result<BTreeMap<String, Reach>, Error> {
    let status = cluster.node(node)?.handle().status().await?;
    let groups = status
        .get("groups")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    let number = |value: Option<&Value>| value.and_then(Value::as_u64).unwrap_or(0);
    let reach = |group: &Value| {
        let name = group.get("keyspace")?.as_str()?.to_owned();
        let last = number(group.pointer("/last/lsn"));
        let applied = number(group.get("applied_lsn"));
        Some((name, Reach { last, applied }))
    };
    Ok(groups.filter_map(reach).collect())
}

/// Records in the log of each keyspace, on the node that has most of them.
pub(crate) async fn ends(cluster: &LocalCluster) -> Result<BTreeMap<String, u64>, Error> {
    let mut ends = BTreeMap::new();
    for node in cluster.ids() {
        if cluster.node(node).is_err() {
            continue;
        }
        for (name, reach) in reach(cluster, node).await? {
            let end: &mut u64 = ends.entry(name).or_default();
            *end = reach.last.max(*end);
        }
    }
    Ok(ends)
}

/// Waits until a node has applied this much of each keyspace that it holds.
pub(crate) async fn applied(
    cluster: &LocalCluster,
    node: NodeId,
    goal: &BTreeMap<String, u64>,
) -> Result<(), Error> {
    let reached = async {
        loop {
            let reach = reach(cluster, node).await?;
            let mut all = reach.iter();
            if all.all(|(name, reach)| goal.get(name).is_none_or(|goal| reach.applied >= *goal)) {
                return Ok(());
            }
            tokio::time::sleep(PAUSE).await;
        }
    };
    let late = |_| Err(Error::new(ErrorKind::Timeout, "wait for a node").with("node", node));
    tokio::time::timeout(PATIENCE, reached)
        .await
        .unwrap_or_else(late)
}

/// Waits until every node has applied everything.
pub(crate) async fn settled(cluster: &LocalCluster) -> Result<(), Error> {
    let goal = ends(cluster).await?;
    for node in cluster.ids() {
        applied(cluster, node, &goal).await?;
    }
    Ok(())
}

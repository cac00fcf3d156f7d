//! A cluster with a follower that is held back.

use std::time::Duration;

use repertoire::core::{
    Acks, Descriptor, Error, KeyspaceId, NodeId, Position, ReadLevel, ReplicaSpec, ShardId, SlotMap,
};
use repertoire::{Direction, LocalCluster, LocalNetwork, LocalOptions};
use repertoire_client::{Client, Keyspace, Written, preferred};

/// Leads all keyspaces and shards but those that node 2 leads.
pub(crate) const LEADER: NodeId = NodeId(1);
/// Leads the keyspace `answers` and shard 1 of `talk`.
const OTHER_LEADER: NodeId = NodeId(2);
/// Followers that have what was acknowledged.
pub(crate) const FRESH: [NodeId; 2] = [NodeId(2), NodeId(3)];
/// The follower that hears nothing of node 1.
pub(crate) const STALE: NodeId = NodeId(4);
/// Starting nodes takes moments; a loaded machine may take longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// Four nodes, and a client of them.
#[derive(Debug)]
pub struct Lab {
    cluster: LocalCluster,
    client: Client,
}

impl Lab {
    /// Starts the nodes, waits until each replica has met its leader, and cuts node 4 off from node 1.
    ///
    /// # Errors
    /// Those of starting nodes and of the first writes.
    pub async fn start() -> Result<Self, Error> {
        let mut options = LocalOptions::new("lag-anomalies");
        options.nodes = 4;
        options.network = LocalNetwork::Faulty;
        let cluster = LocalCluster::start(options, keyspaces()).await?;
        cluster.ready(PATIENCE).await?;
        let mut builder = Client::builder().patience(PATIENCE);
        for node in cluster.ids() {
            builder = builder.node(cluster.node(node)?.handle().clone());
        }
        let client = builder.build().await?;
        let lab = Self { cluster, client };
        for name in ["comments", "answers", "talk"] {
            let keyspace = lab.client.keyspace(name).await?.acks(Acks::Sync);
            for shard in keyspace.shards() {
                let key = in_shard(&keyspace, shard, |n| format!("met-{n}"));
                keyspace
                    .put(key, "every replica has followed its leader")
                    .await?;
            }
        }
        lab.cluster.faults(STALE)?.cut(LEADER, Direction::In);
        Ok(lab)
    }

    /// The client of the cluster.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Nothing is held back any more.
    ///
    /// # Errors
    /// None that can happen here.
    pub(crate) fn heal(&self) -> Result<(), Error> {
        self.cluster.faults(STALE)?.heal(LEADER);
        Ok(())
    }

    /// Waits until `node` shows what was written: it answers when it contains the position.
    ///
    /// # Errors
    /// Those of a read.
    pub(crate) async fn shown_at(
        &self,
        keyspace: &Keyspace,
        key: &str,
        written: &Written,
        node: NodeId,
    ) -> Result<(), Error> {
        let level = ReadLevel::Session(Position::Entry(written.ack.position));
        keyspace.level(level).at(node).get(key).await?;
        Ok(())
    }

    /// Stops the nodes.
    ///
    /// # Errors
    /// Those of stopping them.
    pub async fn stop(self) -> Result<(), Error> {
        drop(self.client);
        self.cluster.stop().await
    }
}

/// What a follower holds for `key`, however old: the weak way to read.
///
/// # Errors
/// Those of a read.
pub(crate) async fn anywhere(
    keyspace: &Keyspace,
    key: &str,
    node: NodeId,
) -> Result<Option<String>, Error> {
    let (_, value) = keyspace.level(ReadLevel::Local).at(node).get(key).await?;
    Ok(value.map(|value| String::from_utf8_lossy(&value).into_owned()))
}

/// A user whose reads a session sends to `node`.
pub(crate) fn user_of(node: NodeId) -> String {
    let all = || [LEADER, FRESH[0], FRESH[1], STALE].to_vec();
    let served = |user: &String| preferred(user.as_bytes(), all()).first() == Some(&node);
    let mut users = (0_u32..).map(|n| format!("user-{n}"));
    // Each user is served by some node, and each node serves a share of them.
    users.find(served).unwrap_or_default()
}

/// A key that lies in a shard: the first of `name-0`, `name-1` and so on, or `{name-0}-rest` where the
/// name is a tag.
pub(crate) fn in_shard(
    keyspace: &Keyspace,
    shard: ShardId,
    name: impl Fn(u32) -> String,
) -> String {
    let slots = keyspace.descriptor().placement.slots.clone();
    let mut keys = (0..).map(name);
    // Every shard has slots, and keys are spread evenly over them.
    let fits = |key: &String| slots.shard_of(key.as_bytes()) == shard;
    keys.find(fits).unwrap_or_default()
}

/// `comments`, led by node 1; `answers`, led by node 2; `talk` with two shards, one led by each.
/// Three copies before a write is acknowledged: those of nodes 1 to 3.
fn keyspaces() -> Vec<Descriptor> {
    let led_by = |leader: NodeId| {
        let others = (1..=4).map(NodeId).filter(move |node| *node != leader);
        std::iter::once(leader).chain(others)
    };
    let described = |id, name: &str, leader| {
        let nodes: Vec<NodeId> = led_by(leader).collect();
        let mut keyspace = Descriptor::single_shard(KeyspaceId(id), name, "single-leader", &nodes);
        keyspace.options.acks = Acks::SemiSync(2);
        keyspace
    };
    let mut talk = described(3, "talk", LEADER);
    talk.placement.slots = SlotMap::even(2);
    let replicas = led_by(OTHER_LEADER).map(ReplicaSpec::on).collect();
    talk.placement.shards.insert(ShardId(1), replicas);
    vec![
        described(1, "comments", LEADER),
        described(2, "answers", OTHER_LEADER),
        talk,
    ]
}

//! The section `single-leader` of a keyspace's configuration, and what descriptors it can serve.

use std::time::Duration;

use serde::Deserialize;

use repertoire_core::{
    ConfigEpoch, Descriptor, Durability, Error, ErrorKind, NodeId, ReplicaRole, ReplicaSpec,
    ShardId,
};

/// The protocol's name in configuration files, and of its section there.
pub const NAME: &str = "single-leader";

/// Most replicas of a shard: acknowledgements count copies in a byte, and a leader that feeds more
/// followers than this by itself has become a bottleneck long before.
const REPLICAS_MAX: usize = 64;

/// Largest value of `append_bytes_max`: a data frame is at most 1 MiB, head included.
const APPEND_BYTES_LIMIT: u32 = 900 * 1024;

/// What happens when the leader fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Failover {
    /// Nothing: writes wait until it is back, or until an operator names another one.
    #[default]
    Manual,
    /// Nothing by itself: writes wait until the leader is back and has a majority, or until an operator
    /// or a controller promotes another replica. The replicas vote on that as in an election, so that
    /// what was acknowledged is kept and there is never a second leader.
    Appoint,
    /// The other replicas elect another one. What was acknowledged with the keyspace's `acks` or more
    /// copies is kept; a write that asked for fewer may be lost.
    Elect,
}

impl Failover {
    /// Whether nobody leads without the votes of a majority.
    pub(crate) const fn takes_votes(self) -> bool {
        match self {
            Self::Manual => false,
            Self::Appoint | Self::Elect => true,
        }
    }
}

/// A follower must not take a heartbeat that is late for a leader that is gone.
const HEARTBEATS_MIN: u32 = 3;

/// The section `single-leader`. Unknown keys are errors.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// What happens when the leader fails.
    pub failover: Failover,
    /// The node that leads, under `failover = "manual"`; that is to lead first, under `"appoint"`.
    /// Without it, the first full replica of each shard does.
    pub leader: Option<u64>,
    /// Under `failover = "elect"`: a follower that has heard of no leader for this many milliseconds,
    /// up to twice as many, asks the others for their votes. Under `"appoint"` only the replica does
    /// that which led last. Before that nobody gives a vote to others.
    pub election_timeout_ms: u32,
    /// Under `failover = "elect"` and `"appoint"`: whether a leader that a majority has confirmed within nine tenths of
    /// an election timeout answers reads on its own. That trusts the nodes' clocks to run equally fast
    /// within ten percent. Without it each read asks a majority first.
    pub lease_reads: bool,
    /// The leader tells each follower that it is alive after this many milliseconds.
    pub heartbeat_interval_ms: u32,
    /// A group in which nothing has happened for this many milliseconds becomes quiescent: its leader
    /// speaks seldom, its followers rely on the link to the leader's node.
    pub quiescent_after_ms: u32,
    /// The leader of a quiescent group tells each follower that it is alive after this many
    /// milliseconds; 0: as often as ever. A node that lives and yet says nothing for one of its groups
    /// is missed after three times as long.
    pub quiescent_heartbeat_ms: u32,
    /// Bytes that may be on their way to one follower before it has answered.
    pub window_bytes: u32,
    /// Small entries travel together in messages of at most this many bytes.
    pub append_bytes_max: u32,
    /// Recent entries kept in memory for followers that are a little behind, in bytes.
    pub cache_bytes: u32,
    /// When nothing else is sent, followers learn what has become visible after this many
    /// milliseconds.
    pub commit_notice_delay_ms: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            failover: Failover::Manual,
            leader: None,
            election_timeout_ms: 300,
            lease_reads: true,
            heartbeat_interval_ms: 50,
            quiescent_after_ms: 1000,
            quiescent_heartbeat_ms: 5000,
            window_bytes: 4 << 20,
            append_bytes_max: 512 << 10,
            cache_bytes: 16 << 20,
            commit_notice_delay_ms: 1,
        }
    }
}

impl Config {
    /// Reads the section of a descriptor.
    ///
    /// # Errors
    /// `ConfigInvalid`, naming keyspace and section.
    pub fn of(descriptor: &Descriptor) -> Result<Self, Error> {
        descriptor.section(NAME)
    }

    /// Who leads a shard without having been elected; `None` when leaders are elected, or when the
    /// shard has no full replica.
    pub fn leader_of(&self, descriptor: &Descriptor, shard: ShardId) -> Option<NodeId> {
        if self.failover.takes_votes() {
            return None;
        }
        self.first_of(descriptor, shard)
    }

    /// Who leads a shard first, with or without having been elected.
    pub(crate) fn first_of(&self, descriptor: &Descriptor, shard: ShardId) -> Option<NodeId> {
        let first = || descriptor.voters(shard).next();
        self.leader.map(NodeId).or_else(first)
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_interval_ms.into())
    }

    pub(crate) fn quiescent_after(&self) -> Duration {
        Duration::from_millis(self.quiescent_after_ms.into())
    }

    /// `None`: groups never rest.
    pub(crate) fn quiescent_heartbeat(&self) -> Option<Duration> {
        let interval = Duration::from_millis(self.quiescent_heartbeat_ms.into());
        (!interval.is_zero()).then(|| interval.max(self.heartbeat()))
    }

    pub(crate) fn election_timeout(&self) -> Duration {
        Duration::from_millis(self.election_timeout_ms.into())
    }

    pub(crate) fn commit_notice_delay(&self) -> Duration {
        Duration::from_millis(self.commit_notice_delay_ms.into())
    }
}

/// Refuses descriptors that the protocol cannot serve.
pub(crate) fn validate(descriptor: &Descriptor) -> Result<(), Error> {
    let config = Config::of(descriptor)?;
    validate_section(descriptor, &config)?;
    for (shard, replicas) in &descriptor.placement.shards {
        validate_shard(descriptor, &config, *shard, replicas)?;
    }
    Ok(())
}

fn validate_section(descriptor: &Descriptor, config: &Config) -> Result<(), Error> {
    let refuse =
        |setting: &str, value: u32, remedy: &str| Err(invalid(descriptor, setting, value, remedy));
    if config.heartbeat_interval_ms == 0 {
        return refuse("heartbeat_interval_ms", 0, "set at least 1");
    }
    if !(1024..=APPEND_BYTES_LIMIT).contains(&config.append_bytes_max) {
        let remedy = "set 1024 to 921600: a data frame is at most 1 MiB";
        return refuse("append_bytes_max", config.append_bytes_max, remedy);
    }
    if config.failover.takes_votes() {
        validate_elections(descriptor, config)?;
    }
    if config.window_bytes < config.append_bytes_max {
        let remedy = "set at least append_bytes_max";
        return refuse("window_bytes", config.window_bytes, remedy);
    }
    Ok(())
}

fn validate_elections(descriptor: &Descriptor, config: &Config) -> Result<(), Error> {
    if let Some(leader) = config.leader.filter(|_| config.failover == Failover::Elect) {
        let remedy = "leave `leader` out, or set failover = \"appoint\"";
        return Err(invalid(descriptor, "leader", leader, remedy));
    }
    let beats = config.heartbeat_interval_ms.saturating_mul(HEARTBEATS_MIN);
    if config.election_timeout_ms < beats {
        let (value, remedy) = (config.election_timeout_ms, "set at least 3 heartbeats");
        return Err(invalid(descriptor, "election_timeout_ms", value, remedy));
    }
    let durability = descriptor.options.durability;
    if durability != Durability::Disk {
        // A replica that forgets what it acknowledged would elect leaders that never knew of it.
        let remedy = "set durability = \"disk\", or failover = \"manual\"";
        return Err(invalid(descriptor, "durability", durability, remedy));
    }
    Ok(())
}

fn validate_shard(
    descriptor: &Descriptor,
    config: &Config,
    shard: ShardId,
    replicas: &[ReplicaSpec],
) -> Result<(), Error> {
    let refuse = |setting: &str, value: &dyn std::fmt::Display, remedy: &str| {
        Err(invalid(descriptor, setting, value, remedy).with("shard", shard))
    };
    let voters = descriptor.voters(shard).count();
    if voters == 0 || replicas.len() > REPLICAS_MAX {
        let remedy = "place each shard on 1 to 64 nodes, at least one of them a full replica";
        return refuse("placement", &replicas.len(), remedy);
    }
    let is_served = |spec: &&ReplicaSpec| !is_supported(spec.role);
    if let Some(spec) = replicas.iter().find(is_served) {
        let remedy = "single-leader knows the roles replica, learner and coordinator";
        return refuse("role", &format_args!("{:?}", spec.role), remedy);
    }
    // Who was named to lead first may have left since the keyspace was made.
    let may_be_gone = descriptor.config_epoch > ConfigEpoch(1) && config.failover.takes_votes();
    let leader = config.first_of(descriptor, shard).filter(|_| !may_be_gone);
    if let Some(leader) = leader.filter(|leader| descriptor.voters(shard).all(|n| n != *leader)) {
        let remedy = "name a node that holds a full replica, or leave `leader` out";
        return refuse("leader", &leader, remedy);
    }
    let acks = descriptor.options.acks;
    if !acks.is_satisfiable(voters) {
        let remedy = "ask for fewer copies, or place the shard on more nodes";
        return refuse("acks", &acks, remedy);
    }
    Ok(())
}

/// Whether single-leader has a use for such a replica.
const fn is_supported(role: ReplicaRole) -> bool {
    match role {
        ReplicaRole::Replica | ReplicaRole::Learner | ReplicaRole::Coordinator => true,
        ReplicaRole::Fallback | ReplicaRole::Relay => false,
    }
}

fn invalid(
    descriptor: &Descriptor,
    setting: &str,
    value: impl std::fmt::Display,
    remedy: &str,
) -> Error {
    Error::new(
        ErrorKind::ConfigInvalid,
        "validate a single-leader keyspace",
    )
    .with("keyspace", &descriptor.name)
    .with("setting", setting)
    .with("value", value)
    .with("remedy", remedy)
}

#[cfg(test)]
mod tests {
    use repertoire_core::{Acks, KeyspaceId};

    use super::*;

    fn descriptor(section: &str) -> Descriptor {
        let nodes = [1, 2, 3].map(NodeId);
        let mut descriptor = Descriptor::single_shard(KeyspaceId(1), "shop", NAME, &nodes);
        descriptor.plugin_options = format!(r#"{{"{NAME}": {section}}}"#);
        descriptor
    }

    #[test]
    fn the_defaults_are_valid_and_the_first_replica_leads() {
        let descriptor = descriptor("{}");
        assert!(validate(&descriptor).is_ok());
        let config = Config::of(&descriptor).unwrap();
        assert_eq!(config.leader_of(&descriptor, ShardId(0)), Some(NodeId(1)));
    }

    #[test]
    fn refusals_name_keyspace_setting_and_remedy() {
        for (section, setting) in [
            (r#"{"leader": 9}"#, "leader"),
            (r#"{"heartbeat_interval_ms": 0}"#, "heartbeat_interval_ms"),
            (r#"{"append_bytes_max": 2000000}"#, "append_bytes_max"),
            (r#"{"window_bytes": 4096}"#, "window_bytes"),
            (r#"{"heartbeat": 50}"#, "heartbeat"),
        ] {
            let error = validate(&descriptor(section)).unwrap_err().to_string();
            assert!(error.contains("shop") && error.contains(setting), "{error}");
        }
    }

    #[test]
    fn acks_that_no_group_of_that_size_can_give_are_refused() {
        let mut descriptor = descriptor("{}");
        descriptor.options.acks = Acks::SemiSync(3);
        let error = validate(&descriptor).unwrap_err().to_string();
        assert!(
            error.contains("remedy") && error.contains("semi-sync(3)"),
            "{error}"
        );
    }

    #[test]
    fn a_learner_does_not_lead() {
        let mut descriptor = descriptor(r#"{"leader": 1}"#);
        for spec in descriptor.placement.shards.values_mut().flatten().take(1) {
            spec.role = ReplicaRole::Learner;
        }
        assert!(validate(&descriptor).is_err());
    }
}

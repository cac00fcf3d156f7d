//! What to run: one seed, or a campaign over many.

use repertoire_core::{Descriptor, Durability};
use serde::{Deserialize, Serialize};

use crate::fault::mix::FaultMix;
use crate::rng::Rng;

/// How the replicas' messages move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Machinery {
    /// As values of the protocol's own types: the fast way.
    #[default]
    Typed,
    /// As bytes, through the registry: what a node does. Any mix of protocols.
    Erased,
}

/// Steps of a seed unless the caller says otherwise.
pub const STEPS_DEFAULT: u64 = 20_000;

/// One run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunConfig {
    /// The protocol under test, by its registered name.
    pub protocol: String,
    /// Everything that is drawn is drawn from this.
    pub seed: u64,
    /// Inputs delivered to replicas before the faults end.
    pub steps: u64,
    /// How messages move.
    pub machinery: Machinery,
    /// Whether other registered protocols share the nodes. Only with erased machinery.
    pub mixed: bool,
    /// Nodes; drawn from 1, 2, 3, 4, 5, 7 when absent, mostly 3.
    pub nodes: Option<usize>,
    /// The faults; drawn when absent. Kinds that make no sense with what else is drawn are left out:
    /// those between nodes with one node, loss of unsynced bytes where acknowledgements do not promise
    /// a sync.
    pub faults: Option<FaultMix>,
    /// Fault kinds to leave out of a drawn mix.
    pub without: Vec<crate::Fault>,
    /// Whether replicas elect their leaders where they can; drawn when absent.
    pub elections: Option<bool>,
    /// Whether controllers appoint the leaders of some keyspaces that vote.
    pub appoints: bool,
    /// Whether an operator changes the members of the run's keyspace all the time, where replicas elect
    /// their leaders; drawn when absent.
    pub membership: Option<bool>,
}

impl RunConfig {
    /// A run with everything drawn from the seed.
    pub fn new(protocol: impl Into<String>, seed: u64) -> Self {
        Self {
            protocol: protocol.into(),
            seed,
            steps: STEPS_DEFAULT,
            machinery: Machinery::Typed,
            mixed: false,
            nodes: None,
            faults: None,
            without: Vec::new(),
            elections: None,
            appoints: true,
            membership: None,
        }
    }

    /// The same run with other machinery.
    #[must_use]
    pub fn with_machinery(mut self, machinery: Machinery) -> Self {
        self.machinery = machinery;
        self
    }

    /// The same run with so many steps.
    #[must_use]
    pub const fn with_steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }
}

/// Draws protocol options for a keyspace of the run: small windows, short intervals, a leader or
/// elections, which the second argument may decide.
pub type Tune = fn(&mut Descriptor, Option<bool>, &mut Rng);

/// A protocol as the simulator sees it.
#[derive(Clone, Copy, Debug)]
pub struct Subject {
    /// Its registered name.
    pub name: &'static str,
    /// Whether it keeps more than one copy.
    pub replicates: bool,
    /// Whether its replicas can elect a leader.
    pub elects: bool,
    /// Draws its options.
    pub tune: Tune,
}

/// The built-in protocols.
pub const SUBJECTS: [Subject; 2] = [
    Subject {
        name: "single-leader",
        replicates: true,
        elects: true,
        tune: tune_single_leader,
    },
    Subject {
        name: "standalone",
        replicates: false,
        elects: false,
        tune: |_, _, _| {},
    },
];

/// The built-in protocol of that name.
pub fn subject(name: &str) -> Option<Subject> {
    SUBJECTS
        .iter()
        .copied()
        .find(|subject| subject.name == name)
}

/// Purpose of the draw whether leaders are appointed.
const APPOINTS: u64 = 0x5e;

fn tune_single_leader(descriptor: &mut Descriptor, elections: Option<bool>, rng: &mut Rng) {
    let shard = repertoire_core::ShardId(0);
    let voters: Vec<u64> = descriptor.voters(shard).map(|node| node.0).collect();
    let leader = *rng.pick(&voters);
    // What one copy holds is lost with its leader, as its acknowledgement says: here nothing may be.
    let options = &descriptor.options;
    let is_kept = voters.len() == 1 || options.acks.copies(voters.len()) > 1;
    let drawn = rng.one_in(2);
    let elects = elections.unwrap_or(drawn) && is_kept && options.durability == Durability::Disk;
    let append = 1024 << rng.below(6);
    let window = append << rng.below(4);
    let cache = if rng.one_in(2) { 4096 } else { 1 << 20 };
    // Elections are many when a leader is missed before most faults have passed. A timeout has to be
    // a good deal longer than it takes to send a vote and to make it durable.
    let heartbeat = if elects {
        rng.between(5, 12)
    } else {
        rng.between(10, 60)
    };
    let notice = rng.between(1, 5);
    let timeout = heartbeat * rng.between(7, 12);
    // Groups rest between two requests already, or late, or never.
    let calm = heartbeat * rng.between(1, 8);
    let pause = if rng.one_in(4) {
        0
    } else {
        heartbeat * rng.between(4, 30)
    };
    let lease = rng.one_in(2);
    let failover = if elects {
        let how = if rng.clone().fork(APPOINTS).one_in(4) {
            "appoint"
        } else {
            "elect"
        };
        format!(r#""failover": "{how}", "election_timeout_ms": {timeout}, "lease_reads": {lease}"#)
    } else {
        format!(r#""leader": {leader}"#)
    };
    descriptor.plugin_options = format!(
        r#"{{"single-leader": {{{failover}, "heartbeat_interval_ms": {heartbeat},
        "quiescent_after_ms": {calm}, "quiescent_heartbeat_ms": {pause},
        "window_bytes": {window}, "append_bytes_max": {append}, "cache_bytes": {cache},
        "commit_notice_delay_ms": {notice}}}}}"#
    );
}

//! The stories that the chapters tell, each a few lines over a [`Stage`].

mod acks;
mod catch_up;
mod failover;
mod first;
mod lag;
mod log;

use repertoire_core::Error;
use repertoire_core::sabotage::Bug;

use repertoire_stage::Stage;

/// Switches planted bugs on, for this thread. The product's code has the switch only under its
/// feature `sabotage`, which examples and tests of this crate have and the crate itself has not.
pub type Plant = fn(&[Bug]);

/// A story that was played.
#[allow(missing_debug_implementations, reason = "stages have no debug form")]
pub struct Played {
    /// The stage, with its trace.
    pub stage: Stage,
    /// What is to be seen in it, one line each.
    pub seen: Vec<String>,
}

/// A story.
#[derive(Clone, Copy, Debug)]
pub struct Story {
    /// Its name on the command line, and of its figure.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Bugs that are planted while it is played.
    pub bugs: &'static [Bug],
    play: fn() -> Result<Played, Error>,
}

impl Story {
    /// Plays it.
    ///
    /// # Errors
    /// Those of the replicas.
    pub fn play(&self, plant: Plant) -> Result<Played, Error> {
        plant(self.bugs);
        let played = (self.play)();
        plant(&[]);
        played
    }
}

/// Every story, in the order of the chapters.
pub const STORIES: [Story; 19] = [
    Story {
        name: "leader-based",
        title: "Leader-based replication: one write, two followers, a read at one of them",
        bugs: &[],
        play: first::leader_based,
    },
    Story {
        name: "sync-and-async",
        title: "One follower is waited for, the other is not",
        bugs: &[],
        play: acks::sync_and_async,
    },
    Story {
        name: "power-cut",
        title: "Every machine loses its power right after the client heard ok",
        bugs: &[],
        play: log::power_cut,
    },
    Story {
        name: "sync-skipped",
        title: "The same power cut, with a log that skips fdatasync",
        bugs: &[Bug::SyncSkipped],
        play: log::power_cut,
    },
    Story {
        name: "power-cut-os",
        title: "The same power cut, in a keyspace of durability os",
        bugs: &[],
        play: log::power_cut_os,
    },
    Story {
        name: "async-loses",
        title: "An asynchronous acknowledgement, and the only copy is lost",
        bugs: &[],
        play: acks::async_loses,
    },
    Story {
        name: "semi-sync-waits",
        title: "The same accident with semi-sync(1)",
        bugs: &[],
        play: acks::semi_sync_waits,
    },
    Story {
        name: "prefix",
        title: "A weak write waits for a strong one before it",
        bugs: &[],
        play: acks::prefix,
    },
    Story {
        name: "retry",
        title: "A reply is lost, and the client asks again under the same request id",
        bugs: &[],
        play: acks::retry,
    },
    Story {
        name: "fenced",
        title: "A leader that was replaced without noticing",
        bugs: &[],
        play: acks::fenced,
    },
    Story {
        name: "catch-up",
        title: "A follower comes back and is fed from the log",
        bugs: &[],
        play: catch_up::from_log,
    },
    Story {
        name: "snapshot",
        title: "A follower comes back after the log was trimmed",
        bugs: &[],
        play: catch_up::from_snapshot,
    },
    Story {
        name: "dedup-travels",
        title: "A retry meets a leader that was rebuilt from a snapshot",
        bugs: &[],
        play: catch_up::dedup_travels,
    },
    Story {
        name: "dedup-forgotten",
        title: "The same retry, with a snapshot that leaves the dedup table out",
        bugs: &[Bug::SnapshotForgetsDedup],
        play: catch_up::dedup_travels,
    },
    Story {
        name: "elected",
        title: "The leader dies, and the replicas elect another one",
        bugs: &[],
        play: failover::elected,
    },
    Story {
        name: "older-log-elected",
        title: "The same death, where a voter does not look at the candidate's log",
        bugs: &[Bug::VoteForOlderLog],
        play: failover::elected,
    },
    Story {
        name: "own-write",
        title: "A user writes, and reads at a follower that has not heard of it",
        bugs: &[],
        play: lag::own_write,
    },
    Story {
        name: "going-back",
        title: "Another user reads at two followers, one after the other",
        bugs: &[],
        play: lag::going_back,
    },
    Story {
        name: "answer-first",
        title: "A question in one shard (n1, n2), its answer in another (n3, n4)",
        bugs: &[],
        play: lag::answer_first,
    },
];

/// The story of that name.
pub fn story(name: &str) -> Option<&'static Story> {
    STORIES.iter().find(|story| story.name == name)
}

/// What a client heard, as a line.
fn heard(stage: &Stage, who: &str, request: usize) -> String {
    format!("{who}: {}", stage.heard(request).unwrap_or("(nothing yet)"))
}

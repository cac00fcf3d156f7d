//! Two nodes lead at once, and a follower hears both.

use repertoire_core::sabotage::Bug;
use repertoire_core::{Acks, Error, ReadLevel};
use repertoire_stage::{Happening, Stage, Times};

/// Switches planted bugs on, for this thread: only examples and tests of this crate can.
pub type Plant = fn(&[Bug]);

/// What keeps two leaders from selling one seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Defence {
    /// Nothing: a follower obeys a leader although it follows a newer one, and no write waits for it.
    Nothing,
    /// The fence: who follows a newer leader refuses the older one, and tells it.
    Fence,
    /// Copies: nobody hears the old leader any more, but its writes wait for one of those.
    Copies,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brains {
    /// What Alice heard at the old leader.
    pub alice: Option<String>,
    /// What Bob heard at the new one.
    pub bob: Option<String>,
    /// Who has the seat in the end, at each node.
    pub seat: [Option<String>; 3],
    /// All that happened.
    pub trace: Vec<Happening>,
}

impl Brains {
    /// Whether both were told that the seat is theirs.
    pub fn is_sold_twice(&self) -> bool {
        let is_told =
            |heard: &Option<String>| heard.as_ref().is_some_and(|it| it.starts_with("ok"));
        is_told(&self.alice) && is_told(&self.bob)
    }
}

// ANCHOR: story
/// Nodes 1 and 2 do not hear each other, and somebody names node 2 as the leader; node 1 was not stopped.
///
/// # Errors
/// Those of the replicas.
pub fn split_brain(defence: Defence, plant: Plant) -> Result<Brains, Error> {
    if defence == Defence::Nothing {
        plant(&[Bug::StaleLeaderAccepted]);
    }
    let played = play(defence);
    plant(&[]);
    played
}

fn play(defence: Defence) -> Result<Brains, Error> {
    let mut stage = Stage::with_keyspace(Times::default(), |keyspace| {
        keyspace.options.acks = match defence {
            Defence::Nothing | Defence::Fence => Acks::Async,
            Defence::Copies => Acks::SemiSync(1),
        };
    })?;
    stage.cut(1, 2);
    if defence == Defence::Copies {
        stage.cut(1, 3);
    }
    stage.appoint(2);
    for node in [2, 3] {
        stage.restart(node)?;
    }
    stage.run_for(5_000)?;
    let alice = stage.put(1, "seat 12A", "alice", None);
    stage.run_for(3_000)?;
    let bob = stage.put(2, "seat 12A", "bob", None);
    stage.run_for(4_000)?;
    let reads = [1, 2, 3].map(|node| stage.get(node, "seat 12A", ReadLevel::Local));
    stage.run_for(1_000)?;
    let heard = |request| stage.heard(request).map(str::to_owned);
    Ok(Brains {
        alice: heard(alice),
        bob: heard(bob),
        seat: reads.map(heard),
        trace: stage.happenings().to_vec(),
    })
}
// ANCHOR_END: story

//! What readers see of followers that are behind.

use repertoire_core::{Acks, Error, ReadLevel};

use super::{Played, heard};
use repertoire_stage::{Stage, Times};

/// Three replicas, of which n3 is far from the leader.
fn with_a_far_follower() -> Result<Stage, Error> {
    Stage::new(Times {
        far_link: 3_000,
        ..Times::default()
    })
}

/// What a session asks for that has seen the answer to `request`.
fn session(stage: &Stage, request: usize) -> ReadLevel {
    let seen = stage.position(request).cloned();
    seen.map_or(ReadLevel::Local, ReadLevel::Session)
}

// ANCHOR: own_write
pub(super) fn own_write() -> Result<Played, Error> {
    let mut stage = with_a_far_follower()?;
    let write = stage.put(1, "reply", "Sounds good!", None);
    stage.run_for(3_000)?;
    let weak = stage.get(3, "reply", ReadLevel::Local);
    stage.run_for(700)?;
    let seen = session(&stage, write);
    let strong = stage.get(3, "reply", seen);
    stage.run_for(9_000)?;
    let seen = vec![
        heard(&stage, "the writer", write),
        heard(&stage, "the same user, at n3", weak),
        heard(&stage, "with the position of the write", strong),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: own_write

// ANCHOR: going_back
pub(super) fn going_back() -> Result<Played, Error> {
    let mut stage = with_a_far_follower()?;
    stage.put(1, "reply", "1 result", None);
    stage.run_for(3_400)?;
    let first = stage.get(2, "reply", ReadLevel::Local);
    stage.run_for(700)?;
    let weak = stage.get(3, "reply", ReadLevel::Local);
    stage.run_for(700)?;
    let seen = session(&stage, first);
    let strong = stage.get(3, "reply", seen);
    stage.run_for(9_000)?;
    let seen = vec![
        heard(&stage, "first, at n2", first),
        heard(&stage, "then, at n3", weak),
        heard(&stage, "with the position of the first answer", strong),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: going_back

// ANCHOR: answer_first
pub(super) fn answer_first() -> Result<Played, Error> {
    // Two shards, each with a leader and a follower. The follower of the first one is far away.
    let shard = |far_link| {
        let times = Times {
            far_link,
            ..Times::default()
        };
        Stage::with_nodes(2, times, |keyspace| keyspace.options.acks = Acks::Async)
    };
    let (mut first, mut second) = (shard(6_000)?, shard(400)?);
    let both = |first: &mut Stage, second: &mut Stage, span| {
        first.run_for(span)?;
        second.run_for(span)
    };
    first.put(1, "question", "how far?", None);
    both(&mut first, &mut second, 1_500)?;
    let cake = first.get(1, "question", ReadLevel::Leader);
    both(&mut first, &mut second, 700)?;
    second.put(1, "answer", "ten seconds", None);
    both(&mut first, &mut second, 3_500)?;
    let answer = second.get(2, "answer", ReadLevel::Local);
    both(&mut first, &mut second, 700)?;
    let question = first.get(2, "question", ReadLevel::Local);
    both(&mut first, &mut second, 700)?;
    // What Mrs. Cake had seen in the first shard when she answered.
    let need = session(&first, cake);
    let joined = first.get(2, "question", need);
    both(&mut first, &mut second, 15_000)?;
    let seen = vec![
        heard(&second, "the observer hears the answer", answer),
        heard(&first, "and the question", question),
        heard(&first, "with what Mrs. Cake had seen", joined),
    ];
    first.tell_beside(&second);
    Ok(Played { stage: first, seen })
}
// ANCHOR_END: answer_first

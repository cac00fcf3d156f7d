//! GitHub, 2012: ids that were given twice, and a store outside that believed in them.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use repertoire_core::{Acks, Error, Position, ReadLevel, Reservation, SequenceId};
use repertoire_stage::{Stage, Times};

/// The counter that ids come from.
const COUNTER: &[u8] = b"next-user";
/// Long enough for any request here.
const WHILE: u64 = 3_000;

/// What the ids of users are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ids {
    /// The number alone, as an auto-increment column gives it.
    Numbers,
    /// The number with the epoch of the leadership that gave it.
    WithEpoch,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reuse {
    /// Who was given which id, in order.
    pub given: Vec<(&'static str, u64)>,
    /// Who is shown whose private data by the store outside.
    pub leaks: Vec<(&'static str, String)>,
}

// ANCHOR: story
/// Users sign up; the leader dies with the last of them; a follower that has not heard of them is
/// promoted; others sign up. `outside` is a store that nobody fails over, such as a Redis: the private
/// data of each user by the id that the database gave.
///
/// # Errors
/// Those of the replicas.
pub fn key_reuse(ids: Ids) -> Result<Reuse, Error> {
    let mut stage = Stage::with_keyspace(Times::default(), |keyspace| {
        keyspace.options.acks = Acks::Async;
    })?;
    let mut outside: BTreeMap<u64, String> = BTreeMap::new();
    let mut given = Vec::new();
    let mut sign_up = |stage: &mut Stage, leader: u64, user: &'static str| {
        let id = match (ids, reserve(stage, leader)?) {
            (Ids::Numbers, id) => id.number,
            (Ids::WithEpoch, id) => id.to_u64().unwrap_or(u64::MAX),
        };
        given.push((user, id));
        // Private data is written by what a user does later, and shown to whoever has that id.
        let shown = outside.get(&id).cloned();
        outside
            .entry(id)
            .or_insert_with(|| format!("{user}'s secrets"));
        Ok::<_, Error>(shown.map(|secrets| (user, secrets)))
    };

    let mut leaks = vec![
        sign_up(&mut stage, 1, "ann")?,
        sign_up(&mut stage, 1, "ben")?,
    ];
    stage.cut(1, 2);
    stage.cut(1, 3);
    leaks.push(sign_up(&mut stage, 1, "cleo")?);
    leaks.push(sign_up(&mut stage, 1, "dan")?);
    stage.kill(1);
    stage.appoint(2);
    for node in [2, 3] {
        stage.restart(node)?;
    }
    stage.run_for(WHILE)?;
    leaks.push(sign_up(&mut stage, 2, "eve")?);
    leaks.push(sign_up(&mut stage, 2, "fay")?);
    let leaks = leaks.into_iter().flatten().collect();
    Ok(Reuse { given, leaks })
}
// ANCHOR_END: story

// ANCHOR: reserve
/// Reserves one id at a leader: what `Keyspace::sequence` of a client does.
fn reserve(stage: &mut Stage, leader: u64) -> Result<SequenceId, Error> {
    let read = stage.get(leader, "next-user", ReadLevel::Local);
    stage.run_for(WHILE)?;
    let found = stage.heard(read).filter(|text| *text != "(no value)");
    let wanted = Reservation::after(found.map(str::as_bytes), NonZeroU32::MIN)?;
    let write = stage.client_write(leader, &wanted.operation(COUNTER), "reserve an id");
    stage.run_for(WHILE)?;
    match stage.position(write) {
        Some(Position::Entry(at)) => Ok(wanted.granted(*at).next().unwrap_or(NO_ID)),
        _ => Ok(NO_ID),
    }
}
// ANCHOR_END: reserve

/// Of a reservation that was not acknowledged. None of the story's is.
const NO_ID: SequenceId = SequenceId::from_u64(0);

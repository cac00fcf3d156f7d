//! What acknowledgements are worth.

use repertoire_core::{Acks, Error, ReadLevel};

use super::{Played, heard};
use repertoire_stage::{Stage, Times};

// ANCHOR: sync_and_async
pub(super) fn sync_and_async() -> Result<Played, Error> {
    let mut stage = Stage::new(Times {
        far_link: 2_500,
        ..Times::default()
    })?;
    let write = stage.put(1, "photo", "new.jpg", Some(Acks::SemiSync(1)));
    stage.run_for(6_000)?;
    let seen = vec![heard(&stage, "the writer", write)];
    Ok(Played { stage, seen })
}
// ANCHOR_END: sync_and_async

pub(super) fn async_loses() -> Result<Played, Error> {
    leader_is_lost(Acks::Async)
}

pub(super) fn semi_sync_waits() -> Result<Played, Error> {
    leader_is_lost(Acks::SemiSync(1))
}

// ANCHOR: leader_is_lost
fn leader_is_lost(acks: Acks) -> Result<Played, Error> {
    let mut stage = Stage::new(Times::default())?;
    stage.cut(1, 2);
    stage.cut(1, 3);
    let write = stage.put(1, "order", "42", Some(acks));
    stage.run_for(2_000)?;
    stage.kill(1);
    // Somebody names node 2 as the leader, and the two nodes that are left start with that.
    stage.appoint(2);
    for node in [2, 3] {
        stage.restart(node)?;
    }
    stage.run_for(5_000)?;
    let read = stage.get(2, "order", ReadLevel::Leader);
    stage.run_for(1_000)?;
    let seen = vec![
        heard(&stage, "the writer", write),
        heard(&stage, "a reader, at the new leader", read),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: leader_is_lost

// ANCHOR: prefix
pub(super) fn prefix() -> Result<Played, Error> {
    let mut stage = Stage::new(Times::default())?;
    stage.kill(3);
    let strong = stage.put(1, "strong", "1", Some(Acks::Sync));
    stage.run_for(100)?;
    let weak = stage.put(1, "weak", "2", Some(Acks::Async));
    stage.run_for(2_900)?;
    let early = heard(&stage, "the weak write after 3 ms", weak);
    stage.start(3)?;
    stage.run_for(6_000)?;
    let seen = vec![
        early,
        heard(&stage, "the strong write, node 3 being back", strong),
        heard(&stage, "the weak write then", weak),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: prefix

// ANCHOR: retry
pub(super) fn retry() -> Result<Played, Error> {
    let mut stage = Stage::new(Times::default())?;
    let (client, number) = (7, 1);
    let first = stage.write(1, (client, number), "x", "1", None);
    stage.run_for(1_650)?;
    // The reply is on its way when the leader dies; say that it never arrives.
    stage.forget(first);
    stage.restart(1)?;
    stage.run_for(5_000)?;
    let overwrite = stage.write(1, (8, 1), "x", "2", None);
    stage.run_for(3_000)?;
    let again = stage.write(1, (client, number), "x", "1", None);
    stage.run_for(3_000)?;
    let read = stage.get(1, "x", ReadLevel::Leader);
    stage.run_for(1_000)?;
    let seen = vec![
        heard(&stage, "the first attempt", first),
        heard(&stage, "another client writes x=2", overwrite),
        heard(&stage, "the retry", again),
        heard(&stage, "x is", read),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: retry

// ANCHOR: fenced
pub(super) fn fenced() -> Result<Played, Error> {
    let mut stage = Stage::new(Times::default())?;
    stage.cut(1, 2);
    stage.cut(1, 3);
    let old = stage.put(1, "x", "old", None);
    stage.appoint(2);
    for node in [2, 3] {
        stage.restart(node)?;
    }
    stage.run_for(5_000)?;
    let new = stage.put(2, "x", "new", None);
    stage.run_for(3_000)?;
    let stale = stage.get(1, "x", ReadLevel::Leader);
    stage.run_for(1_000)?;
    stage.heal();
    stage.run_for(5_000)?;
    let read = stage.get(2, "x", ReadLevel::Leader);
    stage.run_for(1_000)?;
    let seen = vec![
        heard(&stage, "the write at the old leader", old),
        heard(&stage, "the write at the new leader", new),
        heard(&stage, "x at the old leader, still cut off", stale),
        heard(&stage, "x at the new leader", read),
        stage.status(1),
        stage.status(2),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: fenced

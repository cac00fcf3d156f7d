//! Followers that were away.

use repertoire_core::{Error, ReadLevel};

use super::{Played, heard};
use repertoire_stage::{Stage, Times};

// ANCHOR: from_log
pub(super) fn from_log() -> Result<Played, Error> {
    let mut stage = Stage::new(Times::default())?;
    stage.kill(3);
    for n in 1..=3 {
        stage.put(1, &format!("k{n}"), "v", None);
        stage.run_for(3_000)?;
    }
    let before = stage.status(1);
    stage.start(3)?;
    stage.run_for(5_000)?;
    let seen = vec![before, stage.status(3)];
    Ok(Played { stage, seen })
}
// ANCHOR_END: from_log

// ANCHOR: from_snapshot
pub(super) fn from_snapshot() -> Result<Played, Error> {
    let (mut stage, _) = trimmed_while_away()?;
    stage.start(3)?;
    stage.run_for(6_000)?;
    let seen = vec![stage.status(1), stage.status(3)];
    Ok(Played { stage, seen })
}

/// The leader has trimmed its log while node 3 was away, and keeps nothing in memory.
fn trimmed_while_away() -> Result<(Stage, usize), Error> {
    let mut stage = Stage::with_keyspace(Times::default(), |keyspace| {
        keyspace.plugin_options = r#"{"single-leader": {"cache_bytes": 0}}"#.to_owned();
    })?;
    stage.kill(3);
    let first = stage.write(1, (7, 1), "x", "1", None);
    stage.run_for(3_000)?;
    stage.write(1, (8, 1), "x", "2", None);
    stage.run_for(3_000)?;
    stage.checkpoint(1)?;
    stage.run_for(2_000)?;
    Ok((stage, first))
}
// ANCHOR_END: from_snapshot

// ANCHOR: dedup_travels
pub(super) fn dedup_travels() -> Result<Played, Error> {
    let (mut stage, first) = trimmed_while_away()?;
    stage.start(3)?;
    stage.run_for(6_000)?;
    // Node 3, which has never seen the first write but in a snapshot, becomes the leader.
    stage.appoint(3);
    stage.kill(1);
    for node in [2, 3] {
        stage.restart(node)?;
    }
    stage.run_for(6_000)?;
    let again = stage.write(3, (7, 1), "x", "1", None);
    stage.run_for(4_000)?;
    let read = stage.get(3, "x", ReadLevel::Leader);
    stage.run_for(1_000)?;
    let seen = vec![
        heard(&stage, "the first answer", first),
        heard(&stage, "the answer to the retry", again),
        heard(&stage, "x is", read),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: dedup_travels

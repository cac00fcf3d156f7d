//! Power cuts.

use repertoire_core::{Durability, Error, ReadLevel};

use super::{Played, heard};
use repertoire_stage::{Stage, Times};

pub(super) fn power_cut() -> Result<Played, Error> {
    all_lose_power(Stage::new(Times::default())?)
}

pub(super) fn power_cut_os() -> Result<Played, Error> {
    let os = Stage::with_keyspace(Times::default(), |keyspace| {
        keyspace.options.durability = Durability::Os;
    });
    all_lose_power(os?)
}

// ANCHOR: all_lose_power
fn all_lose_power(mut stage: Stage) -> Result<Played, Error> {
    let write = stage.put(1, "order", "42", None);
    stage.run_for(2_200)?;
    for node in 1..=3 {
        stage.cut_power(node);
    }
    stage.run_for(300)?;
    for node in 1..=3 {
        stage.start(node)?;
    }
    stage.run_for(6_000)?;
    let read = stage.get(1, "order", ReadLevel::Leader);
    stage.run_for(1_000)?;
    let seen = vec![
        heard(&stage, "before the power cut", write),
        heard(&stage, "after it", read),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: all_lose_power

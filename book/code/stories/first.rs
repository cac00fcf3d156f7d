//! The first story: how it is when nothing goes wrong.

use repertoire_core::{Error, ReadLevel};

use super::{Played, heard};
use repertoire_stage::{Stage, Times};

// ANCHOR: leader_based
pub(super) fn leader_based() -> Result<Played, Error> {
    let mut stage = Stage::new(Times {
        far_link: 700,
        ..Times::default()
    })?;
    let write = stage.put(1, "photo", "new.jpg", None);
    stage.run_for(4_500)?;
    let read = stage.get(3, "photo", ReadLevel::Local);
    stage.run_for(1_000)?;
    let seen = vec![
        heard(&stage, "the writer", write),
        heard(&stage, "the reader, at n3", read),
    ];
    Ok(Played { stage, seen })
}
// ANCHOR_END: leader_based

//! Reading acknowledged writes back from a follower.

use repertoire_client::Keyspace;
use repertoire_core::{Error, Position, ReadLevel};

use crate::load::Load;
use crate::worker::Seen;

/// Keys read back per client.
const SAMPLE: usize = 128;

/// How many of the sampled keys hold their last acknowledged write, and how many do not.
pub(crate) async fn verify(follower: &Keyspace, workers: &[Seen]) -> Result<(u64, u64), Error> {
    let last = workers
        .iter()
        .filter_map(|seen| seen.last_position)
        .max_by_key(|p| p.lsn);
    let Some(last) = last else { return Ok((0, 0)) };
    let follower = follower.level(ReadLevel::Session(Position::Entry(last)));
    let (mut good, mut bad) = (0, 0);
    for seen in workers {
        let written = (0_u64..).zip(&seen.marks).filter(|(_, mark)| **mark > 0);
        let every = (seen.marks.len() / SAMPLE).max(1);
        for (number, mark) in written.step_by(every).take(SAMPLE) {
            let (_, value) = follower.get(seen.load.key(number)).await?;
            if value.as_deref().and_then(Load::mark) == Some(*mark) {
                good += 1;
            } else {
                bad += 1;
            }
        }
    }
    Ok((good, bad))
}

//! Reading acknowledged writes back from a follower, which may first have to catch up: an `async`
//! leader outruns its followers.

use std::time::{Duration, Instant};

use repertoire_client::Keyspace;
use repertoire_core::{Error, Position, ReadLevel};

use crate::load::Load;
use crate::worker::Seen;

/// Keys read back per client.
const SAMPLE: usize = 128;

/// Longest wait for a follower to catch up.
const PATIENCE: Duration = Duration::from_mins(2);

/// What reading back showed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct ReadBack {
    /// Sampled keys that hold their last acknowledged write.
    pub(crate) good: u64,
    /// Sampled keys that do not.
    pub(crate) bad: u64,
    /// Seconds until the follower held the last acknowledged write.
    pub(crate) catch_up_seconds: f64,
}

/// Reads a sample of the acknowledged writes back.
pub(crate) async fn verify(follower: &Keyspace, workers: &[Seen]) -> Result<ReadBack, Error> {
    let last = workers
        .iter()
        .filter_map(|seen| seen.last_position)
        .max_by_key(|p| p.lsn);
    let Some(last) = last else {
        return Ok(ReadBack::default());
    };
    let level = ReadLevel::Session(Position::Entry(last));
    let follower = follower.level(level).deadline(PATIENCE);
    let begin = Instant::now();
    follower.get(b"").await?;
    let catch_up_seconds = begin.elapsed().as_secs_f64();
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
    Ok(ReadBack {
        good,
        bad,
        catch_up_seconds,
    })
}

//! Followers are asked for what was written to their leaders.

use repertoire::core::{Answer, Error, NodeId, ReadQuery};
use repertoire_client::Completion;

use super::Demo;
use super::scene::Scene;
use super::stage::Stage;
use crate::failure::Failure;
use crate::units;

/// Rows that are read back from each follower of each keyspace.
const SAMPLE: u64 = 1000;

/// Plays it.
pub(crate) async fn play(demo: &Demo, stage: &mut Stage) -> Result<(), Failure> {
    let (mut read, mut wrong) = (0, 0);
    for scene in demo
        .scenes
        .iter()
        .filter(|scene| scene.part.is_replicated())
    {
        for node in scene.part.followers() {
            let (rows, bad) = sample(scene, node).await?;
            read += rows;
            wrong += bad;
        }
    }
    let told = if wrong == 0 {
        format!(
            "{} rows read back from followers, all as written last",
            units::count(read)
        )
    } else {
        format!(
            "{} of {} rows on followers differ",
            units::count(wrong),
            units::count(read)
        )
    };
    stage.check("read_back", wrong == 0, told);
    Ok(())
}

async fn sample(scene: &Scene, node: NodeId) -> Result<(u64, u64), Error> {
    let step = (scene.data.rows / SAMPLE).max(1);
    let step = usize::try_from(step).unwrap_or(1);
    let rows: Vec<(u64, u64)> = (0..)
        .zip(scene.versions.iter().copied())
        .step_by(step)
        .collect();
    let get = |(row, _): &(u64, u64)| ReadQuery::Get(scene.data.key(*row).into());
    let (pipeline, mut completions) = scene.at(node).pipeline();
    let first = pipeline
        .submit_reads(rows.iter().map(get).collect())
        .await?;
    let (mut done, mut wrong, mut batch) = (0, 0, Vec::new());
    while done < rows.len() as u64 {
        completions.next(&mut batch).await;
        for completion in batch.drain(..) {
            done += completion.count();
            match completion {
                Completion::Answered { ticket, answer, .. } => {
                    let place = usize::try_from(ticket - first).unwrap_or(usize::MAX);
                    let is_right = rows.get(place).is_some_and(|(row, version)| {
                        let value = scene.data.value(*row, *version);
                        matches!(&answer, Answer::Value(Some(found)) if **found == *value)
                    });
                    wrong += u64::from(!is_right);
                }
                Completion::Failed { error, .. } => return Err(*error),
                Completion::Written { .. } | Completion::Returned { .. } => {}
            }
        }
    }
    Ok((done, wrong))
}

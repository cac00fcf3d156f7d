//! Every node digests all it has, row by row; equal data has equal digests.

use repertoire::core::Error;

use super::Demo;
use super::scene::Scene;
use super::stage::Stage;
use crate::failure::Failure;

/// What the nodes hold of a keyspace.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Agreement {
    /// Live rows.
    pub(crate) rows: u64,
    /// Whether all nodes hold the same, and as many rows as were written.
    pub(crate) is_equal: bool,
}

/// Plays it.
pub(crate) async fn play(demo: &Demo, stage: &mut Stage) -> Result<Vec<Agreement>, Failure> {
    let mut found = Vec::new();
    for scene in &demo.scenes {
        found.push(compare(scene).await?);
    }
    let differing: Vec<&str> = demo
        .scenes
        .iter()
        .zip(&found)
        .filter(|(_, agreement)| !agreement.is_equal)
        .map(|(scene, _)| scene.part.name)
        .collect();
    let told = if differing.is_empty() {
        "Full scans on all nodes: equal digests, and every row is there".to_owned()
    } else {
        format!("The nodes do not agree on {}", differing.join(", "))
    };
    stage.check("digests_equal", differing.is_empty(), told);
    Ok(found)
}

async fn compare(scene: &Scene) -> Result<Agreement, Error> {
    let (mut digests, mut counts) = (Vec::new(), Vec::new());
    for node in scene.part.holders() {
        let keyspace = scene.at(node);
        digests.push(keyspace.digest(None).await?.1);
        counts.push(keyspace.count(None).await?.1);
    }
    let is_same = digests.iter().all(|digest| digests.first() == Some(digest));
    let is_complete = counts.iter().all(|count| *count == scene.rows());
    let rows = counts.first().copied().unwrap_or(0);
    Ok(Agreement {
        rows,
        is_equal: is_same && is_complete,
    })
}

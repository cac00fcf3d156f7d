//! Clients that change rows while something happens.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use repertoire::core::Error;
use repertoire_client::Keyspace;
use repertoire_sim::Rng;
use tokio::task::JoinHandle;

use super::data::{Data, skewed};
use super::scene::Scene;
use crate::loader::Loader;

/// Rows that are changed at once. All are different: changes of one row that are under way at
/// once may end in any order, and the demo wants to know what the row holds.
const ROUND: usize = 128;

/// A task that changes the rows of one keyspace; in the end, the version of each row.
type Changing = JoinHandle<Result<Vec<u64>, Error>>;

/// Clients that change rows, a task for each keyspace.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    tasks: Vec<(&'static str, Changing)>,
}

#[derive(Debug, Default)]
struct Shared {
    is_over: AtomicBool,
    written: AtomicU64,
}

impl Load {
    /// Begins to change rows of these keyspaces, often the same ones.
    pub(crate) fn begin<'a>(scenes: impl Iterator<Item = &'a mut Scene>, seed: u64) -> Self {
        let shared = Arc::new(Shared::default());
        let mut rng = Rng::new(seed);
        let mut tasks = Vec::new();
        for (number, scene) in (1..).zip(scenes) {
            let versions = std::mem::take(&mut scene.versions);
            let (keyspace, data) = (scene.keyspace.clone(), scene.data);
            let (rng, shared) = (rng.fork(number), Arc::clone(&shared));
            let task = tokio::spawn(change(keyspace, data, versions, rng, shared));
            tasks.push((scene.part.name, task));
        }
        Self { shared, tasks }
    }

    /// Changes that were acknowledged so far.
    pub(crate) fn written(&self) -> u64 {
        self.shared.written.load(Ordering::Relaxed)
    }

    /// Whether a task has ended before it was told to: it failed.
    pub(crate) fn is_broken(&self) -> bool {
        self.tasks.iter().any(|(_, task)| task.is_finished())
    }

    /// Ends the changes. Returns how many there were.
    ///
    /// # Errors
    /// The first failure of a change.
    pub(crate) async fn end(self, scenes: &mut [Scene]) -> Result<u64, Error> {
        self.shared.is_over.store(true, Ordering::Relaxed);
        for (name, task) in self.tasks {
            let gone = |e| {
                Error::new(repertoire::core::ErrorKind::Unexpected, "change rows").with("detail", e)
            };
            let versions = task.await.map_err(gone)??;
            if let Some(scene) = scenes.iter_mut().find(|scene| scene.part.name == name) {
                scene.versions = versions;
            }
        }
        Ok(self.shared.written.load(Ordering::Relaxed))
    }
}

async fn change(
    keyspace: Keyspace,
    data: Data,
    mut versions: Vec<u64>,
    mut rng: Rng,
    shared: Arc<Shared>,
) -> Result<Vec<u64>, Error> {
    while !shared.is_over.load(Ordering::Relaxed) {
        let rows: BTreeSet<u64> = (0..ROUND).map(|_| skewed(&mut rng, data.rows)).collect();
        let mut puts = Vec::with_capacity(rows.len());
        for row in rows {
            let place = usize::try_from(row)
                .ok()
                .and_then(|row| versions.get_mut(row));
            if let Some(version) = place {
                *version += 1;
                puts.push(data.put(row, *version));
            }
        }
        let mut loader = Loader::new(&keyspace);
        loader.submit(puts).await?;
        let written = loader.finish().await?;
        shared.written.fetch_add(written, Ordering::Relaxed);
    }
    Ok(versions)
}

//! Engines that are too slow for the Node actor's thread.

use std::panic::{AssertUnwindSafe, catch_unwind};

use repertoire_core::{EngineSpec, Error, ErrorKind, GroupId, InstanceGen, Job, JobResult};

use super::StorageActor;
use crate::inbox::JobNews;
use crate::snapshots::SnapshotNews;
use crate::start::load_newest;

impl StorageActor {
    pub(super) fn run_job(&mut self, group: GroupId, instance: InstanceGen, job: Job) {
        let Some((owner, executor)) = self.engines.get_mut(&group) else {
            return;
        };
        if *owner != instance {
            return;
        }
        // A panic here must not take the engines of other replicas with it.
        let ran = catch_unwind(AssertUnwindSafe(|| executor.run(job)));
        let result = ran.unwrap_or_else(|_| JobResult::Failed {
            detail: "the engine panicked".to_owned(),
        });
        let news = JobNews::Engine {
            group,
            instance,
            result,
        };
        self.inbox.put(|lanes| lanes.jobs.push(news));
    }

    /// Loads the newest snapshot of a replica that is built anew. The old engine is closed first: it
    /// may hold the files that the new one opens.
    pub(super) fn reload(&mut self, group: GroupId, instance: InstanceGen, engine: &EngineSpec) {
        self.engines.remove(&group);
        self.forget_writer(group);
        let load = || load_newest(group, engine, &self.registry, &self.store);
        let state = catch_unwind(AssertUnwindSafe(load)).unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Poisoned, "load a snapshot").with("group", group))
        });
        let state = state.map(|state| state.map(Box::new));
        self.tell(SnapshotNews::Reloaded {
            group,
            instance,
            state,
        });
    }
}

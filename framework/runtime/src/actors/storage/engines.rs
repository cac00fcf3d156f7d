//! Engines that are too slow for the Node actor's thread.

use repertoire_core::{GroupId, InstanceGen, Job};

use super::StorageActor;
use crate::inbox::JobNews;

impl StorageActor {
    pub(super) fn run_job(&mut self, group: GroupId, instance: InstanceGen, job: Job) {
        let Some((owner, executor)) = self.engines.get_mut(&group) else {
            return;
        };
        if *owner != instance {
            return;
        }
        let result = executor.run(job);
        let news = JobNews::Engine {
            group,
            instance,
            result,
        };
        self.inbox.put(|lanes| lanes.jobs.push(news));
    }
}

//! The receiving side of snapshot transfers: store, load, hand over.

use std::sync::atomic::Ordering;

use repertoire_core::{
    ChunkVerdict, ConfigEpoch, EngineSpec, EntryId, Error, GroupId, Mono, NodeId, SnapshotHeader,
    SnapshotMessage, SnapshotReceiver, load_snapshot,
};

use super::StorageActor;
use crate::clock;
use crate::snapshots::{SnapshotFile, SnapshotNews, SnapshotWriter};

/// A transfer from one peer.
pub(crate) struct Receiving {
    receiver: SnapshotReceiver,
    writer: SnapshotWriter,
    engine: EngineSpec,
    config_epoch: ConfigEpoch,
}

impl StorageActor {
    pub(super) fn accept(
        &mut self,
        group: GroupId,
        engine: &EngineSpec,
        config_epoch: ConfigEpoch,
        from: NodeId,
        header: SnapshotHeader,
    ) {
        if header.group != group {
            return;
        }
        let now = clock::now().mono;
        let known = self.receiving.get(&group);
        if known.is_some_and(|known| !known.receiver.yields_to(&header, from, now)) {
            return;
        }
        // The writer of an abandoned transfer must be closed before its file is looked at.
        self.receiving.remove(&group);
        let (writer, have) = match self.store.receive(&header) {
            Ok(opened) => opened,
            Err(error) => return self.fail(group, error),
        };
        let stats = &self.stats;
        stats.resumed_from.store(have.into(), Ordering::Relaxed);
        stats.chunks_stored.store(have.into(), Ordering::Relaxed);
        let all = header.chunks.len() as u64;
        stats.chunks_expected.store(all, Ordering::Relaxed);
        let (receiver, want) = SnapshotReceiver::accept(header, from, have, now);
        let engine = engine.clone();
        self.receiving.insert(
            group,
            Receiving {
                receiver,
                writer,
                engine,
                config_epoch,
            },
        );
        match want {
            Some(want) => self.say(group, config_epoch, from, want),
            None => self.complete(group),
        }
    }

    pub(super) fn receive_chunk(
        &mut self,
        group: GroupId,
        from: NodeId,
        position: EntryId,
        index: u32,
        rows: &[u8],
    ) {
        self.stats.chunks_received.fetch_add(1, Ordering::Relaxed);
        let Some(receiving) = self.receiving.get_mut(&group) else {
            return;
        };
        if receiving.receiver.from() != from {
            return;
        }
        let verdict = receiving
            .receiver
            .chunk(position, index, rows, clock::now().mono);
        if verdict == ChunkVerdict::Ignored {
            return;
        }
        // Handed to the operating system one by one: a process that dies here loses none of them.
        let stored = receiving.writer.chunk(rows);
        if let Err(error) = stored.and_then(|()| receiving.writer.flush()) {
            self.receiving.remove(&group);
            return self.fail(group, error);
        }
        let stored = receiving.receiver.stored().into();
        self.stats.chunks_stored.store(stored, Ordering::Relaxed);
        let config_epoch = receiving.config_epoch;
        match verdict {
            ChunkVerdict::Stored(Some(want)) => self.say(group, config_epoch, from, want),
            ChunkVerdict::Complete => self.complete(group),
            ChunkVerdict::Ignored | ChunkVerdict::Stored(None) => {}
        }
    }

    fn complete(&mut self, group: GroupId) {
        let Some(receiving) = self.receiving.remove(&group) else {
            return;
        };
        let Receiving {
            receiver,
            writer,
            engine,
            config_epoch,
        } = receiving;
        let (from, position) = (receiver.from(), receiver.header().position);
        let loaded = self
            .store
            .received(writer, receiver.header())
            .and_then(|file| self.load(&file, &engine));
        match loaded {
            Ok(state) => {
                let state = Box::new(state);
                self.tell(SnapshotNews::Loaded { group, from, state });
            }
            Err(error) => {
                self.fail(group, error);
                let done = SnapshotMessage::Done {
                    position,
                    installed: false,
                };
                self.say(group, config_epoch, from, done);
            }
        }
    }

    fn load(
        &self,
        file: &SnapshotFile,
        spec: &EngineSpec,
    ) -> Result<repertoire_core::LoadedState, Error> {
        let factory = self.registry.get_engine(&spec.descriptor.engine.name)?;
        let chunks = 0..u32::try_from(file.header().chunks.len()).unwrap_or(u32::MAX);
        load_snapshot(
            file.header().clone(),
            chunks.map(|i| file.chunk(i)),
            factory(spec)?,
        )
    }

    pub(super) fn tick_receiving(&mut self, now: Mono) {
        let mut wants = Vec::new();
        for (group, receiving) in &mut self.receiving {
            if let Some(want) = receiving.receiver.tick(now) {
                wants.push((
                    *group,
                    receiving.config_epoch,
                    receiving.receiver.from(),
                    want,
                ));
            }
        }
        for (group, config_epoch, from, want) in wants {
            self.say(group, config_epoch, from, want);
        }
    }
}

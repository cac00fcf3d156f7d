//! Putting a snapshot in the place of a replica's state.

use bytes::Bytes;

use super::Host;
use super::pace::Pace;
use crate::{
    Applied, DedupTable, EntryId, Error, ErrorKind, Input, Machine, Now, SnapshotChunk,
    SnapshotHeader, Space, StorageEngine,
};

/// State restored from a snapshot.
#[allow(missing_debug_implementations, reason = "engines have no debug form")]
pub struct LoadedState {
    /// What it is.
    pub header: SnapshotHeader,
    /// The dedup table at its position.
    pub dedup: DedupTable,
    /// The engine, loaded.
    pub engine: Box<dyn StorageEngine>,
}

/// Loads a snapshot's chunks into an engine that was just created. Slow; made to run on any thread.
///
/// # Errors
/// `Corrupted` when a chunk does not match the header or does not parse; `StorageFailed` when the
/// engine does.
pub fn load_snapshot(
    header: SnapshotHeader,
    chunks: impl Iterator<Item = Result<Bytes, Error>>,
    mut engine: Box<dyn StorageEngine>,
) -> Result<LoadedState, Error> {
    let corrupted = |detail: String| {
        Error::new(ErrorKind::Corrupted, "load a snapshot")
            .with("group", header.group)
            .with("detail", detail)
    };
    let mut dedup = DedupTable::default();
    let mut seen = 0;
    for (index, bytes) in chunks.enumerate() {
        let bytes = bytes?;
        let expected = header.chunks.get(index).copied();
        if expected != Some(crc32c::crc32c(&bytes)) {
            return Err(corrupted(format!(
                "chunk {index} does not match its checksum"
            )));
        }
        seen += 1;
        let chunk = SnapshotChunk::from_bytes(&bytes);
        let rest = take_dedup(&chunk, &mut dedup).map_err(|e| corrupted(e.to_string()))?;
        engine.load(&rest).map_err(|error| engine_failed(&error))?;
    }
    if seen != header.chunks.len() {
        return Err(corrupted(format!(
            "{seen} of {} chunks are there",
            header.chunks.len()
        )));
    }
    let applied = Applied {
        lsn: header.position.lsn,
        frontier: header.frontier.clone(),
    };
    engine
        .load_finish(applied)
        .map_err(|error| engine_failed(&error))?;
    Ok(LoadedState {
        header,
        dedup,
        engine,
    })
}

/// Moves the rows of the dedup table out of a chunk; returns the others.
fn take_dedup(
    chunk: &SnapshotChunk,
    dedup: &mut DedupTable,
) -> Result<SnapshotChunk, crate::DecodeError> {
    let mut rest = SnapshotChunk::new();
    let mut damage = Ok(());
    chunk.visit(&mut |space, key, value| {
        let taken = if space == Space::Replicated {
            dedup.import(key, value)
        } else {
            Ok(false)
        };
        match taken {
            Ok(true) => {}
            Ok(false) => rest.push(space, key, value),
            Err(error) => damage = Err(error),
        }
    })?;
    damage.map(|()| rest)
}

fn engine_failed(error: &crate::EngineError) -> Error {
    Error::new(ErrorKind::StorageFailed, "load a snapshot").with("detail", error)
}

impl<M: Machine> Host<M> {
    /// Whether a snapshot of that position is of use. One that is not newer than the state takes it
    /// back, which only a replica does that has asked for a snapshot because its state is wrong; and
    /// what a replica that takes writes has acknowledged may be newer than any snapshot of others.
    pub fn takes_snapshot(&self, position: EntryId) -> bool {
        !self.admission.orders() && (self.awaits_snapshot || position.lsn > self.applied.lsn)
    }

    /// Puts a loaded snapshot in the place of the replica's state. With an engine that is executed
    /// elsewhere, the caller has exchanged that engine and passes the rest. Returns the engine that
    /// was replaced: a large one takes long to free, which is better done on another thread.
    pub fn install(
        &mut self,
        now: Now,
        header: &SnapshotHeader,
        dedup: DedupTable,
        engine: Option<Box<dyn StorageEngine>>,
    ) -> Option<Box<dyn StorageEngine>> {
        let replaced = match (&mut self.inline, engine) {
            (Some(executor), Some(engine)) => Some(executor.replace(engine)),
            _ => None,
        };
        self.dedup = dedup;
        self.applied = header.position;
        self.frontier = header.frontier.clone();
        self.snapshot = None;
        self.pace = Pace::default();
        self.backlog.clear();
        self.awaits_snapshot = false;
        let error = Error::not_leader(None, "write").with("group", self.group);
        self.pipeline.stood_down(&error);
        self.pipeline.engine_replaced();
        self.reads.engine_replaced(|| self.fx.next_ticket());
        let (position, frontier) = (header.position, header.frontier.clone());
        self.machine.step(
            now,
            Input::SnapshotInstalled { position, frontier },
            &mut self.fx,
        );
        self.settle_executed();
        replaced
    }
}

//! Snapshots: made and installed by the product's code, carried by the stage as one parcel.
//!
//! A node asks for the chunks of a snapshot itself; here all of them travel at once.

use bytes::Bytes;
use repertoire_core::{EngineSpec, Error, NodeId, SnapshotHeader, SnapshotPiece, load_snapshot};

use super::event::Event;
use super::{Happening, Place, Stage};

impl Stage {
    /// Makes a snapshot of a replica's state, durable at once; its log is trimmed.
    pub(super) fn make_snapshot(&mut self, number: u64) -> Result<(), Error> {
        let now = self.clocks();
        let format = self.registry.get_format("row")?.tag();
        let Some(node) = self.nodes.get_mut(&number) else {
            return Ok(());
        };
        let Some(host) = &mut node.host else {
            return Ok(());
        };
        host.begin_snapshot(now, format);
        let mut chunks = Vec::new();
        loop {
            host.continue_snapshot(now);
            for piece in std::mem::take(&mut host.output().pieces) {
                match piece {
                    SnapshotPiece::Begin(_) => chunks.clear(),
                    SnapshotPiece::Chunk(chunk) => chunks.push(chunk),
                    SnapshotPiece::Finished(header) => {
                        let position = header.position;
                        node.snapshot = Some((header, chunks));
                        host.checkpointed(now, position);
                        return Ok(());
                    }
                }
            }
        }
    }

    pub(super) fn send_snapshot(&mut self, from: u64, to: u64) -> Result<(), Error> {
        self.make_snapshot(from)?;
        let snapshot = self.nodes.get(&from).and_then(|node| node.snapshot.clone());
        let Some((header, chunks)) = snapshot else {
            return Ok(());
        };
        let (at, span) = (self.now(), self.link_time(from, to));
        let lost = self.is_cut(from, to);
        self.record(Happening::Sent {
            from: Place::Node(from),
            to: Place::Node(to),
            at,
            arrives: (!lost).then_some(at + span),
            what: format!("snapshot at {}", header.position),
        });
        if !lost {
            let parcel = Event::Snapshot {
                from,
                to,
                header,
                chunks,
            };
            self.after(span, parcel);
        }
        Ok(())
    }

    pub(super) fn install(
        &mut self,
        from: u64,
        to: u64,
        header: SnapshotHeader,
        chunks: Vec<Bytes>,
    ) -> Result<(), Error> {
        let now = self.clocks();
        let spec = EngineSpec {
            descriptor: std::sync::Arc::new(self.descriptor.clone()),
            folder: std::path::PathBuf::new(),
        };
        let engine = (self.registry.get_engine(&self.descriptor.engine.name)?)(&spec)?;
        let position = header.position;
        let Some(node) = self.nodes.get_mut(&to) else {
            return Ok(());
        };
        let Some(host) = &mut node.host else {
            return Ok(());
        };
        let parts = chunks.clone().into_iter().map(Ok);
        let loaded = load_snapshot(header.clone(), parts, engine)?;
        node.snapshot = Some((header, chunks));
        host.install(now, &loaded.header, loaded.dedup, Some(loaded.engine));
        self.say(to, format!("installs {position}"));
        self.settle(to)?;
        if let Some(host) = self
            .nodes
            .get_mut(&from)
            .and_then(|node| node.host.as_mut())
        {
            host.snapshot_sent(now, NodeId(to), Some(position));
        }
        self.settle(from)
    }
}

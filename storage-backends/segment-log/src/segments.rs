//! The segment files of a folder: in use, ready for use, and spare.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use repertoire_core::GroupId;

use crate::FileId;
use crate::index::Place;

/// A file that may become, or is, a segment.
#[derive(Clone, Debug)]
pub(crate) struct SegmentFile {
    pub name: String,
    pub file: FileId,
    pub size: u32,
}

/// A segment of the log.
#[derive(Debug)]
pub(crate) struct Segment {
    pub file: SegmentFile,
    /// Bytes of records that are worth something.
    pub live_bytes: u64,
    /// The groups that have records here, dead or alive.
    pub groups: BTreeSet<GroupId>,
}

impl Segment {
    pub(crate) fn new(file: SegmentFile) -> Self {
        Self {
            file,
            live_bytes: 0,
            groups: BTreeSet::new(),
        }
    }
}

/// A file that is being filled with zeros.
#[derive(Debug)]
pub(crate) struct Building {
    pub file: SegmentFile,
    pub filled: u32,
}

/// All files of a folder.
#[derive(Debug, Default)]
pub(crate) struct Segments {
    /// The log, by sequence. The last one is written to.
    pub live: BTreeMap<u64, Segment>,
    /// Empty segments that follow the active one, their headers durable.
    pub ready: VecDeque<SegmentFile>,
    /// Files whose contents are worth nothing.
    pub spare: Vec<SegmentFile>,
    /// Files that nobody can make sense of, kept for people to look at.
    pub strange: Vec<SegmentFile>,
    pub building: Option<Building>,
    /// Sum of the live bytes of all segments.
    pub live_bytes: u64,
    /// Number for the name of the next new file.
    pub next_name: u64,
}

impl Segments {
    /// Sequence of the segment that is written to.
    pub(crate) fn active(&self) -> u64 {
        self.live.last_key_value().map_or(0, |(key, _)| *key)
    }

    /// Sequence of the segment that is emptied next.
    pub(crate) fn oldest(&self) -> u64 {
        self.live.first_key_value().map_or(0, |(key, _)| *key)
    }

    /// The sequence that the next ready segment gets.
    pub(crate) fn next_sequence(&self) -> u64 {
        self.active() + 1 + self.ready.len() as u64
    }

    /// File and size of the segment `ahead` of the active one.
    pub(crate) fn ahead(&self, ahead: usize) -> Option<&SegmentFile> {
        match ahead.checked_sub(1) {
            None => self.live.last_key_value().map(|(_, segment)| &segment.file),
            Some(ready) => self.ready.get(ready),
        }
    }

    /// Makes the first ready segment the active one.
    pub(crate) fn roll(&mut self) {
        let sequence = self.active() + 1;
        if let Some(file) = self.ready.pop_front() {
            self.live.insert(sequence, Segment::new(file));
        }
    }

    /// The record at `place` came to life.
    pub(crate) fn revive(&mut self, place: Place) {
        if let Some(segment) = self.live.get_mut(&place.sequence) {
            segment.live_bytes += place.bytes();
            self.live_bytes += place.bytes();
        }
    }

    /// The record at `place` is worth nothing any more.
    pub(crate) fn kill(&mut self, place: Place) {
        if let Some(segment) = self.live.get_mut(&place.sequence) {
            segment.live_bytes -= place.bytes();
            self.live_bytes -= place.bytes();
        }
    }

    /// Bytes of the segments that hold the log.
    pub(crate) fn log_bytes(&self) -> u64 {
        let sizes = self.live.values().map(|segment| segment.file.size);
        sizes.map(u64::from).sum()
    }

    /// Bytes of all files.
    pub(crate) fn bytes(&self) -> u64 {
        let others = self.ready.iter().chain(&self.spare).chain(&self.strange);
        let building = self.building.iter().map(|building| building.filled);
        let sizes = others.map(|file| file.size).chain(building);
        self.log_bytes() + sizes.map(u64::from).sum::<u64>()
    }
}

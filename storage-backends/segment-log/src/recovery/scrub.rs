//! Making what was found durable, and what was cut off impossible to find again.

use repertoire_core::Error;

use super::files::Found;
use super::scan::Scanned;
use crate::format::SEGMENT_HEADER_BYTES;
use crate::segments::SegmentFile;
use crate::{Disk, LogPosition, SegmentLog};

impl<D: Disk> SegmentLog<D> {
    /// Overwrites with zeros every record behind `end`, then syncs all segments: after a mere
    /// restart the records may still be in the operating system's cache alone.
    pub(super) fn scrub(
        &mut self,
        found: &Found,
        scanned: &[Scanned],
        end: LogPosition,
    ) -> Result<(), Error> {
        for segment in scanned {
            let from = match segment.sequence.cmp(&end.sequence) {
                std::cmp::Ordering::Less => continue,
                std::cmp::Ordering::Equal => end.offset,
                std::cmp::Ordering::Greater => SEGMENT_HEADER_BYTES,
            };
            let stale = segment.end().saturating_sub(from);
            if let Some(file) = found.segments.get(&segment.sequence)
                && stale > 0
            {
                self.counters.bytes_cut += u64::from(stale);
                self.zero(file, from, stale)?;
            }
        }
        for file in found.segments.values() {
            let synced = self.disk.sync_data(file.file);
            synced.map_err(|error| self.failed_for_good("syncing a segment", &error))?;
        }
        let synced = self.disk.sync_dir();
        synced.map_err(|error| self.failed_for_good("syncing the log folder", &error))
    }

    /// Makes sure that a file is not taken for a segment again.
    pub(super) fn blank_header(&mut self, file: &SegmentFile) -> Result<(), Error> {
        self.zero(file, 0, SEGMENT_HEADER_BYTES)?;
        let synced = self.disk.sync_data(file.file);
        synced.map_err(|error| self.failed_for_good("syncing a segment", &error))
    }

    fn zero(&mut self, file: &SegmentFile, from: u32, len: u32) -> Result<(), Error> {
        let zeros = vec![0; len as usize];
        let written = self.disk.write_at(file.file, from.into(), &zeros);
        written.map_err(|error| self.failed_for_good("cutting off a torn tail", &error))
    }
}

#![doc = include_str!("../README.md")]

mod append;
mod disk;
mod format;
mod index;
mod log;
mod options;
mod plan;
mod prepare;
mod read;
mod reclaim;
mod recovery;
mod report;
mod segments;

pub use disk::{
    Disk, DiskError, DiskErrorKind, FileId, MemoryDisk, OsDisk, PAGE_BYTES, PowerLoss,
    SECTOR_BYTES, SECTORS_PER_PAGE, Unsynced,
};
pub use format::{FORMAT_VERSION, RECORD_ALIGNMENT, RECORD_HEAD_BYTES, SEGMENT_HEADER_BYTES};
pub use log::SegmentLog;
pub use options::Options;
pub use recovery::OpenFailure;
pub use report::{Counters, Damage, LogPosition};

//! The boundary to the outside: what the log asks of a disk, and nothing else.
//!
//! The log never touches a file but through [`Disk`], so the simulator runs exactly the code that
//! runs in production; only the disk differs.

mod memory;
mod os;
mod power;

use std::fmt;

pub use memory::MemoryDisk;
pub use os::OsDisk;
pub use power::{PowerLoss, SECTOR_BYTES, SECTORS_PER_PAGE, Unsynced};

/// Granularity, in bytes, in which caches hold file contents: the unit that a power loss drops.
pub const PAGE_BYTES: usize = 4096;

/// An open file of a [`Disk`]. Stays valid across [`Disk::rename`]; ends with [`Disk::remove`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FileId(pub u32);

/// What kind of failure a [`Disk`] reports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiskErrorKind {
    /// No space is left; the operation may succeed later.
    Full,
    /// There is no file of that name.
    NotFound,
    /// There is already a file of that name.
    Exists,
    /// Anything else: the disk cannot be trusted any more.
    Failed,
}

/// A failure of a [`Disk`] operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskError {
    /// The kind, which decides what the log does.
    pub kind: DiskErrorKind,
    /// For people.
    pub detail: String,
}

impl DiskError {
    /// A failure of some kind.
    pub fn new(kind: DiskErrorKind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for DiskError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {}", self.kind, self.detail)
    }
}

impl std::error::Error for DiskError {}

impl From<std::io::Error> for DiskError {
    fn from(error: std::io::Error) -> Self {
        use std::io::ErrorKind;
        let is = |kind| error.kind() == kind;
        let kind = if is(ErrorKind::StorageFull) || is(ErrorKind::QuotaExceeded) {
            DiskErrorKind::Full
        } else if is(ErrorKind::NotFound) {
            DiskErrorKind::NotFound
        } else if is(ErrorKind::AlreadyExists) {
            DiskErrorKind::Exists
        } else {
            DiskErrorKind::Failed
        };
        Self::new(kind, error.to_string())
    }
}

/// One flat folder of files.
///
/// # Contract
/// * Nothing is on stable storage before a sync says so: file contents and lengths before
///   [`sync_data`](Disk::sync_data), names (created, renamed, removed) before
///   [`sync_dir`](Disk::sync_dir). Until then a power loss may keep any subset of the pages and of
///   the names.
/// * Reads see every earlier write, synced or not.
/// * [`DiskErrorKind::Full`] leaves earlier contents as they were.
pub trait Disk: Send {
    /// Names of all files, sorted.
    ///
    /// # Errors
    /// When the folder cannot be read.
    fn list(&mut self) -> Result<Vec<String>, DiskError>;

    /// Creates an empty file.
    ///
    /// # Errors
    /// `Exists` when the name is taken; `Full`; `Failed`.
    fn create(&mut self, name: &str) -> Result<FileId, DiskError>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// `NotFound`; `Failed`.
    fn open(&mut self, name: &str) -> Result<FileId, DiskError>;

    /// Gives a file another name, replacing what had that name.
    ///
    /// # Errors
    /// `NotFound`; `Failed`.
    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError>;

    /// Removes a file and closes it.
    ///
    /// # Errors
    /// `NotFound`; `Failed`.
    fn remove(&mut self, name: &str, file: FileId) -> Result<(), DiskError>;

    /// Length of a file in bytes.
    ///
    /// # Errors
    /// `Failed`.
    fn len(&mut self, file: FileId) -> Result<u64, DiskError>;

    /// Writes zeros to `[from, from + len)`, growing the file as needed. The zeros are really
    /// written, not left to a later sync: writing to the range afterwards needs no new space and no
    /// change of metadata, and the first sync has little to do.
    ///
    /// # Errors
    /// `Full`; `Failed`.
    fn allocate(&mut self, file: FileId, from: u64, len: u64) -> Result<(), DiskError>;

    /// Writes all of `bytes` at `offset`.
    ///
    /// # Errors
    /// `Full`; `Failed`. An unknown part may have been written.
    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Like [`write_at`](Disk::write_at), for bytes that are synced next: a disk may write them
    /// without detours. Best when they end with a page.
    ///
    /// # Errors
    /// As for [`write_at`](Disk::write_at).
    fn write_through(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.write_at(file, offset, bytes)
    }

    /// Fills `into` from `offset`.
    ///
    /// # Errors
    /// `Failed`, also when the file ends first.
    fn read_at(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> Result<(), DiskError>;

    /// Brings contents and length of a file onto stable storage.
    ///
    /// # Errors
    /// `Failed`: what was not synced before may be lost, and a second call may lie.
    fn sync_data(&mut self, file: FileId) -> Result<(), DiskError>;

    /// Brings the names of all files onto stable storage.
    ///
    /// # Errors
    /// `Failed`, as for [`sync_data`](Disk::sync_data).
    fn sync_dir(&mut self) -> Result<(), DiskError>;
}

//! Real files in a real folder.

mod file;

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Disk, DiskError, DiskErrorKind, FileId};
use file::OsFile;

/// Memory to work in that a giant write blew up shrinks to this many bytes.
const SCRATCH_KEPT_BYTES: usize = 8 * 1024 * 1024;

/// A folder of the operating system, with positioned I/O and `fdatasync`.
#[derive(Debug)]
pub struct OsDisk {
    folder: PathBuf,
    /// Kept open for `fsync` of the names.
    handle: File,
    files: BTreeMap<FileId, OsFile>,
    next: u32,
    scratch: Vec<u8>,
}

impl OsDisk {
    /// Opens `folder`, creating it (not its parents) when it does not exist.
    ///
    /// # Errors
    /// When the folder cannot be created or opened.
    pub fn open(folder: impl AsRef<Path>) -> Result<Self, DiskError> {
        let folder = folder.as_ref().to_path_buf();
        match std::fs::create_dir(&folder) {
            Ok(()) => sync_parent(&folder)?,
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error.into()),
        }
        let handle = File::open(&folder)?;
        Ok(Self {
            folder,
            handle,
            files: BTreeMap::new(),
            next: 0,
            scratch: Vec::new(),
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, file: FileId) -> Result<&File, DiskError> {
        let file = self.files.get(&file).ok_or_else(|| not_open(file))?;
        Ok(file.buffered())
    }

    fn file_mut(&mut self, file: FileId) -> Result<&mut OsFile, DiskError> {
        self.files.get_mut(&file).ok_or_else(|| not_open(file))
    }

    fn keep(&mut self, file: OsFile) -> FileId {
        let id = FileId(self.next);
        self.next += 1;
        self.files.insert(id, file);
        id
    }
}

fn not_open(file: FileId) -> DiskError {
    DiskError::new(DiskErrorKind::Failed, format!("no open file {}", file.0))
}

/// A new folder's name is durable only when the folder above it is synced.
fn sync_parent(folder: &Path) -> Result<(), DiskError> {
    let parent = match folder.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    Ok(File::open(parent)?.sync_all()?)
}

impl Disk for OsDisk {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(&self.folder)? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        names.sort();
        Ok(names)
    }

    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        let file = OsFile::open(&self.folder.join(name), true)?;
        Ok(self.keep(file))
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        let file = OsFile::open(&self.folder.join(name), false)?;
        Ok(self.keep(file))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        Ok(std::fs::rename(
            self.folder.join(from),
            self.folder.join(to),
        )?)
    }

    fn remove(&mut self, name: &str, file: FileId) -> Result<(), DiskError> {
        self.files.remove(&file);
        Ok(std::fs::remove_file(self.folder.join(name))?)
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.file(file)?.metadata()?.len())
    }

    fn allocate(&mut self, file: FileId, from: u64, len: u64) -> Result<(), DiskError> {
        Ok(self.file_mut(file)?.fill(from, len)?)
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        Ok(self.file_mut(file)?.write(offset, bytes)?)
    }

    fn write_through(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let mut scratch = std::mem::take(&mut self.scratch);
        let written = self
            .file_mut(file)
            .and_then(|file| Ok(file.write_through(offset, bytes, &mut scratch)?));
        if scratch.len() > SCRATCH_KEPT_BYTES {
            scratch = Vec::new();
        }
        self.scratch = scratch;
        written
    }

    fn read_at(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        Ok(self.file(file)?.read_exact_at(into, offset)?)
    }

    fn sync_data(&mut self, file: FileId) -> Result<(), DiskError> {
        Ok(self.file(file)?.sync_data()?)
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        Ok(self.handle.sync_all()?)
    }
}

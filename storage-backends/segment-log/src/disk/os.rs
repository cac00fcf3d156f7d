//! Real files in a real folder.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::{Disk, DiskError, DiskErrorKind, FileId};

/// Zeros are written in pieces of this size: large enough to be fast, small enough for any cache.
static ZEROS: [u8; 256 * 1024] = [0; 256 * 1024];

/// A folder of the operating system, with positioned I/O and `fdatasync`.
#[derive(Debug)]
pub struct OsDisk {
    folder: PathBuf,
    /// Kept open for `fsync` of the names.
    handle: File,
    files: BTreeMap<FileId, File>,
    next: u32,
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
        })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    fn file(&self, file: FileId) -> Result<&File, DiskError> {
        self.files.get(&file).ok_or_else(|| {
            DiskError::new(DiskErrorKind::Failed, format!("no open file {}", file.0))
        })
    }

    fn keep(&mut self, file: File) -> FileId {
        let id = FileId(self.next);
        self.next += 1;
        self.files.insert(id, file);
        id
    }
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
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create_new(true)
            .open(self.folder.join(name))?;
        Ok(self.keep(file))
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(self.folder.join(name))?;
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
        let file = self.file(file)?;
        let mut done = 0;
        while done < len {
            let piece = usize::try_from(len - done)
                .unwrap_or(ZEROS.len())
                .min(ZEROS.len());
            file.write_all_at(ZEROS.get(..piece).unwrap_or(&ZEROS), from + done)?;
            done += piece as u64;
        }
        Ok(())
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        Ok(self.file(file)?.write_all_at(bytes, offset)?)
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

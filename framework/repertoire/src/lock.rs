//! One process per data folder.

use std::fs::{File, OpenOptions};
use std::io::ErrorKind as Io;
use std::path::Path;

use repertoire_core::{Error, ErrorKind};

/// Takes the folder's lock; it is held until the file is dropped, also by a crash.
///
/// # Errors
/// `FolderInUse` when another process holds it, `ConfigInvalid` when this user cannot write to it,
/// `StorageFailed` when the disk fails.
pub(crate) fn lock_folder(data: &Path) -> Result<File, Error> {
    let path = data.join("lock");
    let error = |kind, detail: &dyn std::fmt::Display| {
        Error::new(kind, "lock a data folder")
            .with("file", path.display())
            .with("detail", detail)
    };
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(|e| {
            let is_choice = matches!(e.kind(), Io::PermissionDenied | Io::ReadOnlyFilesystem);
            let kind = if is_choice {
                ErrorKind::ConfigInvalid
            } else {
                ErrorKind::StorageFailed
            };
            error(kind, &e)
        })?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(error(
            ErrorKind::FolderInUse,
            &"another process uses this folder",
        )),
        Err(std::fs::TryLockError::Error(e)) => Err(error(ErrorKind::StorageFailed, &e)),
    }
}

//! The folder of a node's snapshots.
//!
//! Names: `<keyspace>-<shard>-<lsn>-<epoch>.snap` is finished, `.tmp` is being made here, `.part`
//! with its `.head` is being received. The newest finished file of a group is its durable state;
//! leftovers are swept when the folder is opened. Every rename is made durable by syncing the
//! folder.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use repertoire_core::{EntryId, Error, GroupId, SnapshotHeader};

use super::file::{SnapshotFile, SnapshotWriter, failed, good_chunks};

/// Finished snapshots kept per group: the one being sent must outlive the making of the next.
const KEPT: usize = 2;

/// The folder of a node's snapshots.
#[derive(Debug)]
pub(crate) struct SnapshotStore {
    folder: PathBuf,
    finished: BTreeMap<GroupId, Vec<Arc<SnapshotFile>>>,
}

impl SnapshotStore {
    /// Opens (and makes, if need be) the folder. Damaged files are set aside, not deleted.
    ///
    /// # Errors
    /// `StorageFailed` when the folder cannot be read or made.
    pub(crate) fn open(folder: &Path) -> Result<Self, Error> {
        fs::create_dir_all(folder).map_err(|e| failed("open", folder, &e))?;
        let mut store = Self {
            folder: folder.to_owned(),
            finished: BTreeMap::new(),
        };
        let entries = fs::read_dir(folder).map_err(|e| failed("list", folder, &e))?;
        for entry in entries.flatten() {
            let path = entry.path();
            match path.extension().and_then(|e| e.to_str()) {
                Some("snap") => store.adopt(&path),
                Some("tmp") => remove(&path),
                _ => {}
            }
        }
        for files in store.finished.values_mut() {
            files.sort_by_key(|file| file.header().position.lsn);
        }
        Ok(store)
    }

    /// The newest finished snapshot of a group.
    pub(crate) fn newest(&self, group: GroupId) -> Option<Arc<SnapshotFile>> {
        self.finished.get(&group)?.last().cloned()
    }

    /// Begins to make a snapshot.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn create(
        &self,
        group: GroupId,
        position: EntryId,
    ) -> Result<SnapshotWriter, Error> {
        SnapshotWriter::create(&self.path(group, position, "tmp"))
    }

    /// Ends the making of a snapshot: it is durable when this returns.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn finish(
        &mut self,
        writer: SnapshotWriter,
        header: &SnapshotHeader,
    ) -> Result<Arc<SnapshotFile>, Error> {
        let path = writer.finish(header)?;
        let name = self.path(header.group, header.position, "snap");
        fs::rename(&path, &name).map_err(|e| failed("rename", &path, &e))?;
        self.sync_folder()?;
        let file = Arc::new(SnapshotFile::open(&name)?);
        let files = self.finished.entry(header.group).or_default();
        files.retain(|known| known.header().position != header.position);
        files.push(Arc::clone(&file));
        files.sort_by_key(|file| file.header().position.lsn);
        self.sweep(header.group);
        Ok(file)
    }

    /// Begins, or goes on, to receive a snapshot. Returns how many chunks are there already.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn receive(&self, header: &SnapshotHeader) -> Result<(SnapshotWriter, u32), Error> {
        let part = self.path(header.group, header.position, "part");
        let head = self.path(header.group, header.position, "head");
        let bytes = postcard::to_stdvec(header).unwrap_or_default();
        if fs::read(&head).is_ok_and(|known| known == bytes) {
            let have = good_chunks(&part, header);
            if have > 0 {
                return Ok((SnapshotWriter::resume(&part, have)?, have));
            }
        }
        self.drop_partial(header.group);
        fs::write(&head, bytes).map_err(|e| failed("write", &head, &e))?;
        Ok((SnapshotWriter::create(&part)?, 0))
    }

    /// Ends the receiving of a snapshot: it is durable when this returns.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn received(
        &mut self,
        writer: SnapshotWriter,
        header: &SnapshotHeader,
    ) -> Result<Arc<SnapshotFile>, Error> {
        let file = self.finish(writer, header)?;
        remove(&self.path(header.group, header.position, "head"));
        Ok(file)
    }

    fn drop_partial(&self, group: GroupId) {
        let prefix = format!("{}-{}-", group.keyspace.0, group.shard.0);
        let Ok(entries) = fs::read_dir(&self.folder) else {
            return;
        };
        for entry in entries.flatten() {
            let path = entry.path();
            let partial = matches!(
                path.extension().and_then(|e| e.to_str()),
                Some("part" | "head")
            );
            if partial && entry.file_name().to_string_lossy().starts_with(&prefix) {
                remove(&path);
            }
        }
    }

    fn adopt(&mut self, path: &Path) {
        match SnapshotFile::open(path) {
            Ok(file) => {
                let group = file.header().group;
                self.finished.entry(group).or_default().push(Arc::new(file));
            }
            Err(error) => {
                tracing::error!(%error, "A damaged snapshot was set aside");
                let aside = path.with_extension("damaged");
                if let Err(error) = fs::rename(path, &aside) {
                    tracing::warn!(%error, "It could not be renamed");
                }
            }
        }
    }

    /// Removes finished snapshots beyond the newest few.
    fn sweep(&mut self, group: GroupId) {
        let Some(files) = self.finished.get_mut(&group) else {
            return;
        };
        while files.len() > KEPT {
            let old = files.remove(0);
            let position = old.header().position;
            let (keyspace, shard) = (group.keyspace.0, group.shard.0);
            let (lsn, epoch) = (position.lsn.0, position.epoch.0);
            remove(
                &self
                    .folder
                    .join(format!("{keyspace}-{shard}-{lsn}-{epoch}.snap")),
            );
        }
    }

    fn path(&self, group: GroupId, position: EntryId, extension: &str) -> PathBuf {
        let (keyspace, shard) = (group.keyspace.0, group.shard.0);
        let (lsn, epoch) = (position.lsn.0, position.epoch.0);
        self.folder
            .join(format!("{keyspace}-{shard}-{lsn}-{epoch}.{extension}"))
    }

    fn sync_folder(&self) -> Result<(), Error> {
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(|e| failed("sync", &self.folder, &e))
    }
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_file(path)
        && error.kind() != std::io::ErrorKind::NotFound
    {
        tracing::warn!(file = %path.display(), %error, "A leftover could not be removed");
    }
}

//! A disk in memory, which knows what was synced: for the simulator and for tests.

mod file;

use std::collections::BTreeMap;

use file::MemoryFile;

use super::{Disk, DiskError, DiskErrorKind, FileId, PowerLoss, Unsynced};

/// A folder in memory. Contents are pages behind reference counts, so that a clone (a snapshot) is
/// cheap and a write copies at most the pages it touches.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    names: BTreeMap<String, FileId>,
    durable_names: BTreeMap<String, FileId>,
    files: BTreeMap<FileId, MemoryFile>,
    next: u32,
    capacity: Option<u64>,
}

impl MemoryDisk {
    /// An empty folder without a limit.
    pub fn new() -> Self {
        Self::default()
    }

    /// Limits the bytes of all files together; `None` lifts the limit. Growing beyond it is
    /// [`DiskErrorKind::Full`].
    pub fn set_capacity(&mut self, bytes: Option<u64>) {
        self.capacity = bytes;
    }

    /// Bytes of all files together.
    pub fn used(&self) -> u64 {
        self.names
            .values()
            .filter_map(|id| self.files.get(id))
            .map(MemoryFile::len)
            .sum()
    }

    /// Names of all files, sorted.
    pub fn names(&self) -> Vec<String> {
        self.names.keys().cloned().collect()
    }

    /// Whether the contents of all files are on stable storage. Says nothing of names.
    pub fn is_synced(&self) -> bool {
        let mut files = self.names.values().filter_map(|id| self.files.get(id));
        files.all(MemoryFile::is_synced)
    }

    /// A byte of a file, as a read would see it. `None` beyond its end.
    pub fn byte(&self, name: &str, offset: u64) -> Option<u8> {
        let file = self.files.get(self.names.get(name)?)?;
        let mut byte = [0];
        file.read(offset, &mut byte).then_some(byte[0])
    }

    /// Flips one bit of a file, on stable storage and in the cache. `false` when the file does not
    /// reach so far.
    pub fn flip_bit(&mut self, name: &str, offset: u64, bit: u8) -> bool {
        let file = self.names.get(name).and_then(|id| self.files.get_mut(id));
        file.is_some_and(|file| file.flip_bit(offset, bit))
    }

    /// What would be left if the power failed now and nothing unsynced survived.
    pub fn durable(&self) -> Self {
        let mut disk = self.clone();
        disk.lose_power(&mut |_| 0);
        disk
    }

    fn file(&mut self, id: FileId) -> Result<&mut MemoryFile, DiskError> {
        self.files
            .get_mut(&id)
            .ok_or_else(|| DiskError::new(DiskErrorKind::Failed, format!("no open file {}", id.0)))
    }

    fn check_growth(&mut self, id: FileId, end: u64) -> Result<(), DiskError> {
        let grown = end.saturating_sub(self.file(id)?.len());
        match self.capacity {
            Some(capacity) if grown > 0 && self.used() + grown > capacity => Err(DiskError::new(
                DiskErrorKind::Full,
                format!("{grown} bytes do not fit in {capacity}"),
            )),
            _ => Ok(()),
        }
    }

    /// Drops files that no name, current or durable, refers to.
    fn collect(&mut self) {
        let (names, durable) = (&self.names, &self.durable_names);
        self.files.retain(|id, _| {
            names.values().any(|named| named == id) || durable.values().any(|named| named == id)
        });
    }

    fn changed_names(&self) -> Vec<String> {
        let mut changed: Vec<String> = self
            .names
            .iter()
            .filter(|(name, id)| self.durable_names.get(*name) != Some(id))
            .map(|(name, _)| name.clone())
            .chain(
                self.durable_names
                    .keys()
                    .filter(|name| !self.names.contains_key(*name))
                    .cloned(),
            )
            .collect();
        changed.sort();
        changed
    }
}

impl Disk for MemoryDisk {
    fn list(&mut self) -> Result<Vec<String>, DiskError> {
        Ok(self.names.keys().cloned().collect())
    }

    fn create(&mut self, name: &str) -> Result<FileId, DiskError> {
        if self.names.contains_key(name) {
            return Err(DiskError::new(DiskErrorKind::Exists, name));
        }
        let id = FileId(self.next);
        self.next += 1;
        self.names.insert(name.to_owned(), id);
        self.files.insert(id, MemoryFile::default());
        Ok(id)
    }

    fn open(&mut self, name: &str) -> Result<FileId, DiskError> {
        let id = self.names.get(name).copied();
        id.ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, name))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), DiskError> {
        let id = self
            .names
            .remove(from)
            .ok_or_else(|| DiskError::new(DiskErrorKind::NotFound, from))?;
        self.names.insert(to.to_owned(), id);
        self.collect();
        Ok(())
    }

    fn remove(&mut self, name: &str, _file: FileId) -> Result<(), DiskError> {
        if self.names.remove(name).is_none() {
            return Err(DiskError::new(DiskErrorKind::NotFound, name));
        }
        self.collect();
        Ok(())
    }

    fn len(&mut self, file: FileId) -> Result<u64, DiskError> {
        Ok(self.file(file)?.len())
    }

    fn allocate(&mut self, file: FileId, from: u64, len: u64) -> Result<(), DiskError> {
        self.check_growth(file, from + len)?;
        self.file(file)?.zero(from, len);
        Ok(())
    }

    fn write_at(&mut self, file: FileId, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        self.check_growth(file, offset + bytes.len() as u64)?;
        self.file(file)?.write(offset, bytes);
        Ok(())
    }

    fn read_at(&mut self, file: FileId, offset: u64, into: &mut [u8]) -> Result<(), DiskError> {
        if self.file(file)?.read(offset, into) {
            Ok(())
        } else {
            Err(DiskError::new(DiskErrorKind::Failed, "the file ends first"))
        }
    }

    fn sync_data(&mut self, file: FileId) -> Result<(), DiskError> {
        self.file(file)?.sync();
        Ok(())
    }

    fn sync_dir(&mut self) -> Result<(), DiskError> {
        if self.durable_names != self.names {
            self.durable_names.clone_from(&self.names);
            self.collect();
        }
        Ok(())
    }
}

impl PowerLoss for MemoryDisk {
    fn unsynced(&self) -> Vec<Unsynced> {
        let names = self.changed_names().into_iter().map(Unsynced::Name);
        let pages = self.files.iter().flat_map(|(id, file)| file.unsynced(*id));
        names.chain(pages).collect()
    }

    fn lose_power(&mut self, survives: &mut dyn FnMut(&Unsynced) -> u8) {
        for name in self.changed_names() {
            if survives(&Unsynced::Name(name.clone())) == 0 {
                continue;
            }
            match self.names.get(&name) {
                Some(id) => self.durable_names.insert(name, *id),
                None => self.durable_names.remove(&name),
            };
        }
        self.names.clone_from(&self.durable_names);
        for (id, file) in &mut self.files {
            file.lose_power(*id, survives);
        }
        self.collect();
    }
}

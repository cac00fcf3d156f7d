//! One snapshot in one file.
//!
//! ```text
//! magic "RPTSNAP1" | (len u32 | crc32c u32 | rows) * chunks | header (postcard) | header len u32 |
//! header crc32c u32 | magic "RPTSNAPE"
//! ```
//!
//! The header comes last, for the chunks are known only then; a file without it is unfinished. A
//! *received* file is written with the header known beforehand, kept beside it in memory and in the
//! `.head` file, so that a broken transfer resumes.

use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use repertoire_core::limits::SNAPSHOT_CHUNK_MAX;
use repertoire_core::{Error, ErrorKind, SnapshotHeader};

const MAGIC: &[u8; 8] = b"RPTSNAP1";
const END: &[u8; 8] = b"RPTSNAPE";
const TRAILER_LEN: u64 = 16;
/// Longest header accepted, in bytes: 160 Ki chunk checksums and room.
const HEADER_MAX: u64 = 1 << 20;

/// Written to stable storage piece by piece: one sync of a large file would hold up the log's.
const SYNC_EVERY: usize = 8 * 1024 * 1024;

/// Writes a snapshot under a temporary name.
#[derive(Debug)]
pub(crate) struct SnapshotWriter {
    path: PathBuf,
    out: BufWriter<File>,
    unsynced: usize,
}

impl SnapshotWriter {
    /// Begins a new file, replacing a leftover of that name.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let file = File::create(path).map_err(|e| failed("create", path, &e))?;
        let mut out = BufWriter::with_capacity(SNAPSHOT_CHUNK_MAX, file);
        out.write_all(MAGIC)
            .map_err(|e| failed("write", path, &e))?;
        Ok(Self {
            path: path.to_owned(),
            out,
            unsynced: 0,
        })
    }

    /// Goes on with an unfinished file that holds `chunks` good chunks.
    ///
    /// # Errors
    /// `StorageFailed`.
    pub(crate) fn resume(path: &Path, chunks: u32) -> Result<Self, Error> {
        let fail = |e: &std::io::Error| failed("resume", path, e);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .open(path)
            .map_err(|e| fail(&e))?;
        let end = chunk_offset(&file, path, chunks)?;
        file.set_len(end).map_err(|e| fail(&e))?;
        let mut out = BufWriter::with_capacity(SNAPSHOT_CHUNK_MAX, file);
        out.seek(SeekFrom::End(0)).map_err(|e| fail(&e))?;
        Ok(Self {
            path: path.to_owned(),
            out,
            unsynced: 0,
        })
    }

    /// Adds a chunk.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn chunk(&mut self, rows: &[u8]) -> Result<(), Error> {
        let len = u32::try_from(rows.len()).unwrap_or(u32::MAX).to_le_bytes();
        let crc = crc32c::crc32c(rows).to_le_bytes();
        let written = self
            .out
            .write_all(&len)
            .and_then(|()| self.out.write_all(&crc))
            .and_then(|()| self.out.write_all(rows))
            .and_then(|()| self.sync_some(rows.len()));
        written.map_err(|e| failed("write", &self.path, &e))
    }

    fn sync_some(&mut self, written: usize) -> std::io::Result<()> {
        self.unsynced += written;
        if self.unsynced < SYNC_EVERY {
            return Ok(());
        }
        self.unsynced = 0;
        self.out.flush()?;
        self.out.get_ref().sync_data()
    }

    /// Hands buffered chunks to the operating system.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn flush(&mut self) -> Result<(), Error> {
        self.out
            .flush()
            .map_err(|e| failed("write", &self.path, &e))
    }

    /// Adds the header and brings the file onto stable storage.
    ///
    /// # Errors
    /// `StorageFull` or `StorageFailed`.
    pub(crate) fn finish(mut self, header: &SnapshotHeader) -> Result<PathBuf, Error> {
        let head = postcard::to_stdvec(header).unwrap_or_default();
        let mut trailer = Vec::with_capacity(head.len() + 16);
        trailer.extend_from_slice(&head);
        trailer.extend_from_slice(&u32::try_from(head.len()).unwrap_or(u32::MAX).to_le_bytes());
        trailer.extend_from_slice(&crc32c::crc32c(&head).to_le_bytes());
        trailer.extend_from_slice(END);
        self.out
            .write_all(&trailer)
            .and_then(|()| self.out.flush())
            .and_then(|()| self.out.get_ref().sync_all())
            .map_err(|e| failed("sync", &self.path, &e))?;
        Ok(self.path)
    }
}

/// A finished snapshot, open for reading.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    file: File,
    path: PathBuf,
    header: SnapshotHeader,
    /// Where each chunk begins.
    offsets: Vec<u64>,
}

impl SnapshotFile {
    /// Opens a finished file and checks its header. Chunks are checked when they are read.
    ///
    /// # Errors
    /// `Corrupted` when it is unfinished or damaged.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let file = File::open(path).map_err(|e| failed("open", path, &e))?;
        let header = read_header(&file, path)?;
        let mut offsets = Vec::with_capacity(header.chunks.len());
        let mut at = MAGIC.len() as u64;
        for _ in 0..header.chunks.len() {
            offsets.push(at);
            at += 8 + u64::from(chunk_len(&file, path, at)?);
        }
        Ok(Self {
            file,
            path: path.to_owned(),
            header,
            offsets,
        })
    }

    /// What it is of.
    pub(crate) const fn header(&self) -> &SnapshotHeader {
        &self.header
    }

    /// One chunk, checked.
    ///
    /// # Errors
    /// `Corrupted` when it does not match its checksum.
    pub(crate) fn chunk(&self, index: u32) -> Result<Bytes, Error> {
        let missing = || corrupted(&self.path, "no such chunk");
        let at = *self.offsets.get(index as usize).ok_or_else(missing)?;
        let rows = read_chunk(&self.file, &self.path, at)?;
        if self.header.chunks.get(index as usize) != Some(&crc32c::crc32c(&rows)) {
            return Err(corrupted(&self.path, "a chunk does not match its checksum"));
        }
        Ok(rows.into())
    }
}

/// Counts the good chunks at the front of an unfinished file, against the header that is expected.
pub(super) fn good_chunks(path: &Path, header: &SnapshotHeader) -> u32 {
    let Ok(file) = File::open(path) else { return 0 };
    let mut at = MAGIC.len() as u64;
    let mut good = 0;
    for expected in &header.chunks {
        match read_chunk(&file, path, at) {
            Ok(rows) if crc32c::crc32c(&rows) == *expected => {
                good += 1;
                at += 8 + rows.len() as u64;
            }
            _ => break,
        }
    }
    good
}

fn chunk_offset(file: &File, path: &Path, chunks: u32) -> Result<u64, Error> {
    let mut at = MAGIC.len() as u64;
    for _ in 0..chunks {
        at += 8 + u64::from(chunk_len(file, path, at)?);
    }
    Ok(at)
}

fn chunk_len(file: &File, path: &Path, at: u64) -> Result<u32, Error> {
    let mut len = [0; 4];
    file.read_exact_at(&mut len, at)
        .map_err(|e| failed("read", path, &e))?;
    let len = u32::from_le_bytes(len);
    if len as usize > SNAPSHOT_CHUNK_MAX {
        return Err(corrupted(path, "a chunk is too long"));
    }
    Ok(len)
}

fn read_chunk(file: &File, path: &Path, at: u64) -> Result<Vec<u8>, Error> {
    let len = chunk_len(file, path, at)?;
    let mut rows = vec![0; len as usize];
    file.read_exact_at(&mut rows, at + 8)
        .map_err(|e| failed("read", path, &e))?;
    Ok(rows)
}

fn read_header(mut file: &File, path: &Path) -> Result<SnapshotHeader, Error> {
    let fail = |e: &std::io::Error| failed("read", path, e);
    let len = file.metadata().map_err(|e| fail(&e))?.len();
    if len < MAGIC.len() as u64 + TRAILER_LEN {
        return Err(corrupted(path, "the file is unfinished"));
    }
    let mut trailer = [0; 16];
    file.read_exact_at(&mut trailer, len - TRAILER_LEN)
        .map_err(|e| fail(&e))?;
    let (sizes, end) = trailer.split_at(8);
    let (head_len, crc) = sizes.split_at(4);
    let number = |bytes: &[u8]| bytes.try_into().map_or(0, u32::from_le_bytes);
    let head_len = u64::from(number(head_len));
    if end != END || head_len > HEADER_MAX || head_len + TRAILER_LEN > len {
        return Err(corrupted(path, "the file is unfinished"));
    }
    let mut head = vec![0; usize::try_from(head_len).unwrap_or(0)];
    file.seek(SeekFrom::Start(len - TRAILER_LEN - head_len))
        .map_err(|e| fail(&e))?;
    file.read_exact(&mut head).map_err(|e| fail(&e))?;
    if crc32c::crc32c(&head) != number(crc) {
        return Err(corrupted(path, "the header does not match its checksum"));
    }
    postcard::from_bytes(&head).map_err(|_| corrupted(path, "the header does not parse"))
}

fn corrupted(path: &Path, detail: &str) -> Error {
    Error::new(ErrorKind::Corrupted, "read a snapshot")
        .with("file", path.display())
        .with("detail", detail)
}

pub(super) fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    let full = error.kind() == std::io::ErrorKind::StorageFull;
    let kind = if full {
        ErrorKind::StorageFull
    } else {
        ErrorKind::StorageFailed
    };
    Error::new(kind, format!("{what} a snapshot"))
        .with("file", path.display())
        .with("detail", error)
}

//! One open file: buffered, and past the page cache where the file system can.
//!
//! A write that is synced at once gains nothing from the page cache: the copy, the bookkeeping of
//! dirty pages and the walk over them at the sync are pure cost. So whole pages go to the disk
//! directly, and what is written without a sync stays buffered.

use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, Result};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use crate::PAGE_BYTES;

const PAGE: u64 = PAGE_BYTES as u64;

/// Bytes of zeros written at once: large enough to be fast, small enough for any cache.
const ZEROS_BYTES: usize = 256 * 1024;

/// Zeros at an address that the disk can be given directly.
#[repr(align(4096))]
struct Zeros([u8; ZEROS_BYTES]);

static ZEROS: Zeros = Zeros([0; ZEROS_BYTES]);

/// The last page written directly: the next write begins inside it.
#[derive(Debug)]
struct LastPage {
    number: u64,
    bytes: Vec<u8>,
}

#[derive(Debug)]
pub(super) struct OsFile {
    buffered: File,
    /// The same file past the page cache; none where the file system cannot.
    direct: Option<File>,
    last: Option<LastPage>,
}

impl OsFile {
    /// Opens a file that exists, or creates one that must not.
    pub(super) fn open(path: &Path, create: bool) -> Result<Self> {
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let buffered = options.clone().create_new(create).open(path)?;
        let flags = rustix::fs::OFlags::DIRECT.bits().cast_signed();
        let direct = options.custom_flags(flags).open(path).ok();
        Ok(Self {
            buffered,
            direct,
            last: None,
        })
    }

    pub(super) const fn buffered(&self) -> &File {
        &self.buffered
    }

    /// Writes through the page cache.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> Result<()> {
        self.last = None;
        self.buffered.write_all_at(bytes, offset)
    }

    /// Writes past the page cache what ends with a page; all else through it. `scratch` is memory
    /// to work in.
    pub(super) fn write_through(
        &mut self,
        offset: u64,
        bytes: &[u8],
        scratch: &mut Vec<u8>,
    ) -> Result<()> {
        let end = offset + bytes.len() as u64;
        let Some(direct) = self.direct.as_ref().filter(|_| end.is_multiple_of(PAGE)) else {
            return self.write(offset, bytes);
        };
        let page = offset / PAGE;
        let head = (offset % PAGE) as usize;
        let aligned = aligned(scratch, head + bytes.len());
        let (before, rest) = aligned.split_at_mut(head);
        match &self.last {
            _ if head == 0 => {}
            Some(last) if last.number == page => {
                before.copy_from_slice(last.bytes.get(..head).unwrap_or_default());
            }
            _ => self.buffered.read_exact_at(before, page * PAGE)?,
        }
        rest.copy_from_slice(bytes);
        match direct.write_all_at(aligned, page * PAGE) {
            Ok(()) => {
                self.remember(end / PAGE - 1, aligned);
                Ok(())
            }
            Err(error) => self.without_direct(error)?.write(offset, bytes),
        }
    }

    /// Fills a range with zeros on the disk.
    pub(super) fn fill(&mut self, from: u64, len: u64) -> Result<()> {
        let whole = from.is_multiple_of(PAGE) && len.is_multiple_of(PAGE);
        if let Some(direct) = self.direct.as_ref().filter(|_| whole) {
            match zeros(direct, from, len) {
                Ok(()) => return Ok(()),
                Err(error) => self.without_direct(error)?,
            };
        }
        zeros(&self.buffered, from, len)?;
        // Else the sync at the end would hold up bursts for as long as the whole range takes.
        self.buffered.sync_data()
    }

    /// Goes on without direct writes, if it was they that the disk refused.
    fn without_direct(&mut self, error: Error) -> Result<&mut Self> {
        if error.kind() != ErrorKind::InvalidInput {
            return Err(error);
        }
        self.direct = None;
        Ok(self)
    }

    fn remember(&mut self, number: u64, written: &[u8]) {
        let page = written.get(written.len().saturating_sub(PAGE_BYTES)..);
        let last = self.last.get_or_insert_with(|| LastPage {
            number,
            bytes: Vec::with_capacity(PAGE_BYTES),
        });
        last.number = number;
        last.bytes.clear();
        last.bytes.extend_from_slice(page.unwrap_or_default());
    }
}

fn zeros(file: &File, from: u64, len: u64) -> Result<()> {
    let upto = from + len;
    let mut at = from;
    while at < upto {
        let piece = usize::try_from(upto - at).map_or(ZEROS_BYTES, |left| left.min(ZEROS_BYTES));
        file.write_all_at(ZEROS.0.get(..piece).unwrap_or(&ZEROS.0), at)?;
        at += piece as u64;
    }
    Ok(())
}

/// A part of `scratch` that begins with a page of memory.
fn aligned(scratch: &mut Vec<u8>, len: usize) -> &mut [u8] {
    if scratch.len() < len + PAGE_BYTES {
        scratch.resize(len + PAGE_BYTES, 0);
    }
    let skip = scratch.as_ptr().align_offset(PAGE_BYTES);
    scratch.get_mut(skip..skip + len).unwrap_or_default()
}

//! One file of a memory disk: its pages, and which of them are not durable.

use std::sync::Arc;

use super::super::{FileId, PAGE_BYTES, SECTOR_BYTES, SECTORS_PER_PAGE, Unsynced};

type Contents = Arc<[u8; PAGE_BYTES]>;

/// A page, and its durable version while that differs.
#[derive(Clone, Debug)]
struct Page {
    now: Contents,
    durable: Option<Contents>,
    /// Sectors written since the last sync, one bit each; zero when the page is clean.
    sectors: u8,
}

#[derive(Clone, Debug, Default)]
pub(super) struct MemoryFile {
    pages: Vec<Page>,
    len: u64,
    durable_len: u64,
    /// Pages with `sectors != 0`, each once, in the order of their first write.
    dirty: Vec<u32>,
    /// Old versions of pages that nothing holds any more: allocating a page costs more than filling it.
    spare: Vec<Contents>,
}

/// Most pages kept for the next writes: those of a burst or two.
const SPARE_MAX: usize = 8;

/// Splits `[offset, offset + len)` at page borders into (page, offset in page, length).
fn pieces(offset: u64, len: usize) -> impl Iterator<Item = (usize, usize, usize)> {
    let mut at = usize::try_from(offset).unwrap_or(usize::MAX);
    let end = at.saturating_add(len);
    std::iter::from_fn(move || {
        (at < end).then(|| {
            let (page, inner) = (at / PAGE_BYTES, at % PAGE_BYTES);
            let piece = (PAGE_BYTES - inner).min(end - at);
            at += piece;
            (page, inner, piece)
        })
    })
}

/// What `page` holds: in `spare`, unless another disk, cloned from this one, holds that as well.
fn duplicate(page: &Contents, spare: Option<Contents>) -> Contents {
    if let Some(mut spare) = spare
        && let Some(copy) = Arc::get_mut(&mut spare)
    {
        copy.copy_from_slice(page.as_slice());
        return spare;
    }
    Arc::clone(page)
}

/// The bits of the sectors that `[inner, inner + len)` of a page touches; `len` is not zero.
fn sector_bits(inner: usize, len: usize) -> u8 {
    let (first, last) = (inner / SECTOR_BYTES, (inner + len - 1) / SECTOR_BYTES);
    (first..=last).fold(0, |bits, sector| bits | 1 << sector)
}

impl MemoryFile {
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// Whether no byte and no length waits for a sync.
    pub(super) fn is_synced(&self) -> bool {
        self.dirty.is_empty() && self.len == self.durable_len
    }

    fn grow(&mut self, len: u64) {
        if len <= self.len {
            return;
        }
        self.len = len;
        let pages = usize::try_from(len.div_ceil(PAGE_BYTES as u64)).unwrap_or(usize::MAX);
        let blank = Page {
            now: Arc::new([0; PAGE_BYTES]),
            durable: None,
            sectors: 0,
        };
        self.pages.resize(pages, blank);
    }

    /// The page, marked as written in these sectors.
    fn touch(&mut self, number: usize, sectors: u8) -> Option<&mut Page> {
        let page = self.pages.get_mut(number)?;
        if page.sectors == 0 {
            let now = duplicate(&page.now, self.spare.pop());
            page.durable = Some(std::mem::replace(&mut page.now, now));
            self.dirty.push(u32::try_from(number).unwrap_or(u32::MAX));
        }
        page.sectors |= sectors;
        Some(page)
    }

    pub(super) fn write(&mut self, offset: u64, mut bytes: &[u8]) {
        self.grow(offset + bytes.len() as u64);
        for (number, inner, len) in pieces(offset, bytes.len()) {
            let (piece, rest) = bytes.split_at_checked(len).unwrap_or((bytes, &[]));
            bytes = rest;
            if let Some(page) = self.touch(number, sector_bits(inner, len)) {
                let into = Arc::make_mut(&mut page.now).get_mut(inner..inner + len);
                if let Some(into) = into {
                    into.copy_from_slice(piece);
                }
            }
        }
    }

    pub(super) fn zero(&mut self, from: u64, len: u64) {
        self.grow(from + len);
        let blank: Contents = Arc::new([0; PAGE_BYTES]);
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        for (number, inner, len) in pieces(from, len) {
            let Some(page) = self.touch(number, sector_bits(inner, len)) else {
                continue;
            };
            if len == PAGE_BYTES {
                page.now = Arc::clone(&blank);
            } else if let Some(into) = Arc::make_mut(&mut page.now).get_mut(inner..inner + len) {
                into.fill(0);
            }
        }
    }

    /// `false` when the file ends before `into` is full.
    pub(super) fn read(&self, offset: u64, mut into: &mut [u8]) -> bool {
        if offset + into.len() as u64 > self.len {
            return false;
        }
        for (number, inner, len) in pieces(offset, into.len()) {
            let Some((piece, rest)) = into.split_at_mut_checked(len) else {
                return false;
            };
            let from = self.pages.get(number).map(|page| page.now.as_slice());
            match from.and_then(|page| page.get(inner..inner + len)) {
                Some(from) => piece.copy_from_slice(from),
                None => return false,
            }
            into = rest;
        }
        true
    }

    pub(super) fn sync(&mut self) {
        for number in self.dirty.drain(..) {
            if let Some(page) = self.pages.get_mut(number as usize) {
                let mut old = page.durable.take();
                page.sectors = 0;
                if self.spare.len() < SPARE_MAX
                    && old.as_mut().is_some_and(|old| Arc::get_mut(old).is_some())
                {
                    self.spare.extend(old);
                }
            }
        }
        self.durable_len = self.len;
    }

    fn dirty_pages(&self) -> Vec<u32> {
        let mut dirty = self.dirty.clone();
        dirty.sort_unstable();
        dirty
    }

    pub(super) fn unsynced(&self, file: FileId) -> Vec<Unsynced> {
        let describe = |page: u32| Unsynced::Page {
            file,
            page,
            sectors: self.pages.get(page as usize).map_or(0, |p| p.sectors),
        };
        self.dirty_pages().into_iter().map(describe).collect()
    }

    pub(super) fn lose_power(&mut self, file: FileId, survives: &mut dyn FnMut(&Unsynced) -> u8) {
        let mut len = self.durable_len;
        for number in self.dirty_pages() {
            let Some(page) = self.pages.get_mut(number as usize) else {
                continue;
            };
            let sectors = page.sectors;
            let kept = sectors
                & survives(&Unsynced::Page {
                    file,
                    page: number,
                    sectors,
                });
            if kept != 0 {
                len = len.max((u64::from(number) + 1) * PAGE_BYTES as u64);
            }
            page.keep(kept);
        }
        self.dirty.clear();
        self.len = len.min(self.len);
        self.durable_len = self.len;
        let pages = usize::try_from(self.len.div_ceil(PAGE_BYTES as u64)).unwrap_or(usize::MAX);
        self.pages.truncate(pages);
    }

    pub(super) fn flip_bit(&mut self, offset: u64, bit: u8) -> bool {
        if offset >= self.len {
            return false;
        }
        for (number, inner, _) in pieces(offset, 1) {
            if let Some(page) = self.pages.get_mut(number) {
                let versions = page.durable.iter_mut().chain([&mut page.now]);
                for contents in versions {
                    if let Some(byte) = Arc::make_mut(contents).get_mut(inner) {
                        *byte ^= 1 << (bit & 7);
                    }
                }
            }
        }
        true
    }
}

impl Page {
    /// Ends a power loss for this page: the sectors in `kept` hold the new bytes, others the old.
    fn keep(&mut self, kept: u8) {
        let durable = self.durable.take();
        let written = std::mem::take(&mut self.sectors);
        let Some(mut durable) = durable.filter(|_| kept != written) else {
            return;
        };
        for sector in 0..SECTORS_PER_PAGE {
            let range = sector * SECTOR_BYTES..(sector + 1) * SECTOR_BYTES;
            if kept & (1 << sector) != 0
                && let Some(new) = self.now.get(range.clone())
                && let Some(old) = Arc::make_mut(&mut durable).get_mut(range)
            {
                old.copy_from_slice(new);
            }
        }
        self.now = durable;
    }
}

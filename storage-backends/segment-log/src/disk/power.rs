//! What a power loss may take away, for disks that can simulate one.

use super::{Disk, FileId};

/// The smallest piece that a drive writes whole, in bytes: a page may persist in part.
pub const SECTOR_BYTES: usize = 512;

/// Sectors in a page; a page's sectors are named by the bits of a byte.
pub const SECTORS_PER_PAGE: usize = super::PAGE_BYTES / SECTOR_BYTES;

/// One thing that is not on stable storage yet.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unsynced {
    /// A page of a file.
    Page {
        /// The file.
        file: FileId,
        /// The page's number, counted from zero.
        page: u32,
        /// The sectors that were written since the last sync, one bit each.
        sectors: u8,
    },
    /// A name that was created, removed or given to another file.
    Name(String),
}

/// A disk whose power can fail.
///
/// # Contract
/// [`unsynced`](PowerLoss::unsynced) and the order in which
/// [`lose_power`](PowerLoss::lose_power) asks are functions of the operations performed: names
/// first, then pages by file and number.
pub trait PowerLoss: Disk {
    /// Everything that is not on stable storage.
    fn unsynced(&self) -> Vec<Unsynced>;

    /// Cuts the power. For each unsynced thing, `survives` answers what persists: for a page the
    /// sectors that hold the new bytes, for a name whether the change holds (not zero). All open
    /// files are closed.
    fn lose_power(&mut self, survives: &mut dyn FnMut(&Unsynced) -> u8);
}

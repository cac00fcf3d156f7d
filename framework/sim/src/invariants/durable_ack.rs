//! An acknowledged write is as durable as its acknowledgement says (A1, SL3), judged by what the
//! harness saw reach each disk.

use repertoire_core::{Ack, Durability};

use crate::invariants::Findings;
use crate::watch::Extent;

/// What one member's disk holds of the keyspace.
#[derive(Debug)]
pub(crate) struct Copy<'a> {
    pub(crate) written: &'a Extent,
    pub(crate) durable: &'a Extent,
    /// It did, before bits flipped.
    pub(crate) rotten: &'a Extent,
}

/// Judges an acknowledgement at the moment it is given. `promised` is what the request asked for.
pub(crate) fn judge<'a>(
    group: usize,
    ack: &Ack,
    promised: usize,
    copies: impl Iterator<Item = Copy<'a>>,
    findings: &mut Findings,
) {
    let holds = |copy: &Copy<'_>| {
        let extent = match ack.durability {
            Durability::Disk => copy.durable,
            Durability::Os | Durability::Memory => copy.written,
        };
        extent.holds(ack.position) || copy.rotten.holds(ack.position)
    };
    let held = copies.filter(holds).count();
    let needed = promised.max(usize::from(ack.copies));
    findings.require(held >= needed, "A1.durable-ack", || {
        format!(
            "keyspace {group}: {} acknowledged with {} copies on {}, {promised} asked for, but \
             {held} hold it",
            ack.position, ack.copies, ack.durability
        )
    });
}

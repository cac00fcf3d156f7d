//! Every operation of the run, as its client knows it: what the ledger and the checkers read.

use repertoire_core::ReplyHandle;

use super::{Ending, Op};

/// Replies of the harness' own requests carry this session.
pub(crate) const HARNESS: u64 = u64::MAX;

/// All operations.
#[derive(Debug, Default)]
pub(crate) struct Book {
    pub(crate) ops: Vec<Op>,
    open: usize,
}

impl Book {
    /// Adds an operation; returns its number.
    pub(crate) fn open(&mut self, op: Op) -> u32 {
        self.ops.push(op);
        self.open += 1;
        (self.ops.len() - 1) as u32
    }

    /// Ends an operation.
    pub(crate) fn end(&mut self, number: u32, ending: Ending, at: u64) {
        let op = &mut self.ops[number as usize];
        if op.ending == Ending::Open {
            (op.ending, op.returned) = (ending, at);
            self.open -= 1;
        }
    }

    /// Operations that have not ended.
    pub(crate) const fn unfinished(&self) -> usize {
        self.open
    }

    /// Where the reply to an attempt goes.
    pub(crate) fn handle(&self, number: u32, attempt: u8) -> ReplyHandle {
        ReplyHandle {
            session: self.ops[number as usize].client as u64,
            request: u64::from(number) << 8 | u64::from(attempt),
        }
    }

    /// Reads a handle back: operation and attempt.
    pub(crate) const fn parse(handle: ReplyHandle) -> Option<(u32, u8)> {
        if handle.session == HARNESS {
            return None;
        }
        Some(((handle.request >> 8) as u32, (handle.request & 0xff) as u8))
    }
}

//! Messages on their way to one follower.

use std::collections::VecDeque;

use repertoire_core::Lsn;

/// Messages on their way, oldest first: the last record and the bytes of each.
#[derive(Clone, Debug)]
pub(crate) struct InFlight {
    messages: VecDeque<(Lsn, u64)>,
    bytes: u64,
}

impl InFlight {
    pub(crate) const fn new() -> Self {
        Self {
            messages: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Bytes of all messages.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// A message with everything up to `last` was sent.
    pub(crate) fn push(&mut self, last: Lsn, bytes: u64) {
        let is_next = self
            .messages
            .back()
            .is_none_or(|(before, _)| *before < last);
        assert!(is_next, "sending goes forward");
        self.messages.push_back((last, bytes));
        self.bytes += bytes;
    }

    /// Everything up to `received` has arrived.
    pub(crate) fn arrived(&mut self, received: Lsn) {
        while let Some((_, bytes)) = self.messages.pop_front_if(|(last, _)| *last <= received) {
            self.bytes -= bytes;
        }
        assert!(
            self.bytes > 0 || self.is_empty(),
            "bytes on their way are counted"
        );
    }

    /// Whatever was on its way does not count any more.
    pub(crate) fn clear(&mut self) {
        self.messages.clear();
        self.bytes = 0;
    }
}

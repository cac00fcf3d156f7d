//! The session of a node numbers what it accepts; we number what we send. They differ by what was
//! refused in between.

use std::collections::VecDeque;

/// Most differences remembered. Each comes from a refusal, refusals come milliseconds apart, and no
/// request is waited for that long.
const DIFFERENCES_MAX: usize = 16 * 1024;

/// From which number of theirs on, which difference holds.
#[derive(Debug, Default)]
pub(super) struct Offsets {
    differences: VecDeque<(u64, u64)>,
}

impl Offsets {
    /// Their request `theirs` is our `ours`, and so on from there.
    pub(super) fn note(&mut self, theirs: u64, ours: u64) {
        let difference = ours.saturating_sub(theirs);
        if self
            .differences
            .back()
            .is_some_and(|(_, last)| *last == difference)
        {
            return;
        }
        if self.differences.len() == DIFFERENCES_MAX {
            self.differences.pop_front();
        }
        self.differences.push_back((theirs, difference));
    }

    /// Our number of their request.
    pub(super) fn ours(&self, theirs: u64) -> u64 {
        let after = self
            .differences
            .partition_point(|(from, _)| *from <= theirs);
        let found = after.checked_sub(1).and_then(|i| self.differences.get(i));
        theirs + found.map_or(0, |(_, difference)| *difference)
    }
}

#[cfg(test)]
mod tests {
    use super::Offsets;

    #[test]
    fn refused_requests_shift_the_numbers_after_them() {
        let mut offsets = Offsets::default();
        offsets.note(1, 1);
        offsets.note(5, 5);
        // Ours 9 to 11 were refused.
        offsets.note(9, 12);
        assert_eq!(offsets.ours(8), 8);
        assert_eq!(offsets.ours(9), 12);
        assert_eq!(offsets.ours(30), 33);
    }
}

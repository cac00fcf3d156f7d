//! Bytes of the requests of one session, by number.

use std::collections::VecDeque;

/// Most numbers of refused requests that are remembered behind one under way.
const SKIPPED_MAX: usize = 1 << 17;

/// Requests under way, numbered without gaps, with the bytes that each holds of the credit.
#[derive(Debug, Default)]
pub(crate) struct Window {
    base: u64,
    sizes: VecDeque<usize>,
}

impl Window {
    /// The number that the next request must have; any number while nothing is under way.
    pub(crate) fn next(&self) -> Option<u64> {
        (!self.sizes.is_empty()).then(|| self.base + self.sizes.len() as u64)
    }

    /// Notes a request that holds `bytes` (at least one).
    pub(crate) fn push(&mut self, request: u64, bytes: usize) {
        if self.sizes.is_empty() {
            self.base = request;
        }
        self.sizes.push_back(bytes.max(1));
    }

    /// Requests from `first` on were refused: they hold nothing, but their numbers are used.
    pub(crate) fn skip(&mut self, first: u64, count: usize) {
        if self.next() == Some(first) && self.sizes.len() + count <= SKIPPED_MAX {
            self.sizes.extend(std::iter::repeat_n(0, count));
        }
    }

    /// The request ended: returns its bytes, once.
    pub(crate) fn finish(&mut self, request: u64) -> usize {
        let index = request
            .checked_sub(self.base)
            .and_then(|i| usize::try_from(i).ok());
        let size = index
            .and_then(|i| self.sizes.get_mut(i))
            .map(std::mem::take);
        while self.sizes.front() == Some(&0) {
            self.sizes.pop_front();
            self.base += 1;
        }
        size.unwrap_or(0)
    }

    /// Bytes of everything under way.
    pub(crate) fn held(&self) -> usize {
        self.sizes.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Window;

    #[test]
    fn requests_may_end_in_any_order_and_end_once() {
        let mut window = Window::default();
        for request in 5..9 {
            window.push(request, 10);
        }
        assert_eq!(window.next(), Some(9));
        assert_eq!(window.finish(7), 10);
        assert_eq!(window.finish(7), 0);
        assert_eq!(window.finish(5), 10);
        assert_eq!(window.finish(6), 10);
        assert_eq!(window.held(), 10);
        assert_eq!(window.finish(8), 10);
        assert_eq!(window.next(), None);
    }

    #[test]
    fn refused_requests_use_their_numbers_up() {
        let mut window = Window::default();
        window.push(1, 10);
        window.skip(2, 3);
        assert_eq!(window.next(), Some(5));
        window.push(5, 10);
        assert_eq!(window.finish(3), 0);
        assert_eq!(window.finish(1), 10);
        assert_eq!(window.finish(5), 10);
        assert_eq!(window.next(), None);
    }
}

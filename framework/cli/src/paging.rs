//! Ranges of keys, and pages of them.

/// Rows that are asked for at once.
pub(crate) const PAGE_ROWS: usize = 1024;

/// The first key behind all that begin with `prefix`; empty when there is none.
pub(crate) fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    end
}

#[cfg(test)]
mod tests {
    use super::end_of_prefix;

    #[test]
    fn a_prefix_ends_before_the_next_one() {
        assert_eq!(end_of_prefix(b"ab"), b"ac");
        assert_eq!(end_of_prefix(&[b'a', 0xff]), b"b");
        assert_eq!(end_of_prefix(&[0xff, 0xff]), b"");
    }
}

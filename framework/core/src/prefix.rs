//! Keys that begin alike, as a range.

/// The first key behind all that begin with `prefix`: where a scan of them ends. Empty, which means no
/// end, when there is none.
///
/// ```
/// use repertoire_core::end_of_prefix;
/// assert_eq!(end_of_prefix(b"user/"), b"user0");
/// assert_eq!(end_of_prefix(b"a\xff"), b"b");
/// assert!(end_of_prefix(b"\xff").is_empty());
/// ```
pub fn end_of_prefix(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if let Some(next) = last.checked_add(1) {
            end.push(next);
            return end;
        }
    }
    end
}

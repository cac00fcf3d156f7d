//! Looking for words in source text.

/// The code of a line: what stands before a line comment.
pub(super) fn code(line: &str) -> &str {
    // `://` is an address, not a comment.
    let mut from = 0;
    while let Some(at) = line.get(from..).and_then(|rest| rest.find("//")) {
        let at = from.saturating_add(at);
        let head = line.get(..at).unwrap_or_default();
        if !head.ends_with(':') {
            return head;
        }
        from = at.saturating_add(2);
    }
    line
}

/// Whether `word` stands in `line` and is no part of a longer word.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        let after = line
            .get(at.saturating_add(word.len())..)
            .and_then(|tail| tail.chars().next());
        !before.is_some_and(joins) && !after.is_some_and(joins)
    })
}

/// The lines with their numbers, counted from 1.
pub(super) fn numbered(text: &str) -> impl Iterator<Item = (usize, &str)> {
    (1..).zip(text.lines())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_are_cut_and_addresses_kept() {
        assert_eq!(code("let a = 1; // never a HashMap"), "let a = 1; ");
        assert_eq!(code("get(\"http://x\") // y"), "get(\"http://x\") ");
        assert_eq!(code("/// doc"), "");
    }

    #[test]
    fn words_are_whole() {
        assert!(has_word("use std::collections::{HashMap};", "HashMap"));
        assert!(!has_word("FxHashMap::new()", "HashMap"));
        assert!(has_word("Instant::now()", "Instant::now"));
    }
}

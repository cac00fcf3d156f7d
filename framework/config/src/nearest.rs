//! The nearest known word to one that is not known.

/// Longer words get no suggestion: nobody mistypes one, and comparing them costs time.
const WORD_MAX: usize = 64;

/// The candidate that is the fewest slips of the keyboard away, if that is few enough to be one.
pub(crate) fn nearest<'a>(
    word: &str,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let length = word.chars().count();
    if length > WORD_MAX {
        return None;
    }
    // A third of the word, and at least a slip: `shard` for `shards`, `ack` for `acks`.
    let most = (length / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(word, candidate), candidate))
        .filter(|(slips, _)| *slips <= most)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours between two words.
fn distance(from: &str, to: &str) -> usize {
    let fold = |c: char| {
        if c == '-' {
            '_'
        } else {
            c.to_ascii_lowercase()
        }
    };
    let to: Vec<char> = to.chars().map(fold).collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=to.len()).collect();
    let mut previous_char = None;
    for (row, a) in from.chars().map(fold).enumerate() {
        let mut current = vec![row + 1];
        for (column, b) in to.iter().copied().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX);
            let replaced = at(&last, column) + usize::from(a != b);
            let removed = at(&last, column + 1) + 1;
            let added = at(&current, column) + 1;
            let mut best = replaced.min(removed).min(added);
            let previous_b = column.checked_sub(1).and_then(|index| to.get(index));
            if previous_char == Some(b) && previous_b == Some(&a) {
                best = best.min(at(&before_last, column.saturating_sub(1)).saturating_add(1));
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous_char = Some(a);
    }
    last.last().copied().unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted() {
        for (from, to, slips) in [
            ("shards", "shards", 0),
            ("shard", "shards", 1),
            ("sahrds", "shards", 1),
            ("log-format", "log_format", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(from, to), slips, "{from} {to}");
        }
    }

    #[test]
    fn only_near_words_are_suggested() {
        let known = ["listen", "data", "id", "site"];
        assert_eq!(nearest("lisen", known), Some("listen"));
        assert_eq!(nearest("dta", known), Some("data"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }
}

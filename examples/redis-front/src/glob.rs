//! Patterns of `KEYS` and `SCAN`: `*`, `?`, `[a-z]`, `[^…]` and `\`, as Redis reads them.

/// Most steps of one comparison; a pattern of many stars could otherwise take forever on one key.
const STEPS_MAX: usize = 100_000;

/// Whether `text` matches. A comparison that takes too many steps is no match.
///
/// ```
/// # use redis_front::glob::matches;
/// assert!(matches(b"user:[0-9]*", b"user:42"));
/// assert!(!matches(b"h?llo", b"hllo"));
/// ```
pub fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when a later part does not fit: behind the last star, one byte further.
    let mut star: Option<(usize, usize)> = None;
    for _ in 0..STEPS_MAX {
        let rest = pattern.get(p..).unwrap_or_default();
        if let [b'*', ..] = rest {
            star = Some((p + 1, t));
            p += 1;
            continue;
        }
        let Some(byte) = text.get(t) else {
            return rest.is_empty();
        };
        match one(rest, *byte) {
            Some(len) => (p, t) = (p + len, t + 1),
            None => match star {
                Some((after, from)) => {
                    star = Some((after, from + 1));
                    (p, t) = (after, from + 1);
                }
                None => return false,
            },
        }
    }
    false
}

/// How long the part of the pattern is that this byte matches.
fn one(pattern: &[u8], byte: u8) -> Option<usize> {
    match pattern {
        [] => None,
        [b'?', ..] => Some(1),
        [b'[', class @ ..] => {
            let (is_match, len) = class_matches(class, byte);
            is_match.then_some(len + 1)
        }
        [b'\\', literal, ..] => (*literal == byte).then_some(2),
        [literal, ..] => (*literal == byte).then_some(1),
    }
}

/// Whether the byte is in the class, and how long the class is, its bracket included. A class that
/// does not end takes the whole pattern.
fn class_matches(class: &[u8], byte: u8) -> (bool, usize) {
    let is_negated = class.first() == Some(&b'^');
    let mut at = usize::from(is_negated);
    let mut is_found = false;
    loop {
        match class.get(at..).unwrap_or_default() {
            [] => break,
            [b']', ..] => {
                at += 1;
                break;
            }
            [b'\\', literal, ..] => {
                is_found |= *literal == byte;
                at += 2;
            }
            [from, b'-', to, ..] => {
                let (low, high) = (from.min(to), from.max(to));
                is_found |= (low..=high).contains(&&byte);
                at += 3;
            }
            [literal, ..] => {
                is_found |= *literal == byte;
                at += 1;
            }
        }
    }
    (is_found != is_negated, at)
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn patterns_match_as_in_redis() {
        let yes = [
            ("*", ""),
            ("a*c", "abbc"),
            ("**a", "a"),
            ("h[ae]llo", "hallo"),
            ("h[^e]llo", "hallo"),
            ("h[b-a]llo", "hallo"),
            ("\\*", "*"),
            ("*b*b", "abab"),
        ];
        let no = [
            ("", "a"),
            ("a?", "a"),
            ("h[^e]llo", "hello"),
            ("\\*", "x"),
            ("*b", "abc"),
        ];
        for (pattern, text) in yes {
            assert!(
                matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
        for (pattern, text) in no {
            assert!(
                !matches(pattern.as_bytes(), text.as_bytes()),
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn a_pattern_of_stars_ends() {
        let pattern = b"*a".repeat(2000);
        assert!(!matches(&pattern, &vec![b'a'; 1999]));
    }
}

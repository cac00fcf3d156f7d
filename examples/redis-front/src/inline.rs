//! Requests typed by hand: words in a line, quoted where they hold spaces.

/// The words of a line. `None` when its quotes do not fit.
///
/// ```
/// # use redis_front::inline::words;
/// let words = words(br#"set "a key" 'it\'s' "\x41\n""#).unwrap();
/// assert_eq!(words, [&b"set"[..], b"a key", b"it's", b"A\n"]);
/// ```
pub fn words(line: &[u8]) -> Option<Vec<Vec<u8>>> {
    let mut bytes = line.iter().copied().peekable();
    let mut words = Vec::new();
    loop {
        while bytes.next_if(|byte| is_space(*byte)).is_some() {}
        let Some(first) = bytes.peek() else {
            return Some(words);
        };
        let quote = Some(*first).filter(|byte| matches!(byte, b'"' | b'\''));
        let _quote = bytes.next_if(|byte| Some(*byte) == quote);
        let word = match quote {
            Some(b'"') => double_quoted(&mut bytes)?,
            Some(_) => single_quoted(&mut bytes)?,
            None => {
                let mut word = Vec::new();
                while let Some(byte) = bytes.next_if(|byte| !is_space(*byte)) {
                    word.push(byte);
                }
                word
            }
        };
        // A closing quote ends its word.
        if quote.is_some() && bytes.peek().is_some_and(|byte| !is_space(*byte)) {
            return None;
        }
        words.push(word);
    }
}

const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n' | 0x0b | 0x0c | 0)
}

fn single_quoted(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    loop {
        match bytes.next()? {
            b'\'' => return Some(word),
            b'\\' if bytes.peek() == Some(&b'\'') => word.extend(bytes.next()),
            other => word.push(other),
        }
    }
}

fn double_quoted(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>) -> Option<Vec<u8>> {
    let mut word = Vec::new();
    loop {
        match bytes.next()? {
            b'"' => return Some(word),
            b'\\' => match bytes.next()? {
                b'n' => word.push(b'\n'),
                b'r' => word.push(b'\r'),
                b't' => word.push(b'\t'),
                b'b' => word.push(0x08),
                b'a' => word.push(0x07),
                b'x' => hexadecimal(bytes, &mut word),
                other => word.push(other),
            },
            other => word.push(other),
        }
    }
}

/// Two digits make a byte; fewer leave the `x` as it is.
fn hexadecimal(bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>, word: &mut Vec<u8>) {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|n| u8::try_from(n).ok())
    };
    let Some(high) = bytes.peek().copied().filter(u8::is_ascii_hexdigit) else {
        word.push(b'x');
        return;
    };
    let _high = bytes.next();
    match bytes.next_if(u8::is_ascii_hexdigit) {
        Some(low) => {
            let value = digit(high)
                .zip(digit(low))
                .map(|(high, low)| high * 16 + low);
            word.extend(value);
        }
        None => word.extend([b'x', high]),
    }
}

#[cfg(test)]
mod tests {
    use super::words;

    #[test]
    fn quotes_that_do_not_fit_are_refused() {
        for bad in [
            &br#"set "a"#[..],
            b"set 'a",
            br#"set "a"b"#,
            br#"""""#,
            br#""\"#,
        ] {
            assert_eq!(words(bad), None, "{bad:?}");
        }
        assert_eq!(words(b" \r\n\t"), Some(vec![]));
        assert_eq!(
            words(b"a'b c\"d"),
            Some(vec![b"a'b".to_vec(), b"c\"d".to_vec()])
        );
    }
}

//! Bytes and tables as text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

/// Longest value in a table; programs and `get` see all of it.
const SHOWN_MAX: usize = 60;

/// Lines of a table, the head first.
pub(crate) fn table(head: &[&str], rows: &[Vec<String>]) -> Vec<String> {
    let head: Vec<String> = head.iter().map(|title| (*title).to_owned()).collect();
    let all = || std::iter::once(&head).chain(rows);
    let width = |column: usize| {
        let cells = all().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |row: &Vec<String>| {
        let cells = row.iter().zip(&widths);
        let cells: Vec<String> = cells
            .map(|(cell, width)| format!("{cell:<width$}"))
            .collect();
        cells.join("  ").trim_end().to_owned()
    };
    all().map(line).collect()
}

/// Bytes on one line: text as it is, anything else escaped, long ones cut.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let has_replacements = matches!(text, std::borrow::Cow::Owned(_));
    let line: String = if has_replacements {
        bytes.escape_ascii().to_string()
    } else {
        text.chars()
            .flat_map(|c| {
                let escaped = c.is_control().then(|| c.escape_default());
                let plain = (!c.is_control()).then_some(c);
                escaped.into_iter().flatten().chain(plain)
            })
            .collect()
    };
    if line.chars().count() <= SHOWN_MAX {
        return line;
    }
    let cut: String = line.chars().take(SHOWN_MAX).collect();
    format!("{cut}… ({} B)", bytes.len())
}

/// Puts bytes into a JSON object: as text under `name` when they are text, else as base64 under
/// `name_base64`.
pub(crate) fn put_bytes(object: &mut Map<String, Value>, name: &str, bytes: &[u8]) {
    match std::str::from_utf8(bytes) {
        Ok(text) => object.insert(name.to_owned(), text.into()),
        Err(_) => object.insert(format!("{name}_base64"), STANDARD.encode(bytes).into()),
    };
}

/// Takes bytes out of a JSON object: the reverse of [`put_bytes`]. A value that is no text stands
/// for its own JSON.
pub(crate) fn take_bytes(object: &Map<String, Value>, name: &str) -> Result<Vec<u8>, String> {
    if let Some(encoded) = object.get(&format!("{name}_base64")) {
        let text = encoded.as_str().unwrap_or_default();
        let decoded = STANDARD.decode(text);
        return decoded.map_err(|e| format!("{name}_base64 is no base64: {e}"));
    }
    match object.get(name) {
        Some(Value::String(text)) => Ok(text.clone().into_bytes()),
        Some(other) => Ok(other.to_string().into_bytes()),
        None => Err(format!("it has no field {name:?}")),
    }
}

/// A JSON object with a key and a value.
pub(crate) fn row(key: &[u8], value: &[u8]) -> Value {
    let mut object = Map::new();
    put_bytes(&mut object, "key", key);
    put_bytes(&mut object, "value", value);
    Value::Object(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = vec![
            vec!["a".to_owned(), "1".to_owned()],
            vec!["long".into(), "22".into()],
        ];
        assert_eq!(
            table(&["N", "V"], &rows),
            ["N     V", "a     1", "long  22"]
        );
    }

    #[test]
    fn bytes_are_shown_on_one_line() {
        assert_eq!(shown("a\nb".as_bytes()), "a\\nb");
        assert_eq!(shown(&[0xff, b'x']), "\\xffx");
        assert!(shown(&[b'x'; 5000]).ends_with("(5000 B)"));
    }

    #[test]
    fn any_bytes_survive_json() {
        for bytes in [&b"text"[..], &[0xff, 0, 1], b""] {
            let mut object = Map::new();
            put_bytes(&mut object, "value", bytes);
            assert_eq!(take_bytes(&object, "value").unwrap(), bytes);
        }
    }
}

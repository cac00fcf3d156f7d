//! Rows of a file.

use std::io::{BufRead, BufReader, Read};

use bytes::Bytes;
use clap::ValueEnum;
use repertoire::core::Operation;
use repertoire::core::limits::KEY_MAX;
use serde_json::{Map, Value};

use crate::text;

/// How rows are written in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum RowFormat {
    /// Comma-separated values with a head.
    Csv,
    /// A JSON object per line.
    Jsonl,
}

/// Which columns hold what.
#[derive(Clone, Debug)]
pub(crate) struct Columns {
    /// The column of the key; `key` when nobody says.
    pub(crate) key: Option<String>,
    /// The column of the value.
    pub(crate) value: Option<String>,
}

impl Columns {
    fn key(&self) -> &str {
        self.key.as_deref().unwrap_or("key")
    }

    /// The column of the value; nothing means the whole row.
    fn value(&self) -> Option<&str> {
        let plain = self.key.is_none().then_some("value");
        self.value.as_deref().or(plain)
    }
}

/// What is told of each row: its operation, or what is wrong with it. Returns whether to go on.
pub(crate) type Tell<'a> = &'a mut dyn FnMut(Result<Bytes, String>) -> bool;

/// Reads rows until the end, the first that is wrong, or until nobody wants more.
pub(crate) fn read(input: impl Read, format: RowFormat, columns: &Columns, tell: Tell<'_>) {
    let ended = match format {
        RowFormat::Csv => read_csv(input, columns, tell),
        RowFormat::Jsonl => read_jsonl(input, columns, tell),
    };
    if let Err(problem) = ended {
        tell(Err(problem));
    }
}

fn read_csv(input: impl Read, columns: &Columns, tell: Tell<'_>) -> Result<(), String> {
    let mut reader = csv::ReaderBuilder::new().from_reader(input);
    let head = reader.byte_headers().map_err(|e| e.to_string())?.clone();
    let find = |name: &str| {
        let known = || {
            let names = head.iter().map(String::from_utf8_lossy);
            names.collect::<Vec<_>>().join(", ")
        };
        let place = head.iter().position(|column| column == name.as_bytes());
        place.ok_or_else(|| format!("no column {name:?}; there are {}", known()))
    };
    let key = find(columns.key())?;
    let value = columns.value().map(find).transpose()?;
    let mut record = csv::ByteRecord::new();
    while reader
        .read_byte_record(&mut record)
        .map_err(|e| e.to_string())?
    {
        let cell = |place: usize| record.get(place).unwrap_or_default();
        let operation = match value {
            Some(value) => put(cell(key), cell(value)),
            None => put(cell(key), whole(&head, &record).to_string().as_bytes()),
        }?;
        if !tell(Ok(operation)) {
            return Ok(());
        }
    }
    Ok(())
}

/// A row as a JSON object, all cells as text.
fn whole(head: &csv::ByteRecord, record: &csv::ByteRecord) -> Value {
    let mut object = Map::new();
    for (name, cell) in head.iter().zip(record) {
        text::put_bytes(&mut object, &String::from_utf8_lossy(name), cell);
    }
    Value::Object(object)
}

fn read_jsonl(input: impl Read, columns: &Columns, tell: Tell<'_>) -> Result<(), String> {
    for (number, line) in (1_u64..).zip(BufReader::new(input).lines()) {
        let line = line.map_err(|e| format!("line {number}: {e}"))?;
        if line.trim().is_empty() {
            continue;
        }
        let operation = json_row(&line, columns).map_err(|e| format!("line {number}: {e}"))?;
        if !tell(Ok(operation)) {
            return Ok(());
        }
    }
    Ok(())
}

fn json_row(line: &str, columns: &Columns) -> Result<Bytes, String> {
    let row: Map<String, Value> =
        serde_json::from_str(line).map_err(|e| format!("no JSON object: {e}"))?;
    let key = text::take_bytes(&row, columns.key())?;
    match columns.value() {
        Some(name) => put(&key, &text::take_bytes(&row, name)?),
        None => put(&key, line.trim().as_bytes()),
    }
}

fn put(key: &[u8], value: &[u8]) -> Result<Bytes, String> {
    if key.len() > KEY_MAX {
        return Err(format!(
            "its key has {} bytes; at most {KEY_MAX} are allowed",
            key.len()
        ));
    }
    let expires_at = None;
    Ok(Operation::Put {
        key,
        value,
        expires_at,
    }
    .encode())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(text: &str, format: RowFormat, key: Option<&str>) -> Result<Vec<String>, String> {
        let columns = Columns {
            key: key.map(str::to_owned),
            value: None,
        };
        let mut rows = Vec::new();
        read(text.as_bytes(), format, &columns, &mut |row| {
            rows.push(row.map(|body| {
                let Operation::Put { key, value, .. } = Operation::decode(&body).unwrap() else {
                    panic!("no put");
                };
                format!("{} {}", text::shown(key), text::shown(value))
            }));
            true
        });
        rows.into_iter().collect()
    }

    #[test]
    fn csv_has_keys_and_values_or_whole_rows() {
        let plain = rows("key,value\na,1\nb,\"2,\n3\"\n", RowFormat::Csv, None);
        assert_eq!(plain.unwrap(), ["a 1", "b 2,\\n3"]);
        let whole = rows("id,name\n7,Ada\n", RowFormat::Csv, Some("id"));
        assert_eq!(whole.unwrap(), [r#"7 {"id":"7","name":"Ada"}"#]);
        let missing = rows("id,name\n7,Ada\n", RowFormat::Csv, None).unwrap_err();
        assert!(missing.contains("there are id, name"), "{missing}");
    }

    #[test]
    fn json_lines_have_keys_and_values_or_whole_rows() {
        let text = "{\"key\":\"a\",\"value\":\"1\"}\n\n{\"key\":\"b\",\"value_base64\":\"/w==\"}\n";
        assert_eq!(
            rows(text, RowFormat::Jsonl, None).unwrap(),
            ["a 1", "b \\xff"]
        );
        let whole = rows("{\"id\":7,\"n\":1}", RowFormat::Jsonl, Some("id"));
        assert_eq!(whole.unwrap(), [r#"7 {"id":7,"n":1}"#]);
        let broken = rows("{}\n", RowFormat::Jsonl, None).unwrap_err();
        assert!(broken.starts_with("line 1"), "{broken}");
    }
}

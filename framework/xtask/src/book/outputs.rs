//! The list of generated outputs, and how one is made.

use std::path::Path;

use toml::{Table, Value};

use crate::book::OUTPUTS;
use crate::failure::{During, Failure, Result};
use crate::shell;
use crate::tree::Tree;

/// One output of the book.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// File below `book/src`.
    pub file: String,
    /// The command and its arguments, as a reader types them.
    pub command: Vec<String>,
    /// The exit code that the chapter expects.
    pub exit: i32,
}

impl Entry {
    /// The first line of the file.
    fn prompt(&self) -> String {
        format!(
            "$ {}",
            self.command
                .iter()
                .map(|word| quoted(word))
                .collect::<Vec<_>>()
                .join(" ")
        )
    }
}

/// Reads `book/outputs.toml`; no file means no outputs.
///
/// # Errors
/// When the file cannot be parsed, or an entry lacks a field.
pub fn entries(root: &Path) -> Result<Vec<Entry>> {
    match std::fs::read_to_string(root.join("book/outputs.toml")) {
        Ok(text) => parse(&text),
        Err(_) => Ok(Vec::new()),
    }
}

/// What is wrong with the outputs of `tree`.
pub(super) fn problems(tree: &Tree, entries: &[Entry]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in entries {
        let path = format!("book/src/{}", entry.file);
        match tree.get(&path) {
            None => found.push(format!("{path} is missing: run `cargo xtask book`")),
            Some(file) if file.text().lines().next() != Some(&entry.prompt()) => {
                found.push(format!(
                    "{path} was made by another command: run `cargo xtask book`"
                ));
            }
            Some(_) => {}
        }
    }
    for file in tree.under(OUTPUTS) {
        let name = file.path.trim_start_matches("book/src/");
        if entries.iter().all(|entry| entry.file != name) {
            found.push(format!("{} is not listed in book/outputs.toml", file.path));
        }
    }
    found
}

/// Runs the command of `entry` and writes its file.
pub(super) fn write(root: &Path, entry: &Entry) -> Result<()> {
    let (program, mut args) = program_of(&entry.command)?;
    let rest = entry.command.get(1..).unwrap_or_default();
    args.extend(rest.iter().map(String::as_str));
    let plain = [("NO_COLOR", "1"), ("CARGO_TERM_COLOR", "never")];
    let out = shell::capture(root, &program, &args, &plain)?;
    if out.code != Some(entry.exit) {
        let what = format!(
            "`{}` ended with {:?}, not {}",
            entry.prompt(),
            out.code,
            entry.exit
        );
        return Err(Failure::new(format!(
            "{what}\n{}{}",
            out.stdout, out.stderr
        )));
    }
    // What a command says on standard error belongs to the page only when it was meant to fail.
    let said = if entry.exit == 0 {
        out.stdout
    } else {
        format!("{}{}", out.stdout, out.stderr)
    };
    let path = root.join("book/src").join(&entry.file);
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .during(format_args!("cannot create {}", folder.display()))?;
    }
    let body = said
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n");
    let text = format!("{}\n{}\n", entry.prompt(), body.trim_end());
    std::fs::write(&path, text).during(format_args!("cannot write {}", path.display()))
}

/// `repertoire` and `cargo` are the programs that every reader has.
fn program_of(command: &[String]) -> Result<(String, Vec<&'static str>)> {
    match command.first().map(String::as_str) {
        Some("repertoire") => {
            let run = [
                "run",
                "--release",
                "--locked",
                "--quiet",
                "-p",
                "repertoire-cli",
                "--",
            ];
            Ok((shell::cargo(), run.to_vec()))
        }
        Some("cargo") => Ok((shell::cargo(), Vec::new())),
        other => Err(Failure::new(format!(
            "an output's command starts with repertoire or cargo, not {other:?}"
        ))),
    }
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{word}'")
    }
}

fn parse(text: &str) -> Result<Vec<Entry>> {
    let table: Table = toml::from_str(text).during("cannot parse book/outputs.toml")?;
    let list = table.get("output").and_then(Value::as_array);
    list.map_or(&[][..], Vec::as_slice)
        .iter()
        .map(entry)
        .collect()
}

fn entry(value: &Value) -> Result<Entry> {
    let lacking = || Failure::new("book/outputs.toml: an output needs `file` and a list `command`");
    let file = value
        .get("file")
        .and_then(Value::as_str)
        .ok_or_else(lacking)?
        .to_owned();
    let words = value
        .get("command")
        .and_then(Value::as_array)
        .ok_or_else(lacking)?;
    let command: Option<Vec<_>> = words
        .iter()
        .map(|word| word.as_str().map(str::to_owned))
        .collect();
    let exit = value.get("exit").and_then(Value::as_integer).unwrap_or(0);
    let exit = i32::try_from(exit).during("book/outputs.toml: exit")?;
    Ok(Entry {
        file,
        command: command.ok_or_else(lacking)?,
        exit,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = "[[output]]\nfile = \"outputs/a.txt\"\ncommand = [\"repertoire\", \"get\", \"a key\"]\nexit = 5\n";

    #[test]
    fn an_entry_has_a_prompt_that_can_be_typed() {
        let entries = parse(LIST).unwrap();
        assert_eq!(entries[0].prompt(), "$ repertoire get 'a key'");
        assert_eq!(entries[0].exit, 5);
        assert!(parse("[[output]]\nfile = \"a\"\n").is_err());
    }

    #[test]
    fn missing_stale_and_unlisted_outputs_are_told() {
        let entries = parse(LIST).unwrap();
        let fresh = Tree::of(&[("book/src/outputs/a.txt", "$ repertoire get 'a key'\nx\n")]);
        let stale = Tree::of(&[
            ("book/src/outputs/a.txt", "$ repertoire get b\n"),
            ("book/src/outputs/b.txt", ""),
        ]);
        assert!(problems(&fresh, &entries).is_empty());
        assert_eq!(problems(&stale, &entries).len(), 2);
        assert_eq!(problems(&Tree::of(&[]), &entries).len(), 1);
    }
}

//! The pages hang together. `mdbook build` is silent about most of this.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and says why"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

fn book() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn source() -> PathBuf {
    book().join("src")
}

fn files_below(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, found);
        } else {
            found.push(path);
        }
    }
}

fn files(extension: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    files_below(&source(), &mut found);
    found.retain(|path| path.extension().is_some_and(|end| end == extension));
    found.sort();
    found
}

/// `a/b/../c` as `a/c`.
fn plain(path: &Path) -> PathBuf {
    let mut out = PathBuf::new();
    for part in path.components() {
        if part == Component::ParentDir {
            out.pop();
        } else {
            out.push(part);
        }
    }
    out
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// What an include pulls in.
#[derive(Debug)]
struct Include {
    path: PathBuf,
    text: Result<String, String>,
}

/// The includes of a page, in order.
fn includes(page: &Path) -> Vec<Include> {
    let text = read(page);
    let mut found = Vec::new();
    for directive in ["{{#include ", "{{#rustdoc_include "] {
        for (at, _) in text.match_indices(directive) {
            let argument = text[at + directive.len()..]
                .split("}}")
                .next()
                .unwrap()
                .trim();
            let (path, anchor) = match argument.split_once(':') {
                Some((path, anchor)) => (path, Some(anchor)),
                None => (argument, None),
            };
            let path = plain(&page.parent().unwrap().join(path));
            let text = included(&path, anchor);
            found.push(Include { path, text });
        }
    }
    found
}

fn included(path: &Path, anchor: Option<&str>) -> Result<String, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    let Some(anchor) = anchor else {
        return Ok(text);
    };
    let is_mark = |line: &str, mark: &str| {
        line.split_once(mark)
            .is_some_and(|(_, name)| name.split_whitespace().next() == Some(anchor))
    };
    let begins = text.lines().position(|line| is_mark(line, "ANCHOR:"));
    let ends = text.lines().position(|line| is_mark(line, "ANCHOR_END:"));
    match (begins, ends) {
        (Some(begins), Some(ends)) if begins + 1 < ends => {
            let lines: Vec<&str> = text.lines().take(ends).skip(begins + 1).collect();
            Ok(lines.join("\n"))
        }
        _ => Err(format!("anchor `{anchor}` is missing, open or empty")),
    }
}

/// A page with its includes of whole files in place.
fn expanded(page: &Path) -> String {
    let mut text = read(page);
    for include in includes(page) {
        if include.path.extension().is_some_and(|end| end == "inc") {
            text.push_str(&include.text.unwrap());
        }
    }
    text
}

/// The lines outside code blocks.
fn prose(text: &str) -> Vec<&str> {
    let mut fenced = false;
    let mut lines = Vec::new();
    for line in text.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            lines.push(line);
        }
    }
    assert!(!fenced, "a code block is not closed");
    lines
}

/// The ids that headings have in the rendered page.
fn heading_ids(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let mut ids = BTreeSet::new();
    for line in prose(text) {
        let title = line.trim_start_matches('#');
        if title.len() == line.len() || !title.starts_with(' ') {
            continue;
        }
        if let Some((_, id)) = title.split_once("{#") {
            ids.insert(id.trim_end_matches('}').to_owned());
            continue;
        }
        let kept = title
            .trim()
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        let id: String = kept.map(|c| if c == ' ' { '-' } else { c }).collect();
        let id = id.to_lowercase();
        let count = seen.entry(id.clone()).or_default();
        ids.insert(if *count == 0 {
            id
        } else {
            format!("{id}-{count}")
        });
        *count += 1;
    }
    ids
}

fn link_targets(text: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(text) {
        // Code is not a link.
        let line: String = line.split('`').step_by(2).collect();
        for (at, _) in line.match_indices("](") {
            let target = line[at + 2..].split(')').next().unwrap();
            targets.push(target.to_owned());
        }
    }
    targets
}

#[test]
fn every_include_and_its_anchor_exist() {
    let mut seen = 0;
    for page in files("md") {
        for include in includes(&page) {
            let at = format!("{}: {}", page.display(), include.path.display());
            let text = include.text.unwrap_or_else(|error| panic!("{at}: {error}"));
            assert!(!text.trim().is_empty(), "{at} is empty");
            seen += 1;
        }
    }
    assert!(
        seen > 20,
        "only {seen} includes were found: is this the book?"
    );
}

#[test]
fn every_link_and_heading_exists() {
    let mut seen = 0;
    for page in files("md") {
        let text = expanded(&page);
        for target in link_targets(&text) {
            if target.is_empty() || target.contains("://") {
                continue;
            }
            seen += 1;
            let (path, heading) = match target.split_once('#') {
                Some((path, heading)) => (path, Some(heading)),
                None => (target.as_str(), None),
            };
            let file = match path {
                "" => page.clone(),
                path => plain(&page.parent().unwrap().join(path)),
            };
            let at = page.display();
            assert!(file.is_file(), "{at} links to {target}: no such file");
            if let Some(heading) = heading {
                let ids = heading_ids(&expanded(&file));
                assert!(
                    ids.contains(heading),
                    "{at} links to {target}: no such heading"
                );
            }
        }
    }
    assert!(seen > 30, "only {seen} links were found: is this the book?");
}

#[test]
fn summary_and_pages_agree() {
    let summary = source().join("SUMMARY.md");
    let listed: BTreeSet<PathBuf> = link_targets(&read(&summary))
        .into_iter()
        .filter(|target| !target.is_empty())
        .map(|target| plain(&source().join(target)))
        .collect();
    let mut pages: BTreeSet<PathBuf> = files("md").into_iter().collect();
    assert!(pages.remove(&summary));
    let missing: Vec<_> = listed.difference(&pages).collect();
    assert!(
        missing.is_empty(),
        "SUMMARY.md names what is not there: {missing:?}"
    );
    let lost: Vec<_> = pages.difference(&listed).collect();
    assert!(lost.is_empty(), "not in SUMMARY.md: {lost:?}");
}

/// The value of a `key = …` line.
fn setting<'a>(line: &'a str, key: &str) -> Option<&'a str> {
    line.strip_prefix(key)?
        .trim_start()
        .strip_prefix('=')
        .map(str::trim)
}

fn prompt(command: &str) -> String {
    // A list of plain strings in TOML is one in JSON.
    let words: Vec<String> =
        serde_json::from_str(command).expect("a command is a list on one line");
    let is_plain = |word: &String| {
        !word.is_empty()
            && word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c))
    };
    let quoted = words.iter().map(|word| match is_plain(word) {
        true => word.clone(),
        false => format!("'{word}'"),
    });
    format!("$ {}", quoted.collect::<Vec<_>>().join(" "))
}

#[test]
fn every_output_was_made_by_its_command_and_is_shown() {
    let shown: BTreeSet<PathBuf> = files("md")
        .iter()
        .flat_map(|page| includes(page))
        .map(|include| include.path)
        .collect();
    let list = read(&book().join("outputs.toml"));
    let mut listed = BTreeSet::new();
    let mut file = None;
    for line in list.lines() {
        if let Some(name) = setting(line, "file") {
            file = Some(source().join(name.trim_matches('"')));
        }
        if let Some(command) = setting(line, "command") {
            let path = file.take().expect("a file stands before its command");
            let text = read(&path);
            let name = path.display();
            assert_eq!(
                text.lines().next(),
                Some(prompt(command).as_str()),
                "{name}"
            );
            assert!(text.lines().count() > 1, "{name} shows nothing");
            assert!(shown.contains(&path), "{name} is on no page");
            listed.insert(path);
        }
    }
    for extension in ["txt", "svg", "inc"] {
        for path in files(extension) {
            let name = path.display();
            assert!(shown.contains(&path), "{name} is on no page");
            assert!(
                extension != "txt" || listed.contains(&path),
                "{name} is not in outputs.toml"
            );
        }
    }
    assert!(
        listed.len() > 10,
        "only {} outputs are listed",
        listed.len()
    );
}

#[test]
fn tables_have_rows_of_one_width() {
    for page in files("md") {
        let mut width = None;
        for line in prose(&expanded(&page)) {
            if !line.starts_with('|') {
                width = None;
                continue;
            }
            // Bars inside code are escaped.
            let cells = line.replace("\\|", "").matches('|').count();
            assert_eq!(
                *width.get_or_insert(cells),
                cells,
                "{}: {line}",
                page.display()
            );
        }
    }
}

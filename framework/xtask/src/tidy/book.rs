//! The book: `mdbook` says nothing when an anchor is gone, so includes, anchors, chapters and listings are checked here.

use std::collections::BTreeSet;
use std::path::Path;

use crate::tidy::{Violation, scan};
use crate::tree::{File, Tree};

const SOURCE: &str = "book/src";
const SUMMARY: &str = "book/src/SUMMARY.md";
const LISTINGS: &str = "book/listings";

/// Directives that pull in another file.
const DIRECTIVES: [&str; 3] = ["{{#include ", "{{#rustdoc_include ", "{{#playground "];

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let mut violations = check_summary(tree);
    let mut used = BTreeSet::new();
    for page in tree.under(SOURCE).filter(|file| file.has_extension("md")) {
        for include in includes(page) {
            violations.extend(problem(tree, page, &include));
            used.insert(include.target);
        }
    }
    violations.extend(unused_listings(tree, &used));
    violations
}

/// One directive: where it stands, and what it pulls in.
struct Include {
    line: usize,
    target: String,
    anchor: Option<String>,
}

fn includes(page: &File) -> Vec<Include> {
    let mut found = Vec::new();
    for (line, text) in scan::numbered(page.text()) {
        for directive in DIRECTIVES {
            for (at, _) in text.match_indices(directive) {
                let escaped = text.get(..at).is_some_and(|head| head.ends_with('\\'));
                let inner = text
                    .get(at.saturating_add(directive.len())..)
                    .and_then(|rest| rest.split("}}").next());
                let argument = inner.and_then(|inner| inner.split_whitespace().next());
                if let (false, Some(argument)) = (escaped, argument) {
                    let (path, anchor) = argument
                        .split_once(':')
                        .map_or((argument, None), |(p, a)| (p, Some(a)));
                    let anchor = anchor.map(str::to_owned);
                    found.push(Include {
                        line,
                        target: resolve(&page.path, path),
                        anchor,
                    });
                }
            }
        }
    }
    found
}

fn problem(tree: &Tree, page: &File, include: &Include) -> Option<Violation> {
    let say = |message: String| Some(Violation::at(&page.path, include.line, message));
    let Some(target) = tree.get(&include.target) else {
        return say(format!("includes {}, which does not exist", include.target));
    };
    let anchor = include.anchor.as_ref()?;
    if anchor.chars().all(|c| c.is_ascii_digit() || c == ':') {
        return say(format!(
            "includes lines {anchor}: line numbers rot, use an anchor"
        ));
    }
    let has = |mark: &str| {
        target
            .text()
            .lines()
            .any(|line| names_anchor(line, mark, anchor))
    };
    if has("ANCHOR:") && has("ANCHOR_END:") {
        return None;
    }
    say(format!(
        "{} has no anchor `{anchor}` with its end",
        include.target
    ))
}

fn names_anchor(line: &str, mark: &str, anchor: &str) -> bool {
    let name = line.split_once(mark).map(|(_, rest)| rest.trim_start());
    name.and_then(|rest| rest.split_whitespace().next()) == Some(anchor)
}

fn unused_listings(tree: &Tree, used: &BTreeSet<String>) -> Vec<Violation> {
    let glue = |path: &str| {
        ["/lib.rs", "/mod.rs", "/Cargo.toml", "/README.md"]
            .iter()
            .any(|end| path.ends_with(end))
    };
    let unused = tree
        .under(LISTINGS)
        .filter(|file| !glue(&file.path) && !used.contains(&file.path));
    unused
        .map(|file| Violation::file(&file.path, "is a listing that no page includes"))
        .collect()
}

fn check_summary(tree: &Tree) -> Vec<Violation> {
    let Some(summary) = tree.get(SUMMARY) else {
        return Vec::new();
    };
    let mut violations = Vec::new();
    let mut chapters = BTreeSet::from([SUMMARY.to_owned()]);
    for (line, text) in scan::numbered(summary.text()) {
        for target in link_targets(text)
            .into_iter()
            .filter(|target| Path::new(target).extension().is_some_and(|end| end == "md"))
        {
            let path = resolve(SUMMARY, &target);
            if tree.get(&path).is_none() {
                violations.push(Violation::at(
                    SUMMARY,
                    line,
                    format!("names {path}, which does not exist"),
                ));
            }
            chapters.insert(path);
        }
    }
    let pages = tree.under(SOURCE).filter(|file| file.has_extension("md"));
    let lost = pages.filter(|page| !chapters.contains(&page.path));
    violations.extend(
        lost.map(|page| Violation::file(&page.path, "is not in SUMMARY.md: nobody will find it")),
    );
    violations
}

/// The targets of the markdown links of a line.
pub(super) fn link_targets(line: &str) -> Vec<String> {
    let ends = line
        .match_indices("](")
        .filter_map(|(at, _)| line.get(at.saturating_add(2)..));
    ends.filter_map(|rest| rest.split(')').next())
        .filter_map(|inner| inner.split_whitespace().next())
        .map(|target| target.trim_matches(['<', '>']).to_owned())
        .collect()
}

/// `path`, as written in `page`, from the root.
pub(super) fn resolve(page: &str, path: &str) -> String {
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(files: &[(&str, &str)]) -> Vec<String> {
        check(&Tree::of(files))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn includes_need_their_file_and_both_ends_of_their_anchor() {
        let page = "{{#include ../listings/a.rs:open}}\n{{#include ../listings/a.rs:half}}\n\
            {{#include b.rs}}\n{{#include ../listings/a.rs:3:9}}\n\\{{#include shown.rs}}\n";
        let listing = "// ANCHOR: open\nx\n// ANCHOR_END: open\n// ANCHOR: half\n";
        let files = [
            (SUMMARY, "- [One](one.md)\n"),
            ("book/src/one.md", page),
            ("book/listings/a.rs", listing),
        ];
        let found = messages(&files);
        assert_eq!(found.len(), 3, "{found:?}");
        assert!(found[0].starts_with("book/src/one.md:2:") && found[0].contains("half"));
        assert!(found[1].contains("book/src/b.rs"));
        assert!(found[2].contains("3:9"));
    }

    #[test]
    fn the_summary_and_the_pages_agree_and_listings_are_used() {
        let files = [
            (
                SUMMARY,
                "# Summary\n- [One](one.md)\n- [Two](two.md)\n- [Later]()\n",
            ),
            ("book/src/one.md", "# One\n"),
            ("book/src/lost.md", "# Lost\n"),
            ("book/listings/lib.rs", "mod a;\n"),
            ("book/listings/a.rs", ""),
        ];
        let found = messages(&files);
        assert_eq!(found.len(), 3, "{found:?}");
    }

    #[test]
    fn paths_start_from_the_page() {
        assert_eq!(
            resolve("book/src/part/one.md", "../../listings/./a.rs"),
            "book/listings/a.rs"
        );
        assert_eq!(resolve("README.md", "book/"), "book");
    }
}

//! Links between pages: the page is there, and so is the heading.

use crate::tidy::book::{link_targets, resolve};
use crate::tidy::{Violation, scan};
use crate::tree::{File, Tree, is_under};

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    let pages = tree.files.iter().filter(|file| file.has_extension("md"));
    pages.flat_map(|page| check_page(tree, page)).collect()
}

fn check_page(tree: &Tree, page: &File) -> Vec<Violation> {
    let mut violations = Vec::new();
    for (number, line) in prose(page.text()) {
        for target in link_targets(&without_code(line)) {
            if let Some(message) = problem(tree, page, &target) {
                violations.push(Violation::at(&page.path, number, message));
            }
        }
    }
    violations
}

fn problem(tree: &Tree, page: &File, target: &str) -> Option<String> {
    // `::` is a path of Rust, which rustdoc checks; `{{` is filled in by the book.
    if target.is_empty()
        || ["://", "mailto:", "::", "{{"]
            .iter()
            .any(|mark| target.contains(mark))
    {
        return None;
    }
    let (path, heading) = target
        .split_once('#')
        .map_or((target, None), |(p, h)| (p, Some(h)));
    let path = if path.is_empty() {
        page.path.clone()
    } else {
        resolve(&page.path, path)
    };
    // Inside the book, a link may name the rendered page.
    let file = tree
        .get(&path)
        .or_else(|| tree.get(&format!("{}.md", path.strip_suffix(".html")?)));
    match (file, heading) {
        (None, _)
            if tree.files.iter().any(|file| is_under(&file.path, &path)) || path.is_empty() =>
        {
            None
        }
        (None, _) => Some(format!("links to {path}, which does not exist")),
        (Some(file), Some(heading)) if file.has_extension("md") && !has_heading(file, heading) => {
            Some(format!(
                "links to {path}#{heading}, which is no heading there"
            ))
        }
        (Some(_), _) => None,
    }
}

fn has_heading(file: &File, wanted: &str) -> bool {
    let named = [format!("id=\"{wanted}\""), format!("{{#{wanted}}}")];
    prose(file.text()).any(|(_, line)| {
        named.iter().any(|mark| line.contains(mark))
            || (line.starts_with('#') && is_slug(line, wanted))
    })
}

/// Whether the heading `line` is addressed by `wanted`; a repeated heading gets a number at its end.
fn is_slug(line: &str, wanted: &str) -> bool {
    let slug = slug(line);
    let rest = wanted.strip_prefix(&slug);
    rest.is_some_and(|rest| {
        rest.is_empty()
            || rest
                .strip_prefix('-')
                .is_some_and(|n| n.chars().all(|c| c.is_ascii_digit()))
    })
}

fn slug(line: &str) -> String {
    let title = line.trim_start_matches('#').trim();
    let kept = title
        .chars()
        .filter(|c| c.is_alphanumeric() || c.is_whitespace() || "-_".contains(*c));
    kept.map(|c| if c.is_whitespace() { '-' } else { c })
        .flat_map(char::to_lowercase)
        .collect()
}

/// The lines outside fenced blocks.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    scan::numbered(text).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        if fence {
            fenced = !fenced;
        }
        !fenced && !fence
    })
}

/// The line without its `code`.
fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_and_headings_must_exist() {
        let tree = Tree::of(&[
            (
                "README.md",
                "[a](docs/a.md#what-it-isnt) [b](docs/b.md) [c](docs/a.md#gone) [d](docs) `[e](f)` [g](#top)\n# Top\n",
            ),
            ("docs/a.md", "# A\n## What it isn't\n```\n[x](y)\n```\n"),
        ]);
        let found: Vec<_> = check(&tree).iter().map(ToString::to_string).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].contains("docs/b.md") && found[1].contains("docs/a.md#gone"));
    }
}

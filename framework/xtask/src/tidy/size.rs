//! How long source files are. The state machine is where a code base loses its shape: it is budgeted from day one.

use std::fmt;

use crate::tidy::Violation;
use crate::tree::{File, Tree};

/// The longest a source file may be, tests not counted.
const LINES_MAX: usize = 500;

/// Length of the source files, tests not counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sizes {
    /// Number of files.
    pub files: usize,
    /// Half of the files are no longer (the aim is 120).
    pub median: usize,
    /// Nine of ten files are no longer (the aim is 350).
    pub p90: usize,
    /// The longest file.
    pub longest: usize,
}

impl fmt::Display for Sizes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} source files: median {} lines (aim 120), p90 {} (aim 350), longest {} (cap {LINES_MAX})",
            self.files, self.median, self.p90, self.longest
        )
    }
}

pub(super) fn check(tree: &Tree) -> (Sizes, Vec<Violation>) {
    let sources = || {
        tree.files
            .iter()
            .filter(|file| file.has_extension("rs") && !file.is_test())
    };
    let mut lengths: Vec<usize> = sources().map(length).collect();
    lengths.sort_unstable();
    let sizes = Sizes {
        files: lengths.len(),
        median: at_percent(&lengths, 50),
        p90: at_percent(&lengths, 90),
        longest: lengths.last().copied().unwrap_or(0),
    };
    let violations = sources()
        .filter(|file| length(file) > LINES_MAX)
        .map(|file| {
            Violation::file(
                &file.path,
                format!(
                    "{} lines, over the cap of {LINES_MAX}: cut it by concern",
                    length(file)
                ),
            )
        })
        .collect();
    (sizes, violations)
}

fn at_percent(sorted: &[usize], percent: usize) -> usize {
    let at = sorted.len().saturating_mul(percent) / 100;
    sorted.get(at).copied().unwrap_or(0)
}

/// Lines before the inline test module.
fn length(file: &File) -> usize {
    let lines: Vec<&str> = file.text().lines().collect();
    let opens_tests = |pair: &[&str]| {
        matches!(pair, [first, second] if first.starts_with("#[cfg(test)]")
            && second.starts_with("mod ")
            && second.ends_with('{'))
    };
    lines
        .windows(2)
        .position(opens_tests)
        .unwrap_or(lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inline_tests_and_test_files_are_not_counted() {
        let long = "x\n".repeat(501);
        let tested = format!(
            "{}#[cfg(test)]\nmod tests {{\n{}}}\n",
            "x\n".repeat(400),
            "x\n".repeat(400)
        );
        let tree = Tree::of(&[
            ("a/src/a.rs", &long),
            ("a/src/b.rs", &tested),
            ("a/tests/c.rs", &long),
        ]);
        let (sizes, violations) = check(&tree);
        assert_eq!((sizes.files, sizes.longest), (2, 501));
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].path, "a/src/a.rs");
    }
}

//! Style as a test: the rules of the project that no compiler knows.
//!
//! Each rule is one file that turns the [`Tree`] (and the crates, from cargo) into [`Violation`]s, and each violation
//! says where and what to do. `tests/tidy.rs` runs them with the other tests.

mod book;
mod crates;
mod hygiene;
mod layers;
mod links;
mod markers;
mod protocols;
mod purity;
mod scan;
mod size;

use std::fmt;
use std::path::Path;

use crate::failure::{Failure, Result};
use crate::metadata::{self, Crate};
use crate::output;
use crate::tree::Tree;

pub use size::Sizes;

/// The lints of the pure crates: the file that the copies must equal.
pub const PURE_LINTS: &str = "protocols/clippy.toml";

/// The pure crates outside `protocols/`.
pub const PURE_FRAMEWORK_CRATES: [&str; 6] = [
    "framework/core",
    "framework/wire",
    "framework/resolvers",
    "framework/log-formats",
    "framework/sim",
    "framework/checker",
];

/// Those of them that have a copy of [`PURE_LINTS`] (the wire needs none: it names no clock and no map at all).
pub const PURE_LINTS_COPIES: [&str; 5] = [
    "framework/core",
    "framework/resolvers",
    "framework/log-formats",
    "framework/sim",
    "framework/checker",
];

/// A rule that was broken, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// File or folder from the root.
    pub path: String,
    /// Line, counted from 1; 0 means the whole file.
    pub line: usize,
    /// What is wrong and what to do.
    pub message: String,
}

impl Violation {
    /// A violation of a whole file.
    fn file(path: &str, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: 0,
            message: message.into(),
        }
    }

    /// A violation at a line, counted from 1.
    fn at(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.message),
            line => write!(f, "{}:{line}: {}", self.path, self.message),
        }
    }
}

/// What the rules found.
#[derive(Debug, Clone)]
pub struct Report {
    /// How long the source files are.
    pub sizes: Sizes,
    /// What to mend, sorted by place.
    pub violations: Vec<Violation>,
}

/// Applies every rule to the checkout at `root`.
///
/// # Errors
/// When the tree or the metadata cannot be read.
pub fn inspect(root: &Path) -> Result<Report> {
    Ok(apply(&Tree::open(root)?, &metadata::crates(root)?))
}

fn apply(tree: &Tree, crates: &[Crate]) -> Report {
    let (sizes, mut violations) = size::check(tree);
    violations.extend(layers::check(crates));
    violations.extend(crates::check(tree, crates));
    violations.extend(purity::check(tree, crates));
    violations.extend(protocols::check(tree));
    violations.extend(markers::check(tree));
    violations.extend(hygiene::check(tree));
    violations.extend(book::check(tree));
    violations.extend(links::check(tree));
    violations.sort_by(|a, b| (&a.path, a.line, &a.message).cmp(&(&b.path, b.line, &b.message)));
    violations.dedup();
    Report { sizes, violations }
}

/// `cargo xtask tidy`: prints the sizes and fails when a rule is broken.
///
/// # Errors
/// A list of the violations, or what [`inspect`] could not read.
pub fn run(root: &Path) -> Result<()> {
    let report = inspect(root)?;
    output::line(&report.sizes);
    if report.violations.is_empty() {
        output::line("tidy");
        return Ok(());
    }
    let lines: Vec<String> = report.violations.iter().map(ToString::to_string).collect();
    Err(Failure::new(format!(
        "{} things to tidy:\n{}",
        lines.len(),
        lines.join("\n")
    )))
}

//! `cargo xtask check`: what CI runs, read-only.

use std::path::Path;
use std::time::Instant;

use clap::ValueEnum;

use crate::failure::Result;
use crate::{book, lints, output, shell, tidy};

/// One part of the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Formatting, without touching a file.
    Fmt,
    /// The rules of [`tidy`].
    Tidy,
    /// Lints; advice is printed, only denied lints fail.
    Clippy,
    /// All tests, doc tests included.
    Test,
    /// Documentation builds without a warning.
    Doc,
    /// The book builds without a warning.
    Book,
}

/// Every stage, the quick ones first.
pub const ALL: [Stage; 6] = [
    Stage::Fmt,
    Stage::Tidy,
    Stage::Clippy,
    Stage::Test,
    Stage::Doc,
    Stage::Book,
];

/// Runs `stages` (all when empty) and stops at the first that fails.
///
/// # Errors
/// The failure of the first stage that fails.
pub fn run(root: &Path, stages: &[Stage]) -> Result<()> {
    let stages = if stages.is_empty() { &ALL } else { stages };
    for stage in stages {
        let started = Instant::now();
        run_stage(root, *stage)?;
        output::line(format_args!(
            "{stage:?}: ok, {:.1} s",
            started.elapsed().as_secs_f64()
        ));
    }
    Ok(())
}

fn run_stage(root: &Path, stage: Stage) -> Result<()> {
    match stage {
        Stage::Fmt => cargo(root, &["fmt", "--all", "--check"], &[]),
        Stage::Tidy => tidy::run(root),
        Stage::Clippy => clippy(root),
        Stage::Test => cargo(root, &["test", "--workspace", "--locked"], &[]),
        Stage::Doc => cargo(
            root,
            &["doc", "--workspace", "--no-deps", "--lib", "--locked"],
            &[("RUSTDOCFLAGS", "-D warnings")],
        ),
        Stage::Book => book::check(root),
    }
}

fn clippy(root: &Path) -> Result<()> {
    let flags = lints::denied_flags(root)?;
    let mut args = vec!["clippy", "--workspace", "--all-targets", "--locked", "--"];
    args.extend(flags.iter().map(String::as_str));
    cargo(root, &args, &[])
}

fn cargo(root: &Path, args: &[&str], env: &[(&str, &str)]) -> Result<()> {
    shell::run(root, &shell::cargo(), args, env)
}

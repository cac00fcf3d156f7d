//! `cargo xtask book`: the console outputs that the book shows, and its build.
//!
//! `book/outputs.toml` lists one entry for each output:
//!
//! ```toml
//! [[output]]
//! file = "outputs/first-simulation.txt"   # below book/src
//! command = ["repertoire", "sim", "--protocol", "single-leader", "--seeds", "20"]
//! exit = 0                                # the exit code the chapter expects; 0 when left out
//! ```
//!
//! The file starts with the command as a reader would type it and goes on with what it printed; a chapter shows it
//! with `{{#include}}` inside a console block. `repertoire` means the release build of this checkout.

mod outputs;
mod render;

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::output;
use crate::tree::Tree;

pub use outputs::{Entry, entries};

/// The folder of the generated outputs.
pub const OUTPUTS: &str = "book/src/outputs";

/// Runs the commands of `book/outputs.toml` and writes their outputs.
///
/// # Errors
/// When a command ends with another exit code than the entry says, or a file cannot be written.
pub fn regenerate(root: &Path, only: Option<&str>) -> Result<()> {
    let entries = entries(root)?;
    for entry in entries
        .iter()
        .filter(|entry| only.is_none_or(|part| entry.file.contains(part)))
    {
        outputs::write(root, entry)?;
        output::line(format_args!("wrote book/src/{}", entry.file));
    }
    Ok(())
}

/// Verifies that every listed output is there and belongs to its command, and that the book builds in silence.
///
/// # Errors
/// A list of what is missing, stale or unlisted, or the first warnings of the build.
pub fn check(root: &Path) -> Result<()> {
    if !root.join("book/book.toml").is_file() {
        output::line("no book/book.toml yet: nothing to check");
        return Ok(());
    }
    let problems = outputs::problems(&Tree::open(root)?, &entries(root)?);
    if !problems.is_empty() {
        return Err(Failure::new(format!(
            "book outputs:\n  {}",
            problems.join("\n  ")
        )));
    }
    render::build(root)
}

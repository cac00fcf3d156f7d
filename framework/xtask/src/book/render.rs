//! Building the book. `mdbook build` exits with 0 although an included file is missing, so its log is read.

use std::path::Path;

use crate::failure::{Failure, Result};
use crate::{output, shell};

/// Builds the book into `target/book` and fails on any error or warning.
pub(super) fn build(root: &Path) -> Result<()> {
    if shell::capture(root, "mdbook", &["--version"], &[]).is_err() {
        if shell::tools_required() {
            return Err(Failure::new(
                "mdbook is not installed (see CONTRIBUTING.md)",
            ));
        }
        output::line("mdbook is not installed: the book is not built");
        return Ok(());
    }
    let target = root.join("target/book");
    let target = target.to_string_lossy();
    let plain = [("NO_COLOR", "1"), ("RUST_LOG", "info")];
    let out = shell::capture(
        root,
        "mdbook",
        &["build", "book", "--dest-dir", &target],
        &plain,
    )?;
    let log = format!("{}{}", out.stdout, out.stderr);
    if out.code != Some(0) || has_complaint(&log) {
        return Err(Failure::new(format!(
            "mdbook build (exit {:?}):\n{log}",
            out.code
        )));
    }
    output::line("the book builds: target/book/index.html");
    Ok(())
}

fn has_complaint(log: &str) -> bool {
    log.lines().any(|line| {
        let line = line.trim_start();
        line.starts_with("ERROR") || line.starts_with("WARN")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_and_warnings_are_complaints() {
        assert!(has_complaint(" INFO started\n WARN unclosed HTML tag"));
        assert!(has_complaint("ERROR Error updating"));
        assert!(!has_complaint(" INFO Book building has started\n"));
    }
}

//! `cargo xtask fix`: everything that a machine can mend. Writes to the tree.

use std::path::Path;

use crate::failure::{During, Result};
use crate::{output, shell, tidy};

/// Copies the pure crates' `clippy.toml`, applies clippy's suggestions, formats.
///
/// # Errors
/// When a file cannot be copied, or a command fails.
pub fn run(root: &Path) -> Result<()> {
    copy_pure_lints(root)?;
    let clippy = [
        "clippy",
        "--fix",
        "--allow-dirty",
        "--allow-staged",
        "--workspace",
        "--all-targets",
        "--locked",
    ];
    shell::run(root, &shell::cargo(), &clippy, &[])?;
    shell::run(root, &shell::cargo(), &["fmt", "--all"], &[])
}

fn copy_pure_lints(root: &Path) -> Result<()> {
    let model = root.join(tidy::PURE_LINTS);
    for folder in tidy::PURE_LINTS_COPIES {
        let copy = root.join(folder).join("clippy.toml");
        if root.join(folder).join("Cargo.toml").is_file() {
            std::fs::copy(&model, &copy).during(format_args!("cannot write {}", copy.display()))?;
            output::line(format_args!(
                "copied {} to {folder}/clippy.toml",
                tidy::PURE_LINTS
            ));
        }
    }
    Ok(())
}

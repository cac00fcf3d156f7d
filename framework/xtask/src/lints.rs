//! Which lints make CI fail.
//!
//! The root `Cargo.toml` marks a lint `deny` or `warn`. Cargo passes both levels to the compiler, so plain
//! `cargo clippy` already fails on every lint marked `deny`, `clippy::all` included. CI denies two things more: each
//! `warn` of the `[workspace.lints.rust]` table, and the compiler's own groups below. What stays a warning is advice:
//! `clippy::pedantic` and the clippy lints marked `warn`.

use std::path::Path;

use crate::failure::{During, Failure, Result};

/// Groups of the compiler that are `warn` by default and that nobody should commit.
const COMPILER_GROUPS: [&str; 3] = ["unused", "nonstandard_style", "future_incompatible"];

/// The flags after `--` of `cargo clippy`.
///
/// # Errors
/// When the root manifest cannot be read or has no `[workspace.lints.rust]`.
pub fn denied_flags(root: &Path) -> Result<Vec<String>> {
    let path = root.join("Cargo.toml");
    let text =
        std::fs::read_to_string(&path).during(format_args!("cannot read {}", path.display()))?;
    flags_of(&text)
}

fn flags_of(manifest: &str) -> Result<Vec<String>> {
    let manifest: toml::Table =
        toml::from_str(manifest).during("cannot parse the root Cargo.toml")?;
    let rust = ["workspace", "lints", "rust"]
        .iter()
        .try_fold(&manifest, |table, key| table.get(*key)?.as_table())
        .ok_or_else(|| Failure::new("the root Cargo.toml has no [workspace.lints.rust]"))?;
    let warned = rust
        .iter()
        .filter(|(_, level)| level_of(level) == Some("warn"));
    let lints = COMPILER_GROUPS
        .iter()
        .copied()
        .chain(warned.map(|(lint, _)| lint.as_str()));
    Ok(lints
        .flat_map(|lint| ["-D".to_owned(), lint.to_owned()])
        .collect())
}

/// A level is written `"warn"` or `{ level = "warn", … }`.
fn level_of(value: &toml::Value) -> Option<&str> {
    value.as_str().or_else(|| value.get("level")?.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn warned_rust_lints_are_denied_and_clippy_ones_left_alone() {
        let manifest = "[workspace.lints.rust]\nunsafe_code = \"deny\"\nunreachable_pub = \"warn\"\n\
            unexpected_cfgs = { level = \"warn\", check-cfg = [] }\n[workspace.lints.clippy]\npedantic = \"warn\"\n";
        let flags = flags_of(manifest).unwrap().join(" ");
        assert!(flags.contains("-D unreachable_pub") && flags.contains("-D unexpected_cfgs"));
        assert!(flags.contains("-D unused"));
        assert!(!flags.contains("pedantic") && !flags.contains("unsafe_code"));
    }
}

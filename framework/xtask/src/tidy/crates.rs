//! What every crate has: a README, the workspace's lints, and the same `clippy.toml` in all pure crates.

use crate::metadata::Crate;
use crate::tidy::{PURE_LINTS, PURE_LINTS_COPIES, Violation};
use crate::tree::Tree;

pub(super) fn check(tree: &Tree, crates: &[Crate]) -> Vec<Violation> {
    let mut violations = Vec::new();
    for krate in crates {
        if tree.get(&format!("{}/README.md", krate.folder)).is_none() {
            let message = "has no README.md: say in a few lines what the crate is and who needs it";
            violations.push(Violation::file(&krate.folder, message));
        }
        let manifest = format!("{}/Cargo.toml", krate.folder);
        if tree
            .get(&manifest)
            .is_some_and(|file| !has_lints(file.text()))
        {
            let message =
                "has no lints: add `[lints] workspace = true`, or an own table with the reason";
            violations.push(Violation::file(&manifest, message));
        }
    }
    violations.extend(check_pure_lints(tree, crates));
    violations
}

fn has_lints(manifest: &str) -> bool {
    toml::from_str::<toml::Table>(manifest).is_ok_and(|table| table.contains_key("lints"))
}

fn check_pure_lints(tree: &Tree, crates: &[Crate]) -> Vec<Violation> {
    let Some(model) = tree.get(PURE_LINTS) else {
        return vec![Violation::file(
            PURE_LINTS,
            "is missing: pure crates take their lints from it",
        )];
    };
    let present = |folder: &str| crates.iter().any(|krate| krate.folder == folder);
    PURE_LINTS_COPIES
        .iter()
        .filter(|folder| present(folder))
        .map(|folder| format!("{folder}/clippy.toml"))
        .filter(|copy| {
            tree.get(copy)
                .is_none_or(|file| file.text() != model.text())
        })
        .map(|copy| {
            Violation::file(
                &copy,
                format!("must equal {PURE_LINTS}: run `cargo xtask fix`"),
            )
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn krate(folder: &str) -> Crate {
        Crate {
            name: "x".into(),
            folder: folder.into(),
            dependencies: Vec::new(),
        }
    }

    #[test]
    fn a_crate_needs_a_readme_and_lints() {
        let tree = Tree::of(&[
            (PURE_LINTS, ""),
            ("framework/cli/Cargo.toml", "[package]\nname = \"x\"\n"),
        ]);
        assert_eq!(check(&tree, &[krate("framework/cli")]).len(), 2);
    }

    #[test]
    fn copies_of_the_pure_lints_are_identical() {
        let files = [
            (PURE_LINTS, "a = 1\n"),
            ("framework/core/Cargo.toml", "[lints]\nworkspace = true\n"),
            ("framework/core/README.md", "core"),
            ("framework/core/clippy.toml", "a = 2\n"),
        ];
        let violations = check(&Tree::of(&files), &[krate("framework/core")]);
        assert_eq!(violations.len(), 1);
        assert_eq!(violations[0].path, "framework/core/clippy.toml");
    }
}

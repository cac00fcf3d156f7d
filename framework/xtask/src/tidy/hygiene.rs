//! What must not be in the repository: binary files, paths of one machine, registries of one company.

use crate::tidy::{Violation, scan};
use crate::tree::{File, Tree};

/// Folders that exist on somebody's machine. Written in pieces, so that this file passes its own rule.
const MACHINE_FOLDERS: [&str; 4] = [
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Settings that send a package manager elsewhere than its public registry.
const REGISTRY_SETTINGS: [&str; 7] = [
    concat!("--index", "-url"),
    concat!("--extra-index", "-url"),
    concat!("--find", "-links"),
    concat!("--trusted", "-host"),
    concat!("replace", "-with"),
    concat!("[source.", "crates-io]"),
    concat!("--reg", "istry="),
];

/// The only registry that the lock files may name.
const PUBLIC_REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.files.iter().flat_map(check_file).collect()
}

fn check_file(file: &File) -> Vec<Violation> {
    if file.text.is_none() {
        return vec![Violation::file(
            &file.path,
            "is a binary file: keep a text form, or make it from a command",
        )];
    }
    if file.path.ends_with("Cargo.lock") {
        return check_lock(file);
    }
    let mut violations = Vec::new();
    for (number, line) in scan::numbered(file.text()) {
        if let Some(folder) = MACHINE_FOLDERS
            .iter()
            .find(|folder| names_folder(line, folder))
        {
            let message = format!("`{folder}` is a path of one machine: use a relative path");
            violations.push(Violation::at(&file.path, number, message));
        }
        if let Some(setting) = REGISTRY_SETTINGS
            .iter()
            .find(|setting| line.contains(**setting))
        {
            let message = format!(
                "`{setting}` ties the build to one registry: leave it to the user's own settings"
            );
            violations.push(Violation::at(&file.path, number, message));
        }
    }
    violations
}

fn check_lock(lock: &File) -> Vec<Violation> {
    scan::numbered(lock.text())
        .filter(|(_, line)| line.starts_with("source = ") && !line.contains(PUBLIC_REGISTRY))
        .map(|(number, line)| {
            Violation::at(
                &lock.path,
                number,
                format!("{line}: not from the public registry"),
            )
        })
        .collect()
}

/// Whether `line` names an absolute path that starts with `folder` (`a/b/` inside a longer path is fine).
fn names_folder(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(at, _)| {
        let before = line.get(..at).and_then(|head| head.chars().next_back());
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absolute_paths_are_found_and_relative_ones_are_not() {
        let bad = format!("let a = \"{}x\";\n", MACHINE_FOLDERS[0]);
        let good = format!(
            "see ../a{}x and https://a.b{}c\n",
            MACHINE_FOLDERS[0], MACHINE_FOLDERS[2]
        );
        let tree = Tree::of(&[("bad.rs", &bad), ("good.md", &good)]);
        let paths: Vec<_> = check(&tree).into_iter().map(|v| v.path).collect();
        assert_eq!(paths, ["bad.rs"]);
    }

    #[test]
    fn binary_files_and_other_registries_are_found() {
        let mut tree = Tree::of(&[("Cargo.lock", "source = \"registry+https://mirror/index\"\n")]);
        tree.files.push(File {
            path: "a.png".into(),
            text: None,
        });
        assert_eq!(check(&tree).len(), 2);
    }
}

//! Every protocol crate has the same files: who knows one knows all.

use crate::tidy::Violation;
use crate::tree::Tree;

/// The files that all protocols share.
const SHARED: [&str; 11] = [
    "lib",
    "plugin",
    "config",
    "message",
    "state",
    "replica",
    "write_path",
    "read_path",
    "replication",
    "recovery",
    "inspect",
];

/// The template without replication: it may lack files of the list, but has no others.
const TEMPLATE: &str = "standalone";

pub(super) fn check(tree: &Tree) -> Vec<Violation> {
    tree.folders("protocols")
        .iter()
        .flat_map(|name| check_protocol(tree, name))
        .collect()
}

fn check_protocol(tree: &Tree, name: &str) -> Vec<Violation> {
    let source = format!("protocols/{name}/src");
    if name == TEMPLATE {
        let extra = modules(tree, &source)
            .into_iter()
            .filter(|module| !SHARED.contains(&module.as_str()));
        let message =
            "is no file of the shared list: the template has the names of the other protocols";
        return extra
            .map(|module| Violation::file(&format!("{source}/{module}.rs"), message))
            .collect();
    }
    let have = modules(tree, &source);
    SHARED
        .iter()
        .filter(|module| !have.iter().any(|name| name == *module))
        .map(|module| format!("{source}/{module}.rs"))
        .map(|path| Violation::file(&path, "is missing: every protocol crate has the same files"))
        .collect()
}

/// The modules at the top of a source folder, as `name.rs` or `name/mod.rs`; tests left out.
fn modules(tree: &Tree, source: &str) -> Vec<String> {
    let mut names: Vec<String> = tree
        .under(source)
        .filter(|file| file.has_extension("rs") && !file.is_test())
        .filter_map(|file| file.path.get(source.len().saturating_add(1)..))
        .filter_map(|rest| {
            rest.strip_suffix("/mod.rs")
                .or_else(|| rest.strip_suffix(".rs"))
        })
        .filter(|name| !name.contains('/'))
        .map(str::to_owned)
        .collect();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_protocol_has_all_files_and_the_template_no_others() {
        let tree = Tree::of(&[
            ("protocols/clippy.toml", ""),
            ("protocols/leaderless/src/lib.rs", ""),
            ("protocols/leaderless/src/quorum.rs", ""),
            ("protocols/leaderless/src/replica/mod.rs", ""),
            ("protocols/standalone/src/lib.rs", ""),
            ("protocols/standalone/src/extra.rs", ""),
        ]);
        let violations = check(&tree);
        let of = |name: &str| violations.iter().filter(|v| v.path.contains(name)).count();
        assert_eq!(of("leaderless"), SHARED.len() - 2);
        assert_eq!(of("standalone"), 1);
    }
}

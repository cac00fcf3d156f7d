//! Pure crates: no clock, no randomness, no unordered map, no async runtime. Clippy finds most of it; this rule also
//! finds what a crate hides behind a feature or a macro.

use crate::metadata::{Crate, Kind};
use crate::tidy::{PURE_FRAMEWORK_CRATES, Violation, scan};
use crate::tree::{Tree, is_under};

/// A word that a pure crate does not use, and what to use instead.
const BANNED: [(&str, &str); 7] = [
    ("Instant::now", "time is an input: take `Now`"),
    ("SystemTime::now", "time is an input: take `Now`"),
    (
        "HashMap",
        "its iteration order differs from run to run: use BTreeMap",
    ),
    (
        "HashSet",
        "its iteration order differs from run to run: use BTreeSet",
    ),
    (
        "thread_rng",
        "randomness is an input: use the seed given at boot",
    ),
    (
        "rand::rng",
        "randomness is an input: use the seed given at boot",
    ),
    (
        "rand::random",
        "randomness is an input: use the seed given at boot",
    ),
];

/// Crates that do I/O, run tasks or read the machine's entropy.
const IMPURE_CRATES: [&str; 7] = [
    "tokio",
    "mio",
    "async-std",
    "smol",
    "getrandom",
    "dashmap",
    "socket2",
];

pub(super) fn check(tree: &Tree, crates: &[Crate]) -> Vec<Violation> {
    let mut violations: Vec<Violation> = crates
        .iter()
        .filter(|krate| is_pure(&krate.folder))
        .flat_map(check_dependencies)
        .collect();
    for file in tree
        .files
        .iter()
        .filter(|file| file.has_extension("rs") && in_pure_crate(&file.path))
    {
        for (number, line) in scan::numbered(file.text()) {
            let code = scan::code(line);
            let found = BANNED.iter().filter(|(word, _)| scan::has_word(code, word));
            violations.extend(found.map(|(word, instead)| {
                Violation::at(
                    &file.path,
                    number,
                    format!("`{word}` in a pure crate: {instead}"),
                )
            }));
        }
    }
    violations
}

fn check_dependencies(krate: &Crate) -> Vec<Violation> {
    let manifest = format!("{}/Cargo.toml", krate.folder);
    let shipped = krate
        .dependencies
        .iter()
        .filter(|dependency| dependency.kind != Kind::Dev);
    shipped
        .filter(|dependency| IMPURE_CRATES.contains(&dependency.name.as_str()))
        .map(|dependency| {
            Violation::file(
                &manifest,
                format!("{} in a pure crate: return an effect", dependency.name),
            )
        })
        .collect()
}

fn is_pure(folder: &str) -> bool {
    is_under(folder, "protocols") || PURE_FRAMEWORK_CRATES.contains(&folder)
}

/// Examples and benches of a pure crate are programs of their own: they may time themselves.
fn in_pure_crate(path: &str) -> bool {
    if path.contains("/examples/") || path.contains("/benches/") {
        return false;
    }
    is_under(path, "protocols")
        || PURE_FRAMEWORK_CRATES
            .iter()
            .any(|folder| is_under(path, folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_found_in_pure_crates_alone() {
        let text = "// HashMap would do\nlet t = Instant::now();\n";
        let tree = Tree::of(&[
            ("framework/core/src/a.rs", text),
            ("framework/cli/src/a.rs", text),
        ]);
        let violations = check(&tree, &[]);
        assert_eq!(violations.len(), 1);
        assert_eq!(
            (violations[0].path.as_str(), violations[0].line),
            ("framework/core/src/a.rs", 2)
        );
    }
}

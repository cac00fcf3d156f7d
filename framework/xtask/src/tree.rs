//! The files of the checkout, read once.

use std::path::{Path, PathBuf};

use crate::failure::{During, Result};
use crate::shell;

/// Folders that hold no source, skipped when git is not there to tell.
const SKIPPED_FOLDERS: [&str; 4] = [".git", "target", "node_modules", "results"];

/// One file of the checkout.
#[derive(Debug, Clone)]
pub struct File {
    /// Path from the root, with `/`.
    pub path: String,
    /// Content; `None` when it is not text.
    pub text: Option<String>,
}

impl File {
    /// The text, empty for a binary file.
    pub fn text(&self) -> &str {
        self.text.as_deref().unwrap_or_default()
    }

    /// Whether the name ends with `.extension`.
    pub fn has_extension(&self, extension: &str) -> bool {
        Path::new(&self.path)
            .extension()
            .is_some_and(|have| have == extension)
    }

    /// Whether the file is test code as a whole, by its place or its name.
    pub fn is_test(&self) -> bool {
        self.path
            .split('/')
            .any(|part| matches!(part, "tests" | "benches" | "fuzz" | "fuzz_targets"))
            || self.path.ends_with("_test.rs")
            || self.path.ends_with("/tests.rs")
    }
}

/// Every file that is tracked, or new and not ignored.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// The folder that the paths start from.
    pub root: PathBuf,
    /// The files, sorted by path.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads the checkout at `root`.
    ///
    /// # Errors
    /// When a listed file cannot be read.
    pub fn open(root: &Path) -> Result<Self> {
        let mut paths = list(root)?;
        paths.sort();
        paths.dedup();
        let mut files = Vec::with_capacity(paths.len());
        for path in paths {
            let full = root.join(&path);
            // A file that is listed and gone was deleted but not committed yet.
            if full.is_file() {
                let bytes = std::fs::read(&full).during(format_args!("cannot read {path}"))?;
                files.push(File {
                    path,
                    text: text_of(bytes),
                });
            }
        }
        Ok(Self {
            root: root.to_path_buf(),
            files,
        })
    }

    /// A tree in memory, for tests of the rules.
    pub fn of(files: &[(&str, &str)]) -> Self {
        let mut files: Vec<File> = files
            .iter()
            .map(|(path, text)| File {
                path: (*path).to_owned(),
                text: Some((*text).to_owned()),
            })
            .collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Self {
            root: PathBuf::new(),
            files,
        }
    }

    /// The file at `path`, if there is one.
    pub fn get(&self, path: &str) -> Option<&File> {
        let at = self
            .files
            .binary_search_by(|file| file.path.as_str().cmp(path))
            .ok()?;
        self.files.get(at)
    }

    /// The files below `folder` (given without a trailing slash).
    pub fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a File> {
        self.files
            .iter()
            .filter(move |file| is_under(&file.path, folder))
    }

    /// The names of the folders directly below `folder`, sorted.
    pub fn folders(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .under(folder)
            .filter_map(|file| {
                file.path
                    .get(folder.len().saturating_add(1)..)?
                    .split_once('/')
            })
            .map(|(name, _)| name.to_owned())
            .collect();
        names.dedup();
        names
    }
}

/// Whether `path` lies below `folder`.
pub fn is_under(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder)
        .is_some_and(|rest| rest.starts_with('/'))
}

fn text_of(bytes: Vec<u8>) -> Option<String> {
    if bytes.contains(&0) {
        None
    } else {
        String::from_utf8(bytes).ok()
    }
}

fn list(root: &Path) -> Result<Vec<String>> {
    let args = [
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ];
    match shell::capture(root, "git", &args, &[]) {
        Ok(out) if out.code == Some(0) => Ok(out
            .stdout
            .split('\0')
            .filter(|path| !path.is_empty())
            .map(str::to_owned)
            .collect()),
        // An exported archive has no history: walk it.
        _ => {
            let mut found = Vec::new();
            walk(root, root, &mut found)?;
            Ok(found)
        }
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) -> Result<()> {
    let entries =
        std::fs::read_dir(folder).during(format_args!("cannot list {}", folder.display()))?;
    for entry in entries {
        let path = entry.during("cannot list a folder")?.path();
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().into_owned())
            .unwrap_or_default();
        if path.is_dir() {
            if !SKIPPED_FOLDERS.contains(&name.as_str()) {
                walk(root, &path, found)?;
            }
        } else if let Ok(relative) = path.strip_prefix(root) {
            found.push(relative.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_direct_children_only() {
        let tree = Tree::of(&[
            ("a/b/c.rs", ""),
            ("a/b/d.rs", ""),
            ("a/e.rs", ""),
            ("ab/x/y", ""),
        ]);
        assert_eq!(tree.folders("a"), ["b"]);
        assert!(tree.get("a/e.rs").is_some());
        assert!(tree.get("a/b").is_none());
    }

    #[test]
    fn test_code_is_told_by_place_or_name() {
        let is_test = |path: &str| {
            File {
                path: path.to_owned(),
                text: None,
            }
            .is_test()
        };
        assert!(is_test("framework/core/tests/laws.rs"));
        assert!(is_test("framework/core/src/clock_test.rs"));
        assert!(!is_test("framework/core/src/contest.rs"));
    }
}

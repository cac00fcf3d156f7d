//! The crates of the workspace and what they declare, from `cargo metadata`.

use std::path::Path;

use serde_json::Value;

use crate::failure::{During, Failure, Result};
use crate::shell;

/// Why a crate depends on another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Linked into the crate.
    Normal,
    /// For tests, examples and benches.
    Dev,
    /// For the build script.
    Build,
}

/// One declared dependency.
#[derive(Debug, Clone)]
pub struct Dependency {
    /// Package name.
    pub name: String,
    /// Why it is there.
    pub kind: Kind,
    /// Folder from the root, when it is one of our crates.
    pub folder: Option<String>,
}

/// One crate of the workspace.
#[derive(Debug, Clone)]
pub struct Crate {
    /// Package name.
    pub name: String,
    /// Folder from the root.
    pub folder: String,
    /// What it declares, optional dependencies included.
    pub dependencies: Vec<Dependency>,
}

/// Asks cargo for the workspace at `root`. Reads manifests only: no network, no lock file.
///
/// # Errors
/// When cargo fails, or answers in a form that we do not know.
pub fn crates(root: &Path) -> Result<Vec<Crate>> {
    let args = [
        "metadata",
        "--format-version",
        "1",
        "--no-deps",
        "--offline",
    ];
    let out = shell::capture(root, &shell::cargo(), &args, &[])?;
    if out.code != Some(0) {
        return Err(Failure::new(format!(
            "cargo metadata failed:\n{}",
            out.stderr
        )));
    }
    parse(&out.stdout)
}

fn parse(json: &str) -> Result<Vec<Crate>> {
    let value: Value = serde_json::from_str(json).during("cannot parse cargo metadata")?;
    let root = text(&value, "workspace_root")?;
    let packages = value.get("packages").and_then(Value::as_array);
    let packages = packages.ok_or_else(|| Failure::new("cargo metadata has no packages"))?;
    let mut crates = packages
        .iter()
        .map(|p| package(p, &root))
        .collect::<Result<Vec<_>>>()?;
    crates.sort_by(|a, b| a.folder.cmp(&b.folder));
    Ok(crates)
}

fn package(value: &Value, root: &str) -> Result<Crate> {
    let manifest = text(value, "manifest_path")?;
    let folder = relative(&manifest, root);
    let folder = folder
        .trim_end_matches("Cargo.toml")
        .trim_end_matches('/')
        .to_owned();
    let declared = value
        .get("dependencies")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let dependencies = declared
        .iter()
        .map(|d| dependency(d, root))
        .collect::<Result<Vec<_>>>()?;
    Ok(Crate {
        name: text(value, "name")?,
        folder,
        dependencies,
    })
}

fn dependency(value: &Value, root: &str) -> Result<Dependency> {
    let kind = match value.get("kind").and_then(Value::as_str) {
        Some("dev") => Kind::Dev,
        Some("build") => Kind::Build,
        _ => Kind::Normal,
    };
    let folder = value
        .get("path")
        .and_then(Value::as_str)
        .map(|path| relative(path, root));
    Ok(Dependency {
        name: text(value, "name")?,
        kind,
        folder,
    })
}

fn relative(path: &str, root: &str) -> String {
    let rest = path.strip_prefix(root).unwrap_or(path);
    rest.replace('\\', "/").trim_start_matches('/').to_owned()
}

fn text(value: &Value, key: &str) -> Result<String> {
    let found = value.get(key).and_then(Value::as_str).map(str::to_owned);
    found.ok_or_else(|| Failure::new(format!("cargo metadata lacks `{key}`")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_relative_and_kinds_are_kept() {
        let json = r#"{"workspace_root":"/r","packages":[{"name":"a","manifest_path":"/r/framework/a/Cargo.toml",
            "dependencies":[{"name":"b","kind":"dev","path":"/r/framework/b"},{"name":"c","kind":null}]}]}"#;
        let crates = parse(json).unwrap();
        assert_eq!(crates[0].folder, "framework/a");
        assert_eq!(
            crates[0].dependencies[0].folder.as_deref(),
            Some("framework/b")
        );
        assert_eq!(crates[0].dependencies[0].kind, Kind::Dev);
        assert_eq!(crates[0].dependencies[1].kind, Kind::Normal);
    }
}

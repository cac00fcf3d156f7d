//! Settings from outside of files: environment variables and flags.

use crate::check::Findings;
use crate::error::{ConfigError, Origin};
use crate::fields::{self, FieldDoc};
use crate::layers::Layers;
use crate::nearest::nearest;
use crate::show;
use crate::tree::Tree;

/// Variables that set a key: this, then the path with `__` between its parts, in capitals.
pub(crate) const PREFIX: &str = "REPERTOIRE_CONFIG__";

/// Variables that stand for a flag: this, then its name in capitals.
const FLAG_PREFIX: &str = "REPERTOIRE_";

/// Most parts of a path.
const DEPTH_MAX: usize = 16;

/// A flag that sets one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FlagDoc {
    /// The flag's name, without dashes.
    pub flag: &'static str,
    /// The key it sets.
    pub key: &'static str,
}

const FLAGS: [FlagDoc; 4] = [
    flag("node-id", "node.id"),
    flag("site", "node.site"),
    flag("listen", "node.listen"),
    flag("data", "node.data"),
];

const fn flag(flag: &'static str, key: &'static str) -> FlagDoc {
    FlagDoc { flag, key }
}

/// Flags with a short name: what differs between the nodes of a cluster. Every other key is set by
/// its full path.
pub const fn flags() -> &'static [FlagDoc] {
    &FLAGS
}

/// The variables of this process that matter to a configuration. Values that are not UTF-8 are
/// taken with replacement characters, and so refused where they matter.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value))
        .filter(|(name, _)| name.starts_with(FLAG_PREFIX))
        .map(|(name, value)| (name, value.to_string_lossy().into_owned()))
        .collect()
}

/// Adds the environment: first the variables that name a key, then those that stand for a flag.
pub(crate) fn add_environment(
    layers: &mut Layers,
    variables: &[(String, String)],
    findings: &mut Findings,
) {
    let mut keys: Vec<(String, Vec<String>, &str)> = variables
        .iter()
        .filter_map(|(name, value)| {
            let path = name.strip_prefix(PREFIX)?.to_lowercase();
            let path = path.split("__").map(str::to_owned).collect();
            Some((name.clone(), path, value.as_str()))
        })
        .collect();
    // Shallow keys first: which plug-ins a keyspace has decides what deeper keys mean.
    keys.sort_by(|a, b| (a.1.len(), &a.0).cmp(&(b.1.len(), &b.0)));
    layers.begin_stronger();
    for (name, path, value) in keys {
        let origin = Origin::Environment(show::key(&name));
        let path = if is_path(&path) {
            resolve(&layers.merged(), path)
        } else {
            path
        };
        add(layers, origin, &path, value, findings);
    }
    layers.begin_stronger();
    for FlagDoc { flag, key } in flags() {
        let name = format!("{FLAG_PREFIX}{}", flag.replace('-', "_").to_uppercase());
        let last = variables.iter().rev().find(|(known, _)| *known == name);
        if let Some((_, value)) = last {
            layers.add_string(Origin::Environment(name), &split(key), value);
        }
    }
}

/// Adds flags: pairs of a flag's name or a key's full path, and a value.
pub(crate) fn add_overrides(
    layers: &mut Layers,
    pairs: &[(String, String)],
    findings: &mut Findings,
) {
    layers.begin_stronger();
    for (name, value) in pairs {
        let known = flags().iter().find(|known| known.flag == name);
        if let Some(known) = known {
            let origin = Origin::Flag(format!("--{name}"));
            layers.add_string(origin, &split(known.key), value);
        } else if name.contains('.') {
            let origin = Origin::Flag(format!("--set {}", show::key_path(name)));
            add(layers, origin, &split(name), value, findings);
        } else {
            findings.push(unknown_flag(name));
        }
    }
}

fn add(layers: &mut Layers, origin: Origin, path: &[String], value: &str, findings: &mut Findings) {
    if is_path(path) {
        layers.add_string(origin, path, value);
        return;
    }
    let key = show::key_path(&path.join("."));
    let reason = "it is not the path of a key: a part is empty, or there are too many";
    let remedy = "name section and key, as in REPERTOIRE_CONFIG__NODE__LISTEN or `node.listen`";
    findings.push(ConfigError::new(origin, key, reason, remedy));
}

fn unknown_flag(name: &str) -> ConfigError {
    let known = || flags().iter().map(|known| known.flag);
    let remedy = nearest(name, known()).map_or_else(
        || "write the full path of a key, such as `node.listen`".to_owned(),
        |near| format!("write `{near}`"),
    );
    let shown = show::key(name);
    let reason = "neither a flag of the configuration nor the path of a key";
    ConfigError::new(Origin::Flag(format!("--{shown}")), shown, reason, remedy)
}

fn is_path(path: &[String]) -> bool {
    path.len() <= DEPTH_MAX && path.iter().all(|part| !part.is_empty())
}

/// Whether the field at a path takes any text, which then needs no quotes.
pub(crate) fn is_text(path: &[String]) -> bool {
    fields::find(path).is_some_and(FieldDoc::is_text)
}

fn split(key: &str) -> Vec<String> {
    key.split('.').map(str::to_owned).collect()
}

/// Finds the names that a variable means. Variables cannot hold dashes, so `_` stands for `-` too
/// where a keyspace, a plug-in or one of its options is called so.
fn resolve(merged: &Tree, path: Vec<String>) -> Vec<String> {
    let is_keyspace = path.first().is_some_and(|name| name == "keyspace");
    let mut at = Some(merged);
    let mut resolved = Vec::with_capacity(path.len());
    for (depth, name) in path.into_iter().enumerate() {
        let plugins = match at {
            Some(keyspace) if is_keyspace && depth == 2 => plugins_of(keyspace),
            _ => Vec::new(),
        };
        let table = at.and_then(Tree::table);
        let known = table.into_iter().flat_map(|table| table.keys());
        let meant = known
            .chain(&plugins)
            .filter(|known| **known == name || known.replace('-', "_") == name)
            // An exact match comes before one with dashes.
            .max_by_key(|known| **known == name);
        let name = meant.cloned().unwrap_or(name);
        at = table.and_then(|table| table.get(&name));
        resolved.push(name);
    }
    resolved
}

/// The plug-ins that a keyspace names, or has by default.
fn plugins_of(keyspace: &Tree) -> Vec<String> {
    let table = keyspace.table();
    let chosen = |key: &&str| match table?.get(*key) {
        Some(tree) => tree.text().map(str::to_owned),
        None => fields::default_text(&format!("keyspace.<name>.{key}")),
    };
    fields::PLUGIN_KEYS.iter().filter_map(chosen).collect()
}

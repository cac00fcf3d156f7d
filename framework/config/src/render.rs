//! The configuration in force, as TOML, each value with its origin.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value as Json;

use crate::config::Config;
use crate::error::Origin;
use crate::fields::SECTIONS;
use crate::show;

/// Column of the origins, when values leave room for them.
const ORIGIN_COLUMN: usize = 48;

impl Config {
    /// The configuration in force as TOML, with the origin of each value in a comment. Loads
    /// again to the same configuration, except that relative paths in a file start at that file.
    /// Secrets in the options of plug-ins are not shown.
    pub fn render_effective(&self) -> String {
        let mut text = String::new();
        let sections = serde_json::to_value(self).unwrap_or_default();
        for section in SECTIONS {
            let Some(value) = sections.get(section) else {
                continue;
            };
            if section == "keyspace" {
                for (name, keyspace) in pairs(value) {
                    let path = format!("{section}.{}", show::full_key(name));
                    self.write_table(&mut text, &path, keyspace);
                    self.write_plugins(&mut text, &path, name);
                }
            } else {
                self.write_table(&mut text, section, value);
            }
        }
        text
    }

    fn write_plugins(&self, text: &mut String, path: &str, name: &str) {
        let Some(keyspace) = self.keyspaces.get(name) else {
            return;
        };
        for (plugin, options) in &keyspace.plugins {
            let path = format!("{path}.{}", show::full_key(plugin));
            self.write_table(text, &path, options);
        }
    }

    fn write_table(&self, text: &mut String, path: &str, value: &Json) {
        if !text.is_empty() {
            text.push('\n');
        }
        let _ = writeln!(text, "[{path}]");
        for (name, value) in pairs(value) {
            let key = format!("{path}.{}", show::key(name));
            let line = if value.is_null() {
                // TOML has no word for nothing.
                format!("# {} is not set", show::full_key(name))
            } else {
                let value = show::toml(&key, value);
                format!("{} = {value}", show::full_key(name))
            };
            let origin = self.shown_origin(&key);
            let _ = writeln!(text, "{line:<ORIGIN_COLUMN$} # {origin}");
        }
    }

    /// The origins of a value: of a table that several layers have written, all of them.
    fn shown_origin(&self, key: &str) -> String {
        let below = format!("{key}.");
        let known = &self.origins.by_key;
        let parts = known
            .range(below.clone()..)
            .take_while(|(key, _)| key.starts_with(&below))
            .map(|(_, origin)| origin);
        let mut origins: Vec<&Origin> = parts.collect();
        if origins.is_empty() {
            origins.extend(known.get(key));
        }
        origins.sort();
        origins.dedup();
        let names: Vec<String> = origins.into_iter().map(ToString::to_string).collect();
        if names.is_empty() {
            return Origin::Default.to_string();
        }
        // A path with a line break would end the comment.
        names.join(", ").replace(char::is_control, " ")
    }
}

/// The pairs of an object in order, whatever order the JSON library keeps.
fn pairs(value: &Json) -> BTreeMap<&String, &Json> {
    value.as_object().into_iter().flatten().collect()
}

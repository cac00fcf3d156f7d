//! Every setting: key, default, meaning, unit, range. The one table behind the checks, the printed
//! configuration, the sample and the reference.

mod cluster;
mod keyspace;
mod machine;

use crate::kind::Kind;

/// What a default says when there is none.
pub(crate) const REQUIRED: &str = "none: it must be set";

/// What a default says when the setting may be left out.
pub(crate) const NOT_SET: &str = "not set";

/// Settings of a keyspace that name a plug-in. The options of that plug-in stand in a table of its
/// name.
pub(crate) const PLUGIN_KEYS: [&str; 4] = ["protocol", "engine", "log_format", "resolver"];

/// The sections, in the order in which people write them.
pub(crate) const SECTIONS: [&str; 7] = [
    "node",
    "tls",
    "cluster",
    "keyspace",
    "log",
    "limits",
    "transport",
];

/// What there is to know of a setting.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct FieldDoc {
    /// The full path; `<name>` stands for any keyspace, `<id>` for any node, `<plug-in>` for any
    /// plug-in.
    pub key: &'static str,
    /// The default, as TOML, or in words where it depends on other settings.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// The unit; empty for what has none.
    pub unit: &'static str,
    /// What it may be.
    pub range: &'static str,
    pub(crate) kind: Kind,
}

impl FieldDoc {
    const fn new(key: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self {
            key,
            default,
            meaning,
            unit: "",
            range: "",
            kind: Kind::PluginTable,
        }
    }

    const fn of(mut self, kind: Kind, range: &'static str) -> Self {
        self.kind = kind;
        self.range = range;
        self
    }

    const fn in_bytes(mut self) -> Self {
        self.unit = "bytes";
        self
    }

    const fn bytes(self, min: u64, max: u64, range: &'static str) -> Self {
        self.integer(min, max, range).in_bytes()
    }

    const fn milliseconds(self, min: u64, max: u64, range: &'static str) -> Self {
        let mut field = self.integer(min, max, range);
        field.unit = "milliseconds";
        field
    }

    const fn integer(self, min: u64, max: u64, range: &'static str) -> Self {
        self.of(
            Kind::Integer {
                min,
                max,
                word: None,
            },
            range,
        )
    }

    /// Whether it must be set.
    pub fn is_required(&self) -> bool {
        self.default == REQUIRED
    }

    /// Whether it takes any text, which needs no quotes in a variable or a flag.
    pub(crate) const fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Text(_) | Kind::Choice(_))
    }

    /// The section.
    pub(crate) fn section(&self) -> &'static str {
        self.key.split('.').next().unwrap_or_default()
    }

    /// The last part of the key.
    pub(crate) fn name(&self) -> &'static str {
        self.key.rsplit('.').next().unwrap_or_default()
    }
}

/// Every setting, by section.
pub fn fields() -> &'static [FieldDoc] {
    &FIELDS
}

/// All of them in one table: the sections stand in files of their own.
static FIELDS: std::sync::LazyLock<Vec<FieldDoc>> = std::sync::LazyLock::new(|| {
    let parts = [
        machine::FIRST,
        cluster::FIELDS,
        keyspace::FIELDS,
        machine::LAST,
    ];
    parts.concat()
});

/// The setting at a path; nothing for sections, unknown keys and options of plug-ins.
pub(crate) fn find(path: &[String]) -> Option<&'static FieldDoc> {
    let matches = |field: &&FieldDoc| {
        let mut parts = field.key.split('.');
        let is_same = |name: &String| {
            parts
                .next()
                .is_some_and(|part| part == name || part.starts_with('<'))
        };
        let all_same = path.iter().all(is_same);
        all_same && parts.next().is_none() && !matches!(field.kind, Kind::PluginTable)
    };
    fields().iter().find(matches)
}

/// The default of a field that is a text.
pub(crate) fn default_text(key: &str) -> Option<String> {
    let field = fields().iter().find(|field| field.key == key)?;
    let inner = field.default.strip_prefix('"')?.strip_suffix('"')?;
    Some(inner.to_owned())
}

/// The fields right below a section.
pub(crate) fn below(prefix: &str) -> impl Iterator<Item = &'static FieldDoc> + Clone {
    fields().iter().filter(move |field| {
        let rest = field.key.strip_prefix(prefix);
        let name = rest.and_then(|rest| rest.strip_prefix('.'));
        name.is_some_and(|name| !name.contains('.') && !name.starts_with('<'))
    })
}

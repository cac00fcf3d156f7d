//! The layers, merged: files, then the environment, then flags. The one place that knows figment.

use std::path::Path;
use std::sync::Arc;

use figment::providers::{Format as _, Toml};
use figment::value::{Dict, Map, Num, Value as FigmentValue};
use figment::{Error, Figment, Metadata, Profile, Provider};

use crate::error::{ConfigError, ConfigErrors, Origin};
use crate::strings;
use crate::tree::{Source, Tree, Value};

/// Largest configuration file. A real one has a few kilobytes; the wrong file may have many.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// Layers under construction.
pub(crate) struct Layers {
    figment: Figment,
    sources: Vec<Arc<Source>>,
    rank: usize,
}

/// One layer as figment wants it. Its name is its number in [`Layers::sources`].
struct Layer {
    number: usize,
    values: Dict,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.number.to_string())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, Error> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

impl Layers {
    /// No layer yet.
    pub(crate) fn new() -> Self {
        Self {
            figment: Figment::new(),
            sources: Vec::new(),
            rank: 0,
        }
    }

    /// Adds a file.
    pub(crate) fn add_file(&mut self, path: &Path) -> Result<(), ConfigErrors> {
        let text = read(path)?;
        self.add_text(path, &text)
    }

    /// Adds a text as if it were the contents of `path`.
    pub(crate) fn add_text(&mut self, path: &Path, text: &str) -> Result<(), ConfigErrors> {
        let origin = Origin::File(path.to_owned());
        let values = parse(text).map_err(|(at, reason)| {
            let reason = format!("{at}: this is not TOML: {reason}");
            let remedy = "correct the line; texts need quotes, and a table starts with [its name]";
            ConfigErrors::from(ConfigError::new(origin.clone(), "", reason, remedy))
        })?;
        self.rank += 1;
        self.add(origin, values);
        Ok(())
    }

    /// Adds a value that was written outside of a file, at a path of keys.
    pub(crate) fn add_string(&mut self, origin: Origin, path: &[String], text: &str) {
        let wants_text = strings::is_text(path);
        let value = if wants_text { None } else { parse_value(text) };
        let mut value = value.unwrap_or_else(|| FigmentValue::from(text));
        for name in path.iter().skip(1).rev() {
            value = FigmentValue::from(Dict::from([(name.clone(), value)]));
        }
        if let Some(first) = path.first() {
            self.add(origin, Dict::from([(first.clone(), value)]));
        }
    }

    /// What follows is stronger than what came before.
    pub(crate) fn begin_stronger(&mut self) {
        self.rank += 1;
    }

    /// What all layers say together.
    pub(crate) fn merged(&self) -> Tree {
        let values = self.figment.data().unwrap_or_default();
        let values = values.into_values().next().unwrap_or_default();
        let nowhere = Source {
            origin: Origin::Default,
            rank: 0,
        };
        Tree {
            value: self.table(values),
            source: Arc::new(nowhere),
        }
    }

    fn add(&mut self, origin: Origin, values: Dict) {
        let number = self.sources.len();
        let rank = self.rank;
        self.sources.push(Arc::new(Source { origin, rank }));
        let figment = std::mem::take(&mut self.figment);
        self.figment = figment.merge(Layer { number, values });
    }

    fn table(&self, values: Dict) -> Value {
        let pair = |(name, value)| (name, self.tree(value));
        Value::Table(values.into_iter().map(pair).collect())
    }

    fn tree(&self, value: FigmentValue) -> Tree {
        let source = self.source(&value);
        let value = match value {
            FigmentValue::String(_, text) => Value::Text(text),
            FigmentValue::Char(_, c) => Value::Text(c.to_string()),
            FigmentValue::Bool(_, flag) => Value::Flag(flag),
            FigmentValue::Num(_, number) => number_of(number),
            FigmentValue::Empty(..) => Value::Foreign("nothing"),
            FigmentValue::Dict(_, values) if is_date(&values) => Value::Foreign("a date"),
            FigmentValue::Dict(_, values) => self.table(values),
            FigmentValue::Array(_, list) => {
                Value::List(list.into_iter().map(|item| self.tree(item)).collect())
            }
        };
        Tree { value, source }
    }

    fn source(&self, value: &FigmentValue) -> Arc<Source> {
        let metadata = self.figment.get_metadata(value.tag());
        let number = metadata.and_then(|layer| layer.name.parse::<usize>().ok());
        let known = number.and_then(|number| self.sources.get(number));
        known.cloned().unwrap_or_else(|| {
            let (origin, rank) = (Origin::Default, 0);
            Arc::new(Source { origin, rank })
        })
    }
}

fn number_of(number: Num) -> Value {
    if let Some(float) = number.to_f64() {
        return Value::Float(float);
    }
    let unsigned = || number.to_u128().and_then(|wide| i128::try_from(wide).ok());
    number
        .to_i128()
        .or_else(unsigned)
        .and_then(|wide| i64::try_from(wide).ok())
        .map_or(Value::Foreign("too large a number"), Value::Integer)
}

/// The TOML reader hands a date over as a table with one private key.
fn is_date(values: &Dict) -> bool {
    values.keys().any(|key| key.starts_with("$__toml_private"))
}

fn read(path: &Path) -> Result<String, ConfigErrors> {
    let problem = |reason: String, remedy: &str| {
        let origin = Origin::File(path.to_owned());
        ConfigErrors::from(ConfigError::new(origin, "", reason, remedy))
    };
    let unreadable = |e: std::io::Error| {
        let remedy = "name a file that exists and that this user may read";
        problem(format!("the file cannot be read: {e}"), remedy)
    };
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > FILE_BYTES_MAX {
        let reason = format!("the file has {size} bytes, at most {FILE_BYTES_MAX} are read");
        return Err(problem(reason, "name a configuration file"));
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|e| {
        let at = e.utf8_error().valid_up_to();
        let reason = format!("the file is not UTF-8 (byte {at})");
        problem(reason, "save it as UTF-8, or name a configuration file")
    })
}

/// Reads TOML. The reader's own message is kept, its quotation of the line is not: it might hold
/// what nobody should read.
fn parse(text: &str) -> Result<Dict, (String, String)> {
    Toml::from_str::<Dict>(text).map_err(|e| {
        let at = e.span().map_or(0, |span| span.start);
        (place(text, at), e.message().trim().replace('\n', ", "))
    })
}

/// Reads what stands right of an equals sign; nothing when it is no TOML value.
fn parse_value(text: &str) -> Option<FigmentValue> {
    let mut values = parse(&format!("value = {text}")).ok()?;
    let value = values.remove("value")?;
    values.is_empty().then_some(value)
}

fn place(text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or("").chars().count() + 1;
    format!("line {line}, column {column}")
}

//! Problems of a configuration: where, which key, what is wrong with it, and what to do.

use std::fmt;
use std::path::PathBuf;

use repertoire_core::{Error, ErrorKind};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// A configuration file.
    File(PathBuf),
    /// An environment variable.
    Environment(String),
    /// A flag of the command.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One problem. Its text says where, which key, the value, the reason and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConfigError {
    /// Where the value came from, or the file that should have it.
    pub origin: Origin,
    /// The full path of the key; empty when a whole file is meant.
    pub key: String,
    /// The value, shortened, secrets replaced; nothing when there is none.
    pub value: Option<String>,
    /// What is wrong.
    pub reason: String,
    /// What to do.
    pub remedy: String,
}

impl ConfigError {
    /// A problem without a value.
    pub(crate) fn new(
        origin: Origin,
        key: impl Into<String>,
        reason: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            origin,
            key: key.into(),
            value: None,
            reason: reason.into(),
            remedy: remedy.into(),
        }
    }

    /// The value that is wrong, as it may be shown.
    pub(crate) fn with_value(mut self, shown: impl Into<String>) -> Self {
        self.value = Some(shown.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.origin)?;
        if !self.key.is_empty() {
            f.write_str(&self.key)?;
            if let Some(value) = &self.value {
                write!(f, " = {value}")?;
            }
            f.write_str(": ")?;
        }
        write!(f, "{}; {}", self.reason, self.remedy)
    }
}

impl std::error::Error for ConfigError {}

/// All problems that were found at once; never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    problems: Vec<ConfigError>,
}

impl ConfigErrors {
    /// `Ok(value)` when there are no problems.
    pub(crate) fn unless_empty<T>(problems: Vec<ConfigError>, value: T) -> Result<T, Self> {
        if problems.is_empty() {
            Ok(value)
        } else {
            Err(Self { problems })
        }
    }

    /// The problems, or `otherwise` when there are none.
    pub(crate) fn or(mut problems: Vec<ConfigError>, otherwise: ConfigError) -> Self {
        if problems.is_empty() {
            problems.push(otherwise);
        }
        Self { problems }
    }

    /// The problems, in the order of the configuration's sections.
    pub fn problems(&self) -> &[ConfigError] {
        &self.problems
    }
}

impl From<ConfigError> for ConfigErrors {
    fn from(problem: ConfigError) -> Self {
        Self {
            problems: vec![problem],
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let [problem] = self.problems.as_slice() {
            return write!(f, "{problem}");
        }
        write!(f, "{} problems in the configuration:", self.problems.len())?;
        for problem in &self.problems {
            write!(f, "\n  {problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

impl From<ConfigErrors> for Error {
    /// The first problem as an error of the framework, with the number of the others.
    fn from(errors: ConfigErrors) -> Self {
        let mut error = Self::new(ErrorKind::ConfigInvalid, "load the configuration");
        if let Some(first) = errors.problems.first() {
            error = error.with("origin", &first.origin).with("key", &first.key);
            if let Some(value) = &first.value {
                error = error.with("value", value);
            }
            error = error
                .with("reason", &first.reason)
                .with("remedy", &first.remedy);
        }
        let others = errors.problems.len().saturating_sub(1);
        if others > 0 {
            error = error.with("further problems", others);
        }
        error
    }
}

//! Standard output for data, standard error for everything else. Nothing else in this crate writes
//! to either.

use std::io::{self, IsTerminal as _, Write as _};

use clap::ValueEnum;
use serde::Serialize;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::failure::Failure;
use crate::text;

/// How data is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Table,
    /// For programs: one JSON object, or one per line.
    Json,
}

/// Where data and notes go.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Output {
    format: Format,
    has_color: bool,
}

#[allow(
    clippy::unused_self,
    reason = "who writes was given the right to, whatever it takes to do it"
)]
impl Output {
    pub(crate) fn new(format: Format) -> Self {
        let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let has_color = !no_color && io::stderr().is_terminal() && io::stdout().is_terminal();
        Self { format, has_color }
    }

    pub(crate) fn is_json(self) -> bool {
        self.format == Format::Json
    }

    /// Prints a JSON object on one line.
    pub(crate) fn object(self, value: &impl Serialize) -> Result<(), Failure> {
        let mut line = serde_json::to_vec(value)
            .map_err(|e| Failure::failed(format!("the answer is no JSON: {e}")))?;
        line.push(b'\n');
        self.raw(&line)
    }

    /// Prints a line for people.
    pub(crate) fn line(self, line: &str) -> Result<(), Failure> {
        self.raw(format!("{line}\n").as_bytes())
    }

    /// Prints rows under their headings.
    pub(crate) fn table(self, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        let mut lines = text::table(head, rows).into_iter();
        if let Some(head) = lines.next() {
            self.line(&self.bold(&head))?;
        }
        lines.try_for_each(|line| self.line(&line))
    }

    /// Prints bytes as they are.
    pub(crate) fn raw(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
        written.map_err(|error| {
            if error.kind() == io::ErrorKind::BrokenPipe {
                // Whoever read it has seen enough, as in `repertoire export | head`.
                return Failure::Quiet(0);
            }
            Failure::io("standard output", &error)
        })
    }

    /// Prints a value as it is; with a line break behind it where a person reads.
    pub(crate) fn value(self, value: &[u8]) -> Result<(), Failure> {
        self.raw(value)?;
        if io::stdout().is_terminal() {
            self.raw(b"\n")?;
        }
        Ok(())
    }

    /// Tells something on standard error.
    pub(crate) fn note(self, note: &str) {
        // Nobody listens when it fails.
        let _ = writeln!(io::stderr().lock(), "{note}");
    }

    /// Tells why the command failed.
    pub(crate) fn failure(self, failure: &Failure) {
        if matches!(failure, Failure::Quiet(_)) {
            return;
        }
        if self.is_json() {
            self.note(&failure.to_json().to_string());
        } else {
            self.note(&format!("{} {failure}", self.red("error:")));
        }
    }

    pub(crate) fn bold(self, text: &str) -> String {
        self.styled("1", text)
    }

    pub(crate) fn green(self, text: &str) -> String {
        self.styled("32", text)
    }

    pub(crate) fn red(self, text: &str) -> String {
        self.styled("1;31", text)
    }

    fn styled(self, code: &str, text: &str) -> String {
        if self.has_color {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

/// Sends what is logged to standard error.
pub(crate) fn log_to_stderr(filter: &str) -> Result<(), Failure> {
    let filter = EnvFilter::try_new(filter)
        .map_err(|e| Failure::usage(format!("--log {filter:?} is no filter: {e}")))?;
    let no_color = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        // A span that a filter lets pass tells all when it ends: how long it took, and its fields.
        .with_span_events(FmtSpan::CLOSE)
        .with_ansi(!no_color && io::stderr().is_terminal());
    // A program that embeds the command may have its own subscriber already.
    let _ = subscriber.try_init();
    Ok(())
}

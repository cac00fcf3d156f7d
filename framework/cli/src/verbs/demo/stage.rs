//! Telling what happens, and remembering what held.

use serde::Serialize;

use crate::output::Output;

/// Something that was promised, and whether it held.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Check {
    /// What was promised.
    pub(crate) name: &'static str,
    /// Whether it held.
    pub(crate) ok: bool,
    /// What was seen.
    pub(crate) detail: String,
}

/// Where the demo is told.
#[derive(Debug)]
pub(crate) struct Stage {
    output: Output,
    acts: u32,
    checks: Vec<Check>,
}

impl Stage {
    pub(crate) const fn new(output: Output) -> Self {
        Self {
            output,
            acts: 0,
            checks: Vec::new(),
        }
    }

    /// Begins another part.
    pub(crate) fn act(&mut self, title: &str) {
        self.acts += 1;
        let title = format!("{}. {title}", self.acts);
        self.output.note(&format!("\n{}", self.output.bold(&title)));
    }

    /// Tells what is going on.
    pub(crate) fn say(&self, text: &str) {
        self.output.note(&format!("   {text}"));
    }

    /// Tells whether a promise held, and remembers it.
    pub(crate) fn check(&mut self, name: &'static str, ok: bool, detail: impl Into<String>) {
        let detail = detail.into();
        let mark = if ok {
            self.output.green("✓")
        } else {
            self.output.red("✗")
        };
        self.output.note(&format!(" {mark} {detail}"));
        // Columns are for people.
        let detail = detail.split_whitespace().collect::<Vec<_>>().join(" ");
        self.checks.push(Check { name, ok, detail });
    }

    /// What was promised, and whether it held.
    pub(crate) fn checks(&self) -> &[Check] {
        &self.checks
    }

    /// Whether everything held.
    pub(crate) fn is_ok(&self) -> bool {
        self.checks.iter().all(|check| check.ok)
    }
}

//! What a reader saw.

use std::fmt::Write as _;

/// One way to read, and what it showed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What may go wrong.
    pub anomaly: &'static str,
    /// How it was read.
    pub reads: &'static str,
    /// What the reader was shown.
    pub shows: String,
    /// Whether that is the anomaly.
    pub is_anomalous: bool,
    /// Whether this way of reading promises that it does not happen.
    pub is_promised: bool,
}

impl Row {
    /// A way of reading that promises nothing.
    pub(crate) fn weak(anomaly: &'static str, reads: &'static str) -> Self {
        Self {
            anomaly,
            reads,
            shows: String::new(),
            is_anomalous: false,
            is_promised: false,
        }
    }

    /// A way of reading that promises that the anomaly does not happen.
    pub(crate) fn right(anomaly: &'static str, reads: &'static str) -> Self {
        Self {
            is_promised: true,
            ..Self::weak(anomaly, reads)
        }
    }

    /// The same with what was seen.
    pub(crate) fn showed(self, shows: impl Into<String>, is_anomalous: bool) -> Self {
        Self {
            shows: shows.into(),
            is_anomalous,
            ..self
        }
    }

    /// Whether a promise was kept; and whether, where none was made, the anomaly could be seen.
    pub const fn is_as_promised(&self) -> bool {
        self.is_promised != self.is_anomalous
    }
}

/// Rows as text, each anomaly named once.
pub fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    let mut line = |a: &str, b: &str, c: &str, d: &str| {
        let line = format!("{a:<26} {b:<38} {c:<34} {d}");
        let _ = writeln!(text, "{}", line.trim_end());
    };
    line("what may go wrong", "read at", "shows", "");
    let mut named = "";
    for row in rows {
        let name = if row.anomaly == named {
            ""
        } else {
            row.anomaly
        };
        named = row.anomaly;
        let verdict = match (row.is_anomalous, row.is_as_promised()) {
            (true, true) => "anomaly",
            (false, true) => "ok",
            (_, false) => "NOT AS PROMISED",
        };
        line(name, row.reads, &row.shows, verdict);
    }
    text
}

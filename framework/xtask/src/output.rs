//! Printing to the terminal, in one place.

use std::fmt;
use std::io::{self, Write};

/// Prints one line on standard output. A closed pipe is the reader's choice, not an error.
pub fn line(text: impl fmt::Display) {
    let mut out = io::stdout().lock();
    // Nothing useful can be done when the terminal is gone.
    let _ = writeln!(out, "{text}").and_then(|()| out.flush());
}

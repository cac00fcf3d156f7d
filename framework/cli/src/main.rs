//! The `repertoire` command with the built-in plug-ins.

use std::process::ExitCode;

fn main() -> ExitCode {
    repertoire_cli::run(repertoire::registry())
}

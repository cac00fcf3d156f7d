//! The `repertoire` command with one protocol more.

use std::process::ExitCode;

// ANCHOR: main
fn main() -> ExitCode {
    let mut registry = repertoire::registry();
    chain::register(&mut registry);
    let simulations = [(chain::NAME, chain::simulate as repertoire_cli::Simulate)];
    repertoire_cli::run_with(registry, simulations)
}
// ANCHOR_END: main

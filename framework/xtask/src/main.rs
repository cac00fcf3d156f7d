//! The `cargo xtask` command.

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use repertoire_xtask::{Result, book, check, fix, shell, soak, tidy};

/// Chores of the repertoire workspace.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run what CI runs; never writes to the tree.
    Check {
        /// Run these stages alone, in the order given.
        #[arg(long, value_enum)]
        only: Vec<check::Stage>,
    },
    /// Mend what a machine can mend: formatting, clippy's suggestions, copies of clippy.toml.
    Fix,
    /// Check the style rules that no compiler knows.
    Tidy,
    /// Run the simulator for a long time on new seeds, and print those that fail.
    Soak(soak::Options),
    /// Write the console outputs that the book shows again, from `book/outputs.toml`.
    Book {
        /// Only verify that the outputs are there and that the book builds without a warning.
        #[arg(long)]
        check: bool,
        /// Only the outputs whose file name contains this.
        #[arg(long, conflicts_with = "check")]
        only: Option<String>,
    },
}

fn run(root: &Path, command: Command) -> Result<()> {
    match command {
        Command::Check { only } => check::run(root, &only),
        Command::Fix => fix::run(root),
        Command::Tidy => tidy::run(root),
        Command::Soak(options) => soak::run(root, &options),
        Command::Book { check: true, .. } => book::check(root),
        Command::Book { check: false, only } => book::regenerate(root, only.as_deref()),
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match shell::workspace_root().and_then(|root| run(&root, arguments.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("error: {failure}");
            ExitCode::FAILURE
        }
    }
}

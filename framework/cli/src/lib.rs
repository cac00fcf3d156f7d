#![doc = include_str!("../README.md")]

mod args;
mod connect;
mod failure;
mod loader;
mod output;
mod paging;
mod progress;
mod settings;
mod text;
mod units;
mod values;
mod verbs;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::Arc;

use clap::FromArgMatches as _;
use repertoire::core::Registry;
use repertoire_sim::{RunConfig, RunReport};

use crate::args::Cli;
use crate::failure::Failure;
use crate::output::Output;

pub use crate::args::command;

/// What every verb is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// The plug-ins.
    pub(crate) registry: Arc<Registry>,
    /// The protocols that `sim` runs, beside the built-in ones.
    pub(crate) simulations: BTreeMap<&'static str, Simulate>,
    /// Where data and notes go.
    pub(crate) output: Output,
}

/// Runs one seed of a protocol in the simulator.
pub type Simulate = fn(&RunConfig) -> RunReport;

/// Runs the command that the process was called with, with these plug-ins. A program of your own
/// that knows more plug-ins is this one line, after adding them to the registry.
pub fn run(registry: Registry) -> ExitCode {
    run_with(registry, [])
}

/// As [`run`], and `sim --protocol` knows these protocols too.
pub fn run_with(
    registry: Registry,
    simulations: impl IntoIterator<Item = (&'static str, Simulate)>,
) -> ExitCode {
    let parsed = command()
        .try_get_matches()
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => {
            // A message that cannot be written has nobody to read it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(failure::USAGE));
        }
    };
    let output = Output::new(cli.globals.output);
    let registry = Arc::new(registry);
    let context = Context {
        registry,
        simulations: simulations.into_iter().collect(),
        output,
    };
    match start(cli, &context) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            context.output.failure(&failure);
            ExitCode::from(failure.code())
        }
    }
}

fn start(cli: Cli, context: &Context) -> Result<(), Failure> {
    let filter = cli.globals.log.as_deref().unwrap_or(cli.verb.log_filter());
    output::log_to_stderr(filter)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::failed(format!("the runtime cannot start: {e}")))?;
    runtime.block_on(cli.verb.run(context))
}

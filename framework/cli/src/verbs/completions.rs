//! `completions`: for shells.

use clap::Args;
use clap_complete::Shell;

use crate::Context;
use crate::failure::Failure;

/// Print completions for a shell.
#[derive(Clone, Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell.
    shell: Shell,
}

/// Runs the verb.
pub(crate) fn run(args: &CompletionsArgs, context: &Context) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut crate::command(), "repertoire", &mut script);
    context.output.raw(&script)
}

//! The command line.

use clap::{Args, CommandFactory as _, Parser, Subcommand};

use crate::Context;
use crate::failure::Failure;
use crate::output::Format;
use crate::verbs;

/// Variables that stand for a flag begin so.
const PREFIX: &str = "REPERTOIRE_";

/// Databases that replicate: run nodes, work with their data, see what the protocols do.
///
/// Each flag can also be set as REPERTOIRE_<FLAG>. Data goes to standard output, everything else to
/// standard error. Exit codes: 0 ok, 1 failure, 2 usage, 3 unavailable, 4 conflict, 5 not found.
#[derive(Debug, Parser)]
#[command(
    name = "repertoire",
    version,
    propagate_version = true,
    max_term_width = 100
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Flags of every verb.
#[derive(Debug, Args)]
pub(crate) struct Globals {
    /// How data is printed.
    #[arg(long, global = true, value_enum, default_value_t = Format::Table)]
    pub(crate) output: Format,
    /// What is logged to standard error, as in `info` or `repertoire_runtime=debug`.
    #[arg(long, global = true, value_name = "FILTER")]
    pub(crate) log: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    Demo(verbs::demo::DemoArgs),
    Format(verbs::format::FormatArgs),
    Serve(verbs::serve::ServeArgs),
    Get(verbs::get::GetArgs),
    Put(verbs::put::PutArgs),
    Delete(verbs::delete::DeleteArgs),
    Scan(verbs::scan::ScanArgs),
    Count(verbs::count::CountArgs),
    Import(verbs::import::ImportArgs),
    Export(verbs::export::ExportArgs),
    Status(verbs::status::StatusArgs),
    Nodes(verbs::nodes::NodesArgs),
    Keyspace(verbs::keyspace::KeyspaceArgs),
    Member(verbs::member::MemberArgs),
    Transfer(verbs::transfer::TransferArgs),
    Promote(verbs::promote::PromoteArgs),
    Discarded(verbs::discarded::DiscardedArgs),
    Config(verbs::config::ConfigArgs),
    Cert(verbs::cert::CertArgs),
    Sim(verbs::sim::SimArgs),
    Bench(verbs::bench::BenchArgs),
    Completions(verbs::completions::CompletionsArgs),
    Man(verbs::man::ManArgs),
}

impl Verb {
    /// What is logged when nobody says.
    pub(crate) const fn log_filter(&self) -> &'static str {
        match self {
            Self::Serve(_) => "info",
            // A demo stops a node on purpose: what the others think of it is no news.
            Self::Demo(_) | Self::Sim(_) => "off",
            Self::Format(_)
            | Self::Get(_)
            | Self::Put(_)
            | Self::Delete(_)
            | Self::Scan(_)
            | Self::Count(_)
            | Self::Import(_)
            | Self::Export(_)
            | Self::Status(_)
            | Self::Nodes(_)
            | Self::Keyspace(_)
            | Self::Member(_)
            | Self::Transfer(_)
            | Self::Promote(_)
            | Self::Discarded(_)
            | Self::Config(_)
            | Self::Cert(_)
            | Self::Bench(_)
            | Self::Completions(_)
            | Self::Man(_) => "warn",
        }
    }

    pub(crate) async fn run(self, context: &Context) -> Result<(), Failure> {
        match self {
            Self::Demo(args) => Box::pin(verbs::demo::run(args, context)).await,
            Self::Format(args) => verbs::format::run(&args, context),
            Self::Serve(args) => verbs::serve::run(args, context).await,
            Self::Get(args) => verbs::get::run(args, context).await,
            Self::Put(args) => verbs::put::run(args, context).await,
            Self::Delete(args) => verbs::delete::run(args, context).await,
            Self::Scan(args) => verbs::scan::run(args, context).await,
            Self::Count(args) => verbs::count::run(args, context).await,
            Self::Import(args) => verbs::import::run(args, context).await,
            Self::Export(args) => verbs::export::run(args, context).await,
            Self::Status(args) => verbs::status::run(args, context).await,
            Self::Nodes(args) => verbs::nodes::run(args, context).await,
            Self::Keyspace(args) => verbs::keyspace::run(args, context).await,
            Self::Member(args) => verbs::member::run(args, context).await,
            Self::Transfer(args) => verbs::transfer::run(args, context).await,
            Self::Promote(args) => verbs::promote::run(args, context).await,
            Self::Discarded(args) => verbs::discarded::run(args, context).await,
            Self::Config(args) => verbs::config::run(args, context),
            Self::Cert(args) => verbs::cert::run(&args, context),
            Self::Sim(args) => verbs::sim::run(&args, context),
            Self::Bench(args) => Box::pin(verbs::bench::run(args, context)).await,
            Self::Completions(args) => verbs::completions::run(&args, context),
            Self::Man(args) => verbs::man::run(&args, context),
        }
    }
}

/// The whole command line, for completions, man pages and programs that add to it.
pub fn command() -> clap::Command {
    with_variables(Cli::command())
}

/// Gives every flag its variable. Flags of the configuration are left to the configuration, which
/// reads the same variables and can say where a value came from.
fn with_variables(command: clap::Command) -> clap::Command {
    let of_config = |name: &str| {
        repertoire_config::flags()
            .iter()
            .any(|flag| flag.flag == name)
    };
    command
        .mut_args(|arg| {
            let name = arg.get_long().map(str::to_owned);
            match name.filter(|name| !of_config(name)) {
                Some(name) => {
                    let variable = name.replace('-', "_").to_uppercase();
                    arg.env(format!("{PREFIX}{variable}")).hide_env_values(true)
                }
                None => arg,
            }
        })
        .mut_subcommands(with_variables)
}

#[cfg(test)]
mod tests {
    use super::command;

    #[test]
    fn the_command_line_fits_together() {
        command().debug_assert();
    }

    #[test]
    fn every_flag_has_a_variable() {
        let command = command();
        let import = command.find_subcommand("import").unwrap();
        let flag = import
            .get_arguments()
            .find(|arg| arg.get_long() == Some("key-column"));
        let variable = flag.and_then(clap::Arg::get_env).unwrap();
        assert_eq!(variable, "REPERTOIRE_KEY_COLUMN");
    }
}

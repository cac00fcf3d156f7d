//! `config`: look at configurations before a node does.

use clap::{Args, Subcommand};
use repertoire_config::FieldDoc;
use serde_json::{Value, json};

use crate::Context;
use crate::failure::Failure;
use crate::settings::ConfigFiles;

/// Check, print and begin configurations.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Clone, Debug, Subcommand)]
enum What {
    /// Check a configuration: keys, values, plug-ins, and the files that it names.
    Check {
        #[command(flatten)]
        files: ConfigFiles,
        /// Leave out the files that it names, which may be on another machine.
        #[arg(long)]
        no_files: bool,
    },
    /// Print a configuration, checked.
    Print {
        #[command(flatten)]
        files: ConfigFiles,
        /// Print every setting in force, and where it comes from, instead of the files' own text.
        #[arg(long)]
        effective: bool,
    },
    /// Print a configuration to begin with, every setting explained.
    Sample,
    /// List every setting.
    Fields,
}

/// Runs the verb.
pub(crate) fn run(args: ConfigArgs, context: &Context) -> Result<(), Failure> {
    match args.what {
        What::Check { files, no_files } => check(&files, no_files, context),
        What::Print { files, effective } => print(&files, effective, context),
        What::Sample => context.output.raw(repertoire_config::sample().as_bytes()),
        What::Fields => fields(context),
    }
}

fn check(files: &ConfigFiles, no_files: bool, context: &Context) -> Result<(), Failure> {
    let config = files.load(&context.registry)?;
    if !no_files {
        config.check_files()?;
    }
    let warnings: Vec<String> = config.warnings().iter().map(ToString::to_string).collect();
    let digest = format!("{:016x}", config.config_digest());
    if context.output.is_json() {
        let report = json!({"ok": true, "warnings": warnings, "digest": digest});
        return context.output.object(&report);
    }
    for warning in warnings {
        context.output.note(&format!("warning: {warning}"));
    }
    context.output.line(&format!(
        "OK; nodes of one cluster all have digest {digest}"
    ))
}

fn print(files: &ConfigFiles, effective: bool, context: &Context) -> Result<(), Failure> {
    let config = files.load(&context.registry)?;
    if context.output.is_json() {
        return context.output.object(&config);
    }
    if effective {
        return context.output.raw(config.render_effective().as_bytes());
    }
    for file in &files.config {
        let text = std::fs::read(file).map_err(|e| Failure::io(file.display(), &e))?;
        context.output.raw(&text)?;
    }
    Ok(())
}

fn fields(context: &Context) -> Result<(), Failure> {
    let all = repertoire_config::fields();
    if context.output.is_json() {
        let all: Vec<Value> = all.iter().map(to_json).collect();
        return context.output.object(&json!({"fields": all}));
    }
    let row = |field: &FieldDoc| {
        vec![
            field.key.to_owned(),
            field.default.to_owned(),
            field.meaning.to_owned(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    context
        .output
        .table(&["SETTING", "DEFAULT", "MEANING"], &rows)
}

fn to_json(field: &FieldDoc) -> Value {
    json!({
        "key": field.key,
        "default": field.default,
        "meaning": field.meaning,
        "unit": field.unit,
        "range": field.range,
        "required": field.is_required(),
    })
}

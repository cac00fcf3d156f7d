//! `format`: prepare a data folder.

use clap::Args;
use repertoire::{FormatOptions, cluster_id_of};
use serde_json::json;

use crate::Context;
use crate::failure::Failure;
use crate::settings::ConfigFiles;

/// Prepare an empty data folder for a node. Once in a node's life: a folder that is formatted again
/// is another disk.
#[derive(Clone, Debug, Args)]
pub(crate) struct FormatArgs {
    #[command(flatten)]
    files: ConfigFiles,
}

/// Runs the verb.
pub(crate) fn run(args: &FormatArgs, context: &Context) -> Result<(), Failure> {
    let config = args.files.load(&context.registry)?;
    let options = FormatOptions {
        cluster_name: config.cluster.name.clone(),
        cluster: cluster_id_of(&config.cluster.name),
        node: config.node.id,
        site: config.node.site.clone(),
    };
    let identity = repertoire::format(&config.node.data, &options)?;
    let folder = config.node.data.display().to_string();
    if context.output.is_json() {
        return context.output.object(&json!({
            "node": identity.node.0,
            "cluster": identity.cluster_name,
            "incarnation": identity.incarnation.to_string(),
            "data": folder,
        }));
    }
    context.output.line(&format!(
        "Formatted {folder} for {} of {}",
        identity.node, identity.cluster_name
    ))
}

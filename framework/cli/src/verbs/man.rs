//! `man`: manual pages.

use std::path::PathBuf;

use clap::Args;
use clap_mangen::Man;

use crate::Context;
use crate::failure::Failure;

/// Print the manual page, or write the pages of all verbs into a folder.
#[derive(Clone, Debug, Args)]
pub(crate) struct ManArgs {
    /// Where the pages of all verbs go.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

/// Runs the verb.
pub(crate) fn run(args: &ManArgs, context: &Context) -> Result<(), Failure> {
    if let Some(folder) = &args.folder {
        let write = std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(crate::command(), folder));
        return write.map_err(|e| Failure::io(folder.display(), &e));
    }
    let mut page = Vec::new();
    let rendered = Man::new(crate::command()).render(&mut page);
    rendered.map_err(|e| Failure::io("the manual page", &e))?;
    context.output.raw(&page)
}

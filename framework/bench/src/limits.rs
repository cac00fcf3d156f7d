//! What the machine can do, measured beside every run.

mod disk;
pub(crate) mod hiccup;

use std::path::Path;
use std::time::Duration;

use repertoire_core::{Error, ErrorKind};

use crate::Limits;

/// How long each limit is measured.
const SPAN: Duration = Duration::from_millis(500);

/// Measures for about two seconds.
///
/// # Errors
/// `StorageFailed` when the folder cannot be written, `Unexpected` when loopback cannot be used.
pub(crate) fn measure(folder: &Path) -> Result<Limits, Error> {
    let syncs = |files| {
        disk::syncs_per_second(folder, files, SPAN)
            .map_err(|e| Error::new(ErrorKind::StorageFailed, "measure the disk").with("detail", e))
    };
    let network = |e| Error::new(ErrorKind::Unexpected, "measure the network").with("detail", e);
    Ok(Limits {
        fdatasync_4k_per_second: syncs(1)?,
        fdatasync_4k_three_files_per_second: syncs(3)?,
        quic_mb_per_second: repertoire_transport_quic::raw_mb_per_second(SPAN).map_err(network)?,
    })
}

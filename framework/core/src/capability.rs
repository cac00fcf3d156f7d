//! What plug-ins declare, so that suites choose tests and the catalogue refuses impossible tuples.

use serde::{Deserialize, Serialize};

/// What a protocol promises under a configuration. Plain facts; suites select tests by them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "each is an independent fact, not a state"
)]
pub struct Capabilities {
    /// Sends anything to other nodes.
    pub replicates: bool,
    /// One replica orders all writes.
    pub single_order: bool,
    /// Reads at `Leader` level are linearizable.
    pub linearizable_reads: bool,
    /// Every replica accepts writes.
    pub writes_anywhere: bool,
    /// A lost leader is replaced without an operator.
    pub elects: bool,
    /// A replica behind the log can be brought back by a snapshot.
    pub snapshots: bool,
    /// Concurrent writes can happen, so a resolver is needed.
    pub conflicts: bool,
}

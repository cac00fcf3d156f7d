//! The nodes of a cluster.

use serde::{Deserialize, Serialize};

use crate::{Incarnation, NodeId, Site};

/// A node that belongs to the cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its identity; never reused.
    pub node: NodeId,
    /// Its disk, once it has announced it.
    #[serde(default, with = "crate::authority::incarnation::as_text")]
    pub incarnation: Option<Incarnation>,
    /// Where peers reach it, as `host:port`.
    pub address: String,
    /// Its failure domain.
    pub site: Site,
    /// It was decommissioned. Its row stays, so that nobody takes it for one that was never told of.
    #[serde(default)]
    pub has_left: bool,
}

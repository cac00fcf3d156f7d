//! Settings of a node's runtime.

use std::path::PathBuf;
use std::sync::Arc;

use repertoire_core::{Descriptor, Member, TokenKeys};

use crate::fence::FenceHook;

/// Settings of a node's runtime. The defaults serve a node with 1 GiB to spare.
#[derive(Clone, Debug)]
pub struct RuntimeOptions {
    /// The data folder, formatted.
    pub data: PathBuf,
    /// Keyspaces to propose while the catalogue does not hold them. The first is keyspace 0.
    pub proposed: Vec<Descriptor>,
    /// Members to propose while the catalogue does not hold them.
    pub members: Vec<Member>,
    /// Bytes of requests that may be under way, over all sessions.
    pub request_bytes_max: usize,
    /// Bytes of requests that one session may have under way.
    pub session_bytes_max: usize,
    /// Bytes of frames from peers that may wait to be handled.
    pub peer_bytes_max: usize,
    /// The cluster's keys for session tokens; without them this node seals and opens none.
    pub token_keys: Option<TokenKeys>,
    /// Cuts former leaders off before replicas of this node are promoted.
    pub fence: Option<Arc<dyn FenceHook>>,
}

impl RuntimeOptions {
    /// Defaults over a data folder.
    pub fn new(data: impl Into<PathBuf>) -> Self {
        Self {
            data: data.into(),
            proposed: Vec::new(),
            members: Vec::new(),
            request_bytes_max: 64 << 20,
            session_bytes_max: 16 << 20,
            peer_bytes_max: 64 << 20,
            token_keys: None,
            fence: None,
        }
    }
}

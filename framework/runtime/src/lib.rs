#![doc = include_str!("../README.md")]

mod actors;
mod admin;
pub mod clock;
mod credit;
mod edge;
mod fence;
mod handle;
mod identity;
mod inbox;
mod lineage;
mod options;
mod session;
mod shutdown;
mod snapshots;
mod start;
mod tokens;

pub use actors::resolver::resolve;
pub use credit::Credit;
pub use fence::{FenceCommand, FenceHook, FormerLeader};
pub use handle::NodeHandle;
pub use identity::{FOLDER_VERSION, Identity, format_folder, read_identity};
pub use lineage::{Beginning, DiskWitness, begin_start, settle};
pub use options::RuntimeOptions;
pub use session::{EmbeddedSession, EmbeddedWrite, FrameOut, RemoteSession};
pub use start::{MakeTransport, NodeParts, start_node};

/// Messages that a mailbox holds. Edges send at most one wake-up at a time, so this is never near.
const MAILBOX_CAPACITY: usize = 64;

//! The catalogue: what every keyspace is, and where it lives. Itself the contents of keyspace 0.

mod descriptor;
mod directory;
mod member;
mod mirror;
mod placing;
mod slots;

pub use descriptor::{Descriptor, KeyspaceOptions, Placement, PluginRef, ReplicaRole, ReplicaSpec};
pub use directory::Catalogue;
pub use member::Member;
pub use placing::spread_replicas;
pub use slots::{SLOTS, SlotMap, slot_of};

//! Caps that hold everywhere: on the wire, in the log, in the store.

/// Longest key, in bytes. Keys live in every index; long ones belong in values.
pub const KEY_MAX: usize = 4 * 1024;

/// Longest value, in bytes: what one data frame carries with room for its head and key.
pub const VALUE_MAX: usize = 1024 * 1024 - 64 * 1024;

/// Most operations in a batch or transaction.
pub const BATCH_MAX: u32 = 4 * 1024;

/// Longest encoded operation, in bytes.
pub const OPERATION_MAX: usize = 1024 * 1024 - 48 * 1024;

/// An entry is sealed when its body reaches this many bytes, so that log, network and apply overlap.
pub const ENTRY_SEAL_BYTES: usize = 256 * 1024;

/// Longest body of an entry, in bytes: what one data frame carries with room for heads. A write whose
/// effect is longer is refused.
pub const ENTRY_BODY_MAX: usize = DATA_FRAME_MAX - 32 * 1024;

/// Most records in one entry.
pub const ENTRY_RECORDS_MAX: usize = 16 * 1024;

/// Entries that an engine on another thread may be behind, in bytes, before its replica refuses
/// writes.
pub const APPLY_BACKLOG_MAX: usize = 32 * 1024 * 1024;

/// Entries that may wait for their copies, in bytes, before their replica refuses writes: those whose
/// clients wait, and those whose clients have given up. Twice what a node takes in at once.
pub const UNACKED_BYTES_MAX: usize = 128 * 1024 * 1024;

/// Largest frame that carries data, head and body together, in bytes.
pub const DATA_FRAME_MAX: usize = 1024 * 1024;

/// Largest frame on the control stream, in bytes.
pub const CONTROL_FRAME_MAX: usize = 64 * 1024;

/// Largest chunk of a snapshot, in bytes.
pub const SNAPSHOT_CHUNK_MAX: usize = 1024 * 1024 - 16 * 1024;

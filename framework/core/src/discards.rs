//! Discarded writes: what a failover took back, kept until somebody has decided about it.
//!
//! A replica that ordered or copied entries which the next leader does not have must drop them. Each
//! of them may have been acknowledged (in an asynchronous keyspace), or may still be hoped for. So
//! before the replica drops them it appends them to a second stream of its own log, [`DISCARDS`], in
//! the same lane: operations survive in their order or not at all, hence a log without the entries is
//! a log with their journal. Nothing has to wait for that, and a full disk holds both back.
//!
//! A record leaves the journal when it is *settled*: its request came again and was carried out after
//! all, or a person has replayed it or given it up. Settling is written down the same way.
//!
//! Not journaled: entries that hold no client's writes, and what recovery drops because it is damaged
//! or was never synced. That is no failover's doing; others hold it, or the durability did not promise
//! it.

mod journal;
mod mark;
mod recover;

pub use journal::{Discarded, Journal};
pub use mark::{Mark, Settlement};
pub use recover::{read_discards, tail_start};

use crate::StreamId;

/// The stream of a replica's log that keeps its discarded writes.
pub const DISCARDS: StreamId = StreamId(1);

/// Bytes of entries that a journal keeps. Of what is discarded beyond that only place and number are
/// kept: the journal is in memory too, and somebody has to decide about each write in it.
pub const DISCARDS_BYTES_MAX: u64 = 16 * 1024 * 1024;

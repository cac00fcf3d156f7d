//! What every replication protocol must do.
//!
//! ```
//! use repertoire_core::{Acks, Descriptor, KeyspaceId, NodeId};
//! use repertoire_single_leader::SingleLeader;
//!
//! // In a test of the protocol's crate, for each configuration that promises something else.
//! let nodes = [1, 2, 3].map(NodeId);
//! let mut orders = Descriptor::single_shard(KeyspaceId(1), "orders", "single-leader", &nodes);
//! orders.options.acks = Acks::SemiSync(1);
//! repertoire_conformance::protocol::check_all::<SingleLeader>(&orders);
//! ```
//!
//! The checks run a cluster of replicas in virtual time, each with a disk whose syncs are under control,
//! and hold it against the contracts of [`Protocol`], [`Effects`](repertoire_core::Effects) and
//! [`Status`](repertoire_core::Status). Nothing around the protocol is there (no pipeline, no engine), so
//! that a failure is the protocol's own. What a database built on it promises is checked by the
//! simulator, `repertoire-sim`, which runs the whole replica under more kinds of fault.

mod disk;
mod engine;
mod fates;
mod promises;
mod refusals;
mod repeatable;
mod replica;
mod rig;
mod said;
mod strangers;
mod trouble;

use repertoire_core::{Descriptor, Protocol, WireMessage};

use replica::Kind;
use rig::Rig;
use trouble::Trouble;

pub use refusals::descriptors_that_cannot_be_served_are_refused;
pub use repeatable::{hiding_the_type_changes_nothing, steps_are_functions};
pub use said::{damaged_messages_are_no_danger, messages_survive_the_wire, timers_have_numbers};
pub use strangers::nothing_comes_of_what_was_not_asked;

/// Runs every check on a keyspace as described.
///
/// # Panics
/// When the protocol breaks its contract; a line before that names the seed.
pub fn check_all<P: Protocol>(descriptor: &Descriptor) {
    descriptors_that_cannot_be_served_are_refused::<P>(descriptor);
    timers_have_numbers::<P>(descriptor, 0);
    for seed in 0..FEW_SEEDS {
        steps_are_functions::<P>(descriptor, seed);
        hiding_the_type_changes_nothing::<P>(descriptor, seed);
        messages_survive_the_wire::<P>(descriptor, seed);
        damaged_messages_are_no_danger::<P>(descriptor, seed);
        nothing_comes_of_what_was_not_asked::<P>(descriptor, seed);
    }
    for seed in 0..SEEDS {
        promises_hold_under_trouble::<P>(descriptor, seed);
    }
}

/// Seeds of the checks that look at single steps.
const FEW_SEEDS: u64 = 4;

/// Seeds of the check under trouble: a few seconds.
const SEEDS: u64 = 120;

/// Replicas crash and forget what they had not synced, links lose, double and reorder, disks are slow.
/// Each acknowledgement has the copies that it claims, on disks; replicas apply the same, in order, each
/// entry once; reads see what they must; each proposal is decided, once. When the trouble ends, all
/// replicas agree, nothing acknowledged is missing, and writes go on.
///
/// # Panics
/// When the protocol does otherwise.
pub fn promises_hold_under_trouble<P: Protocol>(descriptor: &Descriptor, seed: u64) {
    let _named = NamedSeed(seed);
    Trouble::new(Rig::new(typed::<P>(), descriptor, false), seed).run();
}

/// How a protocol is booted by its own type.
fn typed<P: Protocol>() -> Kind<P> {
    Kind {
        boot: P::boot,
        encode: WireMessage::encode,
    }
}

/// Says which seed failed, whatever the check's own words are.
struct NamedSeed(u64);

impl Drop for NamedSeed {
    #[allow(clippy::print_stderr, reason = "a failed check says how to repeat it")]
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("the check failed with seed {}", self.0);
        }
    }
}

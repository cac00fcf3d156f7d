//! Replication protocols: deterministic state machines, inputs in, effects out.
//!
//! A protocol never performs I/O, reads no clock and draws no randomness. Everything it learns is
//! an [`Input`]; everything it wants is an [`Effects`] lane. The same code runs under the simulator
//! and in a node.

mod boot;
mod effects;
mod erased;
mod input;
mod message;
mod promotion;
mod status;

pub use boot::Boot;
pub use effects::{
    Admission, Effects, Fate, LogRead, ReadVerdict, SnapshotOrder, Telemetry, TimerOrder,
};
pub use erased::{DynProtocol, ErasedMachine, Machine, erase};
pub use input::{Input, PeerEvent, Proposal};
pub use message::{Class, Encoded, WireMessage};
pub use promotion::{Appointment, Promotion};
pub use status::{Role, Status, Vitals};

use serde::de::DeserializeOwned;

use crate::{
    Capabilities, Descriptor, EntryId, Error, ErrorKind, Journal, MemberChange, MembershipView,
    NodeId, Now, Settlement,
};

/// Whether one instance serves a shard or a whole keyspace on its node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// An instance per shard.
    Shard,
    /// An instance per keyspace and node (leaderless).
    Keyspace,
}

/// A timer of a protocol: a small enum that maps to a number and back.
pub trait TimerKey: Copy + Send + 'static {
    /// The number under which the driver keeps it.
    fn to_key(self) -> u64;
    /// The timer of that number; `None` for numbers it never gave out.
    fn from_key(key: u64) -> Option<Self>;
}

/// A replication protocol.
///
/// # Contract
/// * [`step`](Self::step) and [`flush`](Self::flush) are functions of state and arguments.
/// * Nothing that depends on a log operation's durability is sent or acknowledged before
///   [`Input::Durable`] has covered that operation.
/// * A step that panics leaves nothing behind: the driver drops its effects and rebuilds the
///   replica from its log.
/// * Messages of unknown or older authority never change state; they are answered, or ignored.
pub trait Protocol: Sized + Send + 'static {
    /// The name in configuration files.
    const NAME: &'static str;
    /// What an instance serves.
    const SCOPE: Scope;
    /// Its section of the keyspace's configuration.
    type Config: DeserializeOwned + Clone + Send + 'static;
    /// What its replicas say to each other.
    type Message: WireMessage;
    /// Its timers.
    type Timer: TimerKey;

    /// What it can promise under this configuration.
    fn capabilities(config: &Self::Config) -> Capabilities;

    /// Refuses descriptors that it cannot serve, naming the setting and the remedy.
    ///
    /// # Errors
    /// `ConfigInvalid`.
    fn validate(descriptor: &Descriptor) -> Result<(), Error>;

    /// Starts a replica from what its disk holds.
    ///
    /// # Errors
    /// `Corrupted` or `ConfigInvalid`: the replica does not start.
    fn boot(boot: Boot<'_>, fx: &mut Effects<Self::Message>) -> Result<Self, Error>;

    /// Takes one input.
    fn step(&mut self, now: Now, input: Input<'_, Self::Message>, fx: &mut Effects<Self::Message>);

    /// Ends a drained batch of inputs: seal, coalesce, acknowledge.
    fn flush(&mut self, now: Now, fx: &mut Effects<Self::Message>);

    /// Somebody who operates the cluster wants another replica to lead. What a protocol promises is
    /// kept all the same; whether it came about, [`inspect`](Self::inspect) shows later.
    ///
    /// # Errors
    /// `Unsupported` by a protocol whose leaders cannot be changed; `NotLeader` here;
    /// `ConfigInvalid` for a node that cannot lead; `Unavailable` while another one is to lead already.
    fn transfer(
        &mut self,
        now: Now,
        to: NodeId,
        fx: &mut Effects<Self::Message>,
    ) -> Result<(), Error> {
        let _ = (now, to, fx);
        Err(Error::new(ErrorKind::Unsupported, "transfer").with("protocol", Self::NAME))
    }

    /// Somebody who operates the cluster wants this replica to lead, because the former leader is gone.
    /// What a protocol promises is kept unless they accept otherwise; whether it came about,
    /// [`inspect`](Self::inspect) shows later.
    ///
    /// # Errors
    /// `Unsupported` by a protocol whose leaders are not appointed; `Fenced` when `promotion` replaces
    /// another epoch than the newest; `Conflict` while the leader is alive; `ConfigInvalid` for a
    /// replica that may not lead; `Unavailable` for one that may have forgotten what it promised.
    fn promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<Self::Message>,
    ) -> Result<Appointment, Error> {
        let _ = (now, promotion, fx);
        Err(Error::new(ErrorKind::Unsupported, "promote").with("protocol", Self::NAME))
    }

    /// Changes who belongs to the group, one member at a time. A wish that is the case already is
    /// granted. Granted means begun: [`members`](Self::members) shows what came of it.
    ///
    /// # Errors
    /// `Unsupported` by a protocol whose groups cannot change; `NotLeader` here; `Conflict` while
    /// another change is under way; `ConfigInvalid` for an impossible change; `Unavailable` when the
    /// group could not go on after it, or for the moment.
    fn change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<Self::Message>,
    ) -> Result<(), Error> {
        let _ = (now, change, fx);
        let error = Error::new(ErrorKind::Unsupported, "change members");
        Err(error.with("protocol", Self::NAME))
    }

    /// The membership that this replica goes by; `None` for a protocol whose groups cannot change.
    fn members(&self) -> Option<MembershipView> {
        None
    }

    /// The writes that it had to discard; `None` for a protocol that keeps no account of them.
    fn discards(&self) -> Option<&Journal> {
        None
    }

    /// Settles discarded writes. Returns how many of `records` waited for that.
    fn settle(
        &mut self,
        records: &[EntryId],
        how: Settlement,
        fx: &mut Effects<Self::Message>,
    ) -> usize {
        let _ = (records, how, fx);
        0
    }

    /// What a person or a test may know of it.
    fn inspect(&self) -> Status;

    /// The numbers of [`inspect`](Self::inspect) alone: a test kit asks for them after every step.
    fn vitals(&self) -> Vitals {
        Vitals::from(&self.inspect())
    }
}

//! The plug-in: what the framework sees of the protocol.

use repertoire_core::{
    Appointment, Boot, Capabilities, Descriptor, Effects, EntryId, Error, Input, Journal,
    MemberChange, MembershipView, NodeId, Now, Promotion, Protocol, Registry, Scope, Settlement,
    Status, TimerKey, Vitals,
};

use crate::replica::Part;
use crate::{Config, Message, NAME, SingleLeader, config};

/// The timers of the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {
    /// The leader tells its followers that it is alive.
    Heartbeat,
    /// The leader tells its followers what has become visible, when nothing else took the news.
    CommitNotice,
    /// A follower asks again for a snapshot.
    Fetch,
    /// A follower that has heard of no leader for too long asks for votes.
    Election,
}

impl TimerKey for Timer {
    fn to_key(self) -> u64 {
        match self {
            Self::Heartbeat => 1,
            Self::CommitNotice => 2,
            Self::Fetch => 3,
            Self::Election => 4,
        }
    }

    fn from_key(key: u64) -> Option<Self> {
        match key {
            1 => Some(Self::Heartbeat),
            2 => Some(Self::CommitNotice),
            3 => Some(Self::Fetch),
            4 => Some(Self::Election),
            _ => None,
        }
    }
}

impl Protocol for SingleLeader {
    const NAME: &'static str = NAME;
    const SCOPE: Scope = Scope::Shard;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;

    fn capabilities(_config: &Config) -> Capabilities {
        Capabilities {
            replicates: true,
            single_order: true,
            linearizable_reads: true,
            snapshots: true,
            ..Capabilities::default()
        }
    }

    fn validate(descriptor: &Descriptor) -> Result<(), Error> {
        config::validate(descriptor)
    }

    fn boot(boot: Boot<'_>, fx: &mut Effects<Message>) -> Result<Self, Error> {
        let replica = Self::recover(boot, fx)?;
        replica.check();
        Ok(replica)
    }

    fn step(&mut self, now: Now, input: Input<'_, Message>, fx: &mut Effects<Message>) {
        self.on_input(now, input, fx);
        self.check();
    }

    fn flush(&mut self, now: Now, fx: &mut Effects<Message>) {
        self.end_batch(now, fx);
        self.check();
    }

    fn transfer(&mut self, now: Now, to: NodeId, _fx: &mut Effects<Message>) -> Result<(), Error> {
        self.on_transfer(now.mono, to)
    }

    fn promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<Message>,
    ) -> Result<Appointment, Error> {
        let result = self.on_promote(now, promotion, fx);
        self.check();
        result
    }

    fn change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<Message>,
    ) -> Result<(), Error> {
        self.on_change_members(now, change, fx)
    }

    fn members(&self) -> Option<MembershipView> {
        Some(self.membership_view())
    }

    fn discards(&self) -> Option<&Journal> {
        Some(&self.state.journal)
    }

    fn settle(&mut self, records: &[EntryId], how: Settlement, fx: &mut Effects<Message>) -> usize {
        self.settle_discards(records, how, fx)
    }

    fn inspect(&self) -> Status {
        self.status()
    }

    fn vitals(&self) -> Vitals {
        self.numbers()
    }
}

impl SingleLeader {
    /// Asserts what must hold between any two inputs. A handful of comparisons, so they stay on.
    fn check(&self) {
        self.state.check();
        match &self.part {
            Part::Leading(leading) => leading.check(&self.state),
            Part::Following(following) => following.check(&self.state),
        }
    }
}

/// Adds the protocol to a registry, under [`NAME`].
pub fn register(registry: &mut Registry) {
    registry.protocol::<SingleLeader>();
}

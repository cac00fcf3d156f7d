//! The plug-in: what the framework sees of the protocol.

use repertoire_core::{
    Boot, Capabilities, Descriptor, Effects, Error, Input, Now, Protocol, Registry, Scope, Status,
    TimerKey, Vitals,
};

use crate::{Config, Message, NAME, Standalone, config};

/// The timers of the protocol: none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timer {}

impl TimerKey for Timer {
    fn to_key(self) -> u64 {
        match self {}
    }

    fn from_key(_key: u64) -> Option<Self> {
        None
    }
}

impl Protocol for Standalone {
    const NAME: &'static str = NAME;
    const SCOPE: Scope = Scope::Shard;
    type Config = Config;
    type Message = Message;
    type Timer = Timer;

    fn capabilities(_config: &Config) -> Capabilities {
        Capabilities {
            single_order: true,
            linearizable_reads: true,
            writes_anywhere: true,
            ..Capabilities::default()
        }
    }

    fn validate(descriptor: &Descriptor) -> Result<(), Error> {
        config::validate(descriptor)
    }

    fn boot(boot: Boot<'_>, fx: &mut Effects<Message>) -> Result<Self, Error> {
        Self::recover(&boot, fx)
    }

    fn step(&mut self, now: Now, input: Input<'_, Message>, fx: &mut Effects<Message>) {
        self.on_input(now, input, fx);
        self.state.check();
    }

    fn flush(&mut self, _now: Now, fx: &mut Effects<Message>) {
        self.acknowledge(fx);
        self.state.check();
    }

    fn inspect(&self) -> Status {
        self.status()
    }

    fn vitals(&self) -> Vitals {
        self.numbers()
    }
}

/// Adds the protocol to a registry, under [`NAME`].
pub fn register(registry: &mut Registry) {
    registry.protocol::<Standalone>();
}

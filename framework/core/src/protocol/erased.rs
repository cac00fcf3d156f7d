//! Type erasure at the byte boundary, so that one node can hold any mix of protocols.
//!
//! [`Machine`] is what a driver runs: a typed [`Protocol`] (its messages move as values; the
//! simulator's fast path) or an [`ErasedMachine`] (its messages move as bytes; the node's way).
//! Both must produce identical traces.

use super::{
    Appointment, Boot, Effects, Encoded, Input, Promotion, Protocol, Status, Vitals, WireMessage,
};
use crate::{EntryId, Error, Journal, MemberChange, MembershipView, NodeId, Now, Settlement};

/// What a driver runs.
pub trait Machine: Send + Sized {
    /// What its replicas say to each other.
    type Message: Clone + Send + std::fmt::Debug;

    /// Takes one input.
    fn step(&mut self, now: Now, input: Input<'_, Self::Message>, fx: &mut Effects<Self::Message>);

    /// Ends a drained batch of inputs.
    fn flush(&mut self, now: Now, fx: &mut Effects<Self::Message>);

    /// See [`Protocol::transfer`].
    ///
    /// # Errors
    /// Its errors.
    fn transfer(
        &mut self,
        now: Now,
        to: NodeId,
        fx: &mut Effects<Self::Message>,
    ) -> Result<(), Error>;

    /// See [`Protocol::promote`].
    ///
    /// # Errors
    /// Its errors.
    fn promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<Self::Message>,
    ) -> Result<Appointment, Error>;

    /// See [`Protocol::change_members`].
    ///
    /// # Errors
    /// Its errors.
    fn change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<Self::Message>,
    ) -> Result<(), Error>;

    /// See [`Protocol::members`].
    fn members(&self) -> Option<MembershipView>;

    /// See [`Protocol::discards`].
    fn discards(&self) -> Option<&Journal>;

    /// See [`Protocol::settle`].
    fn settle(
        &mut self,
        records: &[EntryId],
        how: Settlement,
        fx: &mut Effects<Self::Message>,
    ) -> usize;

    /// What a person or a test may know of it.
    fn inspect(&self) -> Status;

    /// The numbers of it alone.
    fn vitals(&self) -> Vitals;
}

impl<P: Protocol> Machine for P {
    type Message = P::Message;

    fn step(&mut self, now: Now, input: Input<'_, P::Message>, fx: &mut Effects<P::Message>) {
        Protocol::step(self, now, input, fx);
    }

    fn flush(&mut self, now: Now, fx: &mut Effects<P::Message>) {
        Protocol::flush(self, now, fx);
    }

    fn transfer(
        &mut self,
        now: Now,
        to: NodeId,
        fx: &mut Effects<P::Message>,
    ) -> Result<(), Error> {
        Protocol::transfer(self, now, to, fx)
    }

    fn promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<P::Message>,
    ) -> Result<Appointment, Error> {
        Protocol::promote(self, now, promotion, fx)
    }

    fn change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<P::Message>,
    ) -> Result<(), Error> {
        Protocol::change_members(self, now, change, fx)
    }

    fn members(&self) -> Option<MembershipView> {
        Protocol::members(self)
    }

    fn discards(&self) -> Option<&Journal> {
        Protocol::discards(self)
    }

    fn settle(
        &mut self,
        records: &[EntryId],
        how: Settlement,
        fx: &mut Effects<P::Message>,
    ) -> usize {
        Protocol::settle(self, records, how, fx)
    }

    fn inspect(&self) -> Status {
        Protocol::inspect(self)
    }

    fn vitals(&self) -> Vitals {
        Protocol::vitals(self)
    }
}

/// A protocol behind a vtable, speaking bytes.
pub trait DynProtocol: Send {
    /// Takes one input. A message that does not decode is counted and dropped: it changes nothing.
    fn step(&mut self, now: Now, input: Input<'_, Encoded>, fx: &mut Effects<Encoded>);

    /// Ends a drained batch of inputs.
    fn flush(&mut self, now: Now, fx: &mut Effects<Encoded>);

    /// See [`Protocol::transfer`].
    ///
    /// # Errors
    /// Its errors.
    fn transfer(&mut self, now: Now, to: NodeId, fx: &mut Effects<Encoded>) -> Result<(), Error>;

    /// See [`Protocol::promote`].
    ///
    /// # Errors
    /// Its errors.
    fn promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<Encoded>,
    ) -> Result<Appointment, Error>;

    /// See [`Protocol::change_members`].
    ///
    /// # Errors
    /// Its errors.
    fn change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<Encoded>,
    ) -> Result<(), Error>;

    /// See [`Protocol::members`].
    fn members(&self) -> Option<MembershipView>;

    /// See [`Protocol::discards`].
    fn discards(&self) -> Option<&Journal>;

    /// See [`Protocol::settle`].
    fn settle(&mut self, records: &[EntryId], how: Settlement, fx: &mut Effects<Encoded>) -> usize;

    /// What a person or a test may know of it.
    fn inspect(&self) -> Status;

    /// The numbers of it alone.
    fn vitals(&self) -> Vitals;
}

/// An erased protocol as a machine.
#[allow(
    missing_debug_implementations,
    reason = "the vtable holds no debug form"
)]
pub struct ErasedMachine(pub Box<dyn DynProtocol>);

impl Machine for ErasedMachine {
    type Message = Encoded;

    fn step(&mut self, now: Now, input: Input<'_, Encoded>, fx: &mut Effects<Encoded>) {
        self.0.step(now, input, fx);
    }

    fn flush(&mut self, now: Now, fx: &mut Effects<Encoded>) {
        self.0.flush(now, fx);
    }

    fn transfer(&mut self, now: Now, to: NodeId, fx: &mut Effects<Encoded>) -> Result<(), Error> {
        self.0.transfer(now, to, fx)
    }

    fn promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<Encoded>,
    ) -> Result<Appointment, Error> {
        self.0.promote(now, promotion, fx)
    }

    fn change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<Encoded>,
    ) -> Result<(), Error> {
        self.0.change_members(now, change, fx)
    }

    fn members(&self) -> Option<MembershipView> {
        self.0.members()
    }

    fn discards(&self) -> Option<&Journal> {
        self.0.discards()
    }

    fn settle(&mut self, records: &[EntryId], how: Settlement, fx: &mut Effects<Encoded>) -> usize {
        self.0.settle(records, how, fx)
    }

    fn inspect(&self) -> Status {
        self.0.inspect()
    }

    fn vitals(&self) -> Vitals {
        self.0.vitals()
    }
}

struct Erased<P: Protocol> {
    protocol: P,
    /// Effects of the step under way, with typed messages.
    fx: Effects<P::Message>,
}

/// Boots a protocol and hides its type.
///
/// # Errors
/// Those of [`Protocol::boot`].
pub fn erase<P: Protocol>(
    boot: Boot<'_>,
    fx: &mut Effects<Encoded>,
) -> Result<ErasedMachine, Error> {
    let mut inner = Effects::default();
    let protocol = P::boot(boot, &mut inner)?;
    fx.absorb(&mut inner, WireMessage::encode);
    Ok(ErasedMachine(Box::new(Erased {
        protocol,
        fx: inner,
    })))
}

impl<P: Protocol> DynProtocol for Erased<P> {
    fn step(&mut self, now: Now, input: Input<'_, Encoded>, fx: &mut Effects<Encoded>) {
        let Ok(input) = typed::<P>(input) else {
            fx.count("message-malformed", 1);
            return;
        };
        self.protocol.step(now, input, &mut self.fx);
        fx.absorb(&mut self.fx, WireMessage::encode);
    }

    fn flush(&mut self, now: Now, fx: &mut Effects<Encoded>) {
        self.protocol.flush(now, &mut self.fx);
        fx.absorb(&mut self.fx, WireMessage::encode);
    }

    fn transfer(&mut self, now: Now, to: NodeId, fx: &mut Effects<Encoded>) -> Result<(), Error> {
        let result = self.protocol.transfer(now, to, &mut self.fx);
        fx.absorb(&mut self.fx, WireMessage::encode);
        result
    }

    fn promote(
        &mut self,
        now: Now,
        promotion: Promotion,
        fx: &mut Effects<Encoded>,
    ) -> Result<Appointment, Error> {
        let result = self.protocol.promote(now, promotion, &mut self.fx);
        fx.absorb(&mut self.fx, WireMessage::encode);
        result
    }

    fn change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<Encoded>,
    ) -> Result<(), Error> {
        let result = self.protocol.change_members(now, change, &mut self.fx);
        fx.absorb(&mut self.fx, WireMessage::encode);
        result
    }

    fn members(&self) -> Option<MembershipView> {
        self.protocol.members()
    }

    fn discards(&self) -> Option<&Journal> {
        self.protocol.discards()
    }

    fn settle(&mut self, records: &[EntryId], how: Settlement, fx: &mut Effects<Encoded>) -> usize {
        let settled = self.protocol.settle(records, how, &mut self.fx);
        fx.absorb(&mut self.fx, WireMessage::encode);
        settled
    }

    fn inspect(&self) -> Status {
        self.protocol.inspect()
    }

    fn vitals(&self) -> Vitals {
        self.protocol.vitals()
    }
}

fn typed<P: Protocol>(
    input: Input<'_, Encoded>,
) -> Result<Input<'_, P::Message>, crate::DecodeError> {
    Ok(match input {
        Input::Message { from, message } => Input::Message {
            from,
            message: P::Message::decode(message)?,
        },
        Input::Propose(proposals) => Input::Propose(proposals),
        Input::Read { ticket, level } => Input::Read { ticket, level },
        Input::Timer(key) => Input::Timer(key),
        Input::Durable(seq) => Input::Durable(seq),
        Input::Applied(lsn) => Input::Applied(lsn),
        Input::LogRead { ticket, slice } => Input::LogRead { ticket, slice },
        Input::Resolved { ticket, value } => Input::Resolved { ticket, value },
        Input::Peer { peer, event } => Input::Peer { peer, event },
        Input::Descriptor(descriptor) => Input::Descriptor(descriptor),
        Input::SnapshotSent { to, position } => Input::SnapshotSent { to, position },
        Input::SnapshotInstalled { position, frontier } => {
            Input::SnapshotInstalled { position, frontier }
        }
        Input::Checkpointed(position) => Input::Checkpointed(position),
    })
}

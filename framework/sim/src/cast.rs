//! Who plays the replicas: typed protocols, whose messages move as values, or erased ones, whose
//! messages move as bytes. The schedule does not depend on it, so both must give the same trace.

use std::marker::PhantomData;
use std::sync::Arc;

use repertoire_core::{
    Boot, Class, Descriptor, Effects, Encoded, ErasedMachine, Error, Machine, NodeId, Protocol,
    Registry, WireMessage,
};

/// Boots machines and knows what the simulated network must know of their messages.
pub trait Cast {
    /// What a replica runs.
    type Machine: Machine;

    /// Starts a replica.
    ///
    /// # Errors
    /// Those of the protocol.
    fn boot(
        &self,
        boot: Boot<'_>,
        fx: &mut Effects<<Self::Machine as Machine>::Message>,
    ) -> Result<Self::Machine, Error>;

    /// The stream that a message takes.
    fn class(&self, message: &<Self::Machine as Machine>::Message) -> Class;

    /// Whether a keyspace takes writes without its replica on `node`. Where it does not, that replica
    /// crashes, and always comes back. Of the built-in protocols the harness knows as much by itself.
    fn can_do_without(&self, descriptor: &Descriptor, node: NodeId) -> bool {
        let _ = (descriptor, node);
        true
    }

    /// Whether the replica on `node` is mended by others when bits of its log have flipped. Where it is
    /// not, none do. Of the built-in protocols the harness knows as much by itself.
    fn can_repair(&self, descriptor: &Descriptor, node: NodeId) -> bool {
        let _ = (descriptor, node);
        true
    }
}

/// Replicas of one protocol, with its types. The fast way.
#[derive(Debug)]
pub struct Typed<P>(PhantomData<P>);

impl<P> Default for Typed<P> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<P: Protocol> Cast for Typed<P> {
    type Machine = P;

    fn boot(&self, boot: Boot<'_>, fx: &mut Effects<P::Message>) -> Result<P, Error> {
        P::boot(boot, fx)
    }

    fn class(&self, message: &P::Message) -> Class {
        message.class()
    }
}

/// Replicas of any registered protocols, erased: what a node runs.
#[derive(Clone, Debug)]
pub struct Erased {
    registry: Arc<Registry>,
}

impl Erased {
    /// Protocols come from `registry`.
    pub const fn new(registry: Arc<Registry>) -> Self {
        Self { registry }
    }
}

impl Cast for Erased {
    type Machine = ErasedMachine;

    fn boot(&self, boot: Boot<'_>, fx: &mut Effects<Encoded>) -> Result<ErasedMachine, Error> {
        let factory = self.registry.get_protocol(&boot.descriptor.protocol.name)?;
        (factory.boot)(boot, fx)
    }

    fn class(&self, message: &Encoded) -> Class {
        message.class
    }
}

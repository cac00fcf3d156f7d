//! The protocol in the simulator: what the harness must know of it.

use std::sync::Arc;

use repertoire_core::{Boot, Class, Descriptor, Effects, Error, Machine, NodeId, ShardId};
use repertoire_sim::{Cast, Erased, Machinery, RunConfig, RunReport, Typed};

use crate::{Chain, NAME};

/// Replicas of chains, and of the protocols that share their nodes.
#[derive(Clone, Debug, Default)]
pub struct ChainCast<C>(C);

type Said<C> = <<C as Cast>::Machine as Machine>::Message;

// ANCHOR: cast
impl<C: Cast> Cast for ChainCast<C> {
    type Machine = C::Machine;

    fn boot(&self, boot: Boot<'_>, fx: &mut Effects<Said<C>>) -> Result<C::Machine, Error> {
        self.0.boot(boot, fx)
    }

    fn class(&self, message: &Said<C>) -> Class {
        self.0.class(message)
    }

    /// A chain waits for each of its replicas.
    fn can_do_without(&self, descriptor: &Descriptor, _node: NodeId) -> bool {
        descriptor.protocol.name != NAME
    }

    /// Each replica but the head is mended by its predecessor. The harness wants logs to be sound from
    /// which others are fed, and that leaves the tail's.
    fn can_repair(&self, descriptor: &Descriptor, node: NodeId) -> bool {
        let chain: Vec<NodeId> = descriptor.voters(ShardId(0)).collect();
        let is_fed = chain.len() > 1 && chain.last() == Some(&node);
        descriptor.protocol.name != NAME || is_fed
    }
}
// ANCHOR_END: cast

/// Runs one seed: what `chain sim --protocol chain` does for each.
// ANCHOR: simulate
pub fn simulate(config: &RunConfig) -> RunReport {
    let mut registry = repertoire_sim::registry();
    crate::register(&mut registry);
    let registry = Arc::new(registry);
    match config.machinery {
        Machinery::Typed => {
            let cast = ChainCast(Typed::<Chain>::default());
            repertoire_sim::run_with(&cast, registry, config)
        }
        Machinery::Erased => {
            let cast = ChainCast(Erased::new(Arc::clone(&registry)));
            repertoire_sim::run_with(&cast, registry, config)
        }
    }
}
// ANCHOR_END: simulate

//! What an operator says who appoints a leader.

use serde::{Deserialize, Serialize};

use crate::{LeaderEpoch, NodeId};

/// An order to lead.
///
/// ```
/// use repertoire_core::{LeaderEpoch, Promotion};
///
/// let careful = Promotion::of(LeaderEpoch(4));
/// assert!(!careful.accept_data_loss);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Promotion {
    /// The epoch that is to end: the newest that the caller knows of. Were there a newer one, the
    /// caller would not know what it replaces.
    pub replaces: LeaderEpoch,
    /// Whether acknowledged writes may be lost: those that only replicas hold which are out of reach,
    /// and those of replicas that hold more than the new leader.
    pub accept_data_loss: bool,
    /// Only asks whether it would be begun.
    pub is_rehearsal: bool,
}

impl Promotion {
    /// Ends that epoch, and loses nothing that was acknowledged as the keyspace asks for.
    pub const fn of(replaces: LeaderEpoch) -> Self {
        Self {
            replaces,
            accept_data_loss: false,
            is_rehearsal: false,
        }
    }
}

/// What an order to lead has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appointment {
    /// The replica leads already: there is nobody to replace.
    Leads,
    /// The voters are asked; or would be, in a rehearsal.
    Begun {
        /// Who led before, as far as the replica knows.
        former: Option<NodeId>,
    },
}

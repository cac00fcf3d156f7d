//! What an acknowledgement promises: how many copies, on what medium.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The medium that a copy has reached when it counts for an acknowledgement.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Durability {
    /// In the memory of the process: lost by a crash of the process.
    Memory,
    /// Written to the operating system: survives the process, lost by a power cut.
    Os,
    /// On stable storage (`fdatasync` returned): survives a power cut. The default.
    #[default]
    Disk,
}

/// How many copies of a write exist before its client hears "done".
///
/// | mode | copies that hold the write | survives |
/// |---|---|---|
/// | `Async` | the leader | nothing but a restart of the leader |
/// | `SemiSync(k)` | the leader and `k` synchronous followers | the loss of any `k` of them |
/// | `Sync` | every replica | the loss of all but one |
/// | `Majority` | more than half of the replicas, the leader included | the loss of a minority |
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Acks {
    /// The leader alone.
    Async,
    /// The leader and this many followers. Zero means the same as `Async`.
    SemiSync(u8),
    /// Every replica. Blocks while one of them is away.
    Sync,
    /// More than half of the replicas.
    Majority,
}

impl Default for Acks {
    fn default() -> Self {
        Self::SemiSync(1)
    }
}

impl Acks {
    /// Copies needed, the leader's own included, in a group of `replicas`.
    ///
    /// ```
    /// use repertoire_core::Acks;
    /// assert_eq!(Acks::Majority.copies(3), 2);
    /// assert_eq!(Acks::Majority.copies(4), 3);
    /// assert_eq!(Acks::SemiSync(1).copies(3), 2);
    /// assert_eq!(Acks::Sync.copies(3), 3);
    /// ```
    pub fn copies(self, replicas: usize) -> usize {
        match self {
            Self::Async => 1,
            Self::SemiSync(k) => usize::from(k) + 1,
            Self::Sync => replicas.max(1),
            Self::Majority => replicas / 2 + 1,
        }
    }

    /// Whether a group of `replicas` can ever satisfy this mode.
    pub fn is_satisfiable(self, replicas: usize) -> bool {
        self.copies(replicas) <= replicas.max(1)
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "memory",
            Self::Os => "os",
            Self::Disk => "disk",
        })
    }
}

impl fmt::Display for Acks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Async => f.write_str("async"),
            Self::SemiSync(k) => write!(f, "semi-sync({k})"),
            Self::Sync => f.write_str("sync"),
            Self::Majority => f.write_str("majority"),
        }
    }
}

/// What the client hears with "done".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    /// Where the write stands in its group's history.
    pub position: crate::EntryId,
    /// The medium that every counted copy had reached.
    pub durability: Durability,
    /// How many replicas held the write when it was acknowledged, the leader included.
    pub copies: u8,
}

#![doc = include_str!("../README.md")]
#![allow(
    clippy::cast_precision_loss,
    reason = "figures for people: counts far below 2^52"
)]

mod failover;
mod followers;
mod idle;
mod limits;
mod load;
mod options;
mod report;
mod run;
mod snapshot;
mod target;
mod usage;
mod verify;
mod worker;

pub use failover::{FailoverOptions, FailoverReport, WritesReport, run as failover};
pub use followers::{AcksReport, FollowersOptions, FollowersReport, ReadsReport, run as followers};
pub use idle::{IdleOptions, IdleReport, run as idle};
pub use options::{AckMode, BenchOptions, Medium, Network};
pub use report::{BenchReport, Limits};
pub use run::run;
pub use snapshot::{SnapshotOptions, SnapshotReport, Stall, run as snapshot};

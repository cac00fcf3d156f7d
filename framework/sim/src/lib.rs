#![doc = include_str!("../README.md")]
#![allow(
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "harness code: nodes, keyspaces and operations are numbered by the harness itself, and \
              a wrong number is a fault of the harness that must stop the run"
)]

mod agenda;
mod campaign;
mod cast;
mod client;
mod clock;
mod cluster;
mod config;
mod crowd;
mod fault;
mod invariants;
mod net;
mod panics;
mod plan;
#[cfg(feature = "sabotage")]
mod planted;
mod report;
mod rng;
mod run;
mod sometimes;
mod trace;
mod watch;

pub use campaign::{CampaignConfig, campaign, campaign_with};
pub use cast::{Cast, Erased, Typed};
pub use config::{Machinery, RunConfig, STEPS_DEFAULT, SUBJECTS, Subject, Tune, subject};
pub use crowd::{CrowdConfig, CrowdReport, Routing, crowd};
pub use fault::kind::{Fault, Shape};
pub use fault::mix::FaultMix;
#[cfg(feature = "sabotage")]
pub use planted::Hunt;
pub use report::{CampaignReport, RunReport, Violation};
pub use rng::Rng;
pub use run::{registry, run, run_with, with_workload};
pub use sometimes::{Needs, Situation};

#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod convergence;
pub mod history;
pub mod ledger;
pub mod prefix;
pub mod register;
pub mod report;
pub mod session;
pub mod wgl;

pub use history::{Fate, History, HistoryError, OpId, OpKind, Operation, Outcome};
pub use history::{SessionId, WriteId};
pub use ledger::{Evidence, Ledger};
pub use report::{Report, Violation, invariant};

//! The clients of a run: what they ask, how they retry, what they remember.

mod book;
mod increment;
mod op;
mod session;
mod workload;

pub(crate) use book::Book;
pub(crate) use increment::Increment;
pub(crate) use op::{Ask, Ending, Level, Op};
pub(crate) use session::Client;
pub(crate) use workload::Workload;

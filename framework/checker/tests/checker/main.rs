//! Tests of the checkers: hand-made histories for each violation, and random histories on which
//! checkers of different make must agree.

#[cfg(test)]
mod agreement;
#[cfg(test)]
mod history;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod ledger_random;
#[cfg(test)]
mod register;
#[cfg(test)]
mod replicas;
#[cfg(test)]
mod search;
#[cfg(test)]
mod session;
#[cfg(test)]
mod support;

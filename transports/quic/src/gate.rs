//! Back-pressure of the node towards one peer.

use std::sync::{Mutex, PoisonError};

use repertoire_core::Class;
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct State {
    /// Classes from this one on are not read.
    paused_from: Option<Class>,
    /// Counts resumptions, so that one that comes while a delivery is still returning is not lost.
    resumed: u64,
}

/// Says which classes of a peer may be read. A refused delivery pauses its class and the less
/// urgent ones; more urgent ones go on, so that a peer whose entries must wait is not taken for
/// dead.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: Mutex<State>,
    wake: Notify,
}

impl Gate {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Waits until `class` may be read. Returns what [`pause`](Self::pause) wants to know.
    pub(crate) async fn open(&self, class: Class) -> u64 {
        loop {
            let mut notified = std::pin::pin!(self.wake.notified());
            notified.as_mut().enable();
            let (open, seen) = self.with(|state| {
                let open = state.paused_from.is_none_or(|from| class < from);
                (open, state.resumed)
            });
            if open {
                return seen;
            }
            notified.await;
        }
    }

    /// Stops reading `class` and less urgent ones, unless reading was resumed since `seen`.
    pub(crate) fn pause(&self, class: Class, seen: u64) {
        self.with(|state| {
            if state.resumed == seen {
                let from = state.paused_from.map_or(class, |from| from.min(class));
                state.paused_from = Some(from);
            }
        });
    }

    /// Reads everything again.
    pub(crate) fn resume(&self) {
        self.with(|state| {
            state.resumed += 1;
            state.paused_from = None;
        });
        self.wake.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::future::Future as _;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    use repertoire_core::Class;

    use super::Gate;

    fn is_open(gate: &Gate, class: Class) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        matches!(pin!(gate.open(class)).poll(&mut cx), Poll::Ready(_))
    }

    #[tokio::test]
    async fn a_refused_class_does_not_stop_more_urgent_ones() {
        let gate = Gate::default();
        let seen = gate.open(Class::Replication).await;
        gate.pause(Class::Replication, seen);
        assert!(is_open(&gate, Class::Control));
        assert!(!is_open(&gate, Class::Replication));
        assert!(!is_open(&gate, Class::Bulk));
        gate.resume();
        assert!(is_open(&gate, Class::Bulk));
    }

    #[tokio::test]
    async fn a_resumption_that_overtakes_the_pause_is_not_lost() {
        let gate = Gate::default();
        let seen = gate.open(Class::Bulk).await;
        gate.resume();
        gate.pause(Class::Bulk, seen);
        assert!(is_open(&gate, Class::Bulk));
    }
}

//! What to do after a failure: a pure function, so that it can be read, tested and trusted.
//!
//! | the node says | then |
//! |---|---|
//! | `NotLeader` with a hint | the same request, at that node; at once the first times, then after a pause, so that two nodes that point at each other do not make a busy loop |
//! | `NotLeader` without a hint, `Fenced`, `ShuttingDown`, `StorageFailed` | the same request, at another replica, after a pause |
//! | `Overloaded`, `Unavailable`, `NotCaughtUp`, `Timeout`, `StorageFull` | the same request, at the same node, after a pause |
//! | `StaleDescriptor` | fetch the descriptor, then the same request |
//! | `SessionExpired`, and no copy of the write can have been applied | a new session name, then the write under a new number |
//! | anything else | report it |
//!
//! A pause doubles with every attempt up to [`PAUSE_MAX`] and is jittered between half and the whole,
//! so that clients which failed together do not come back together.
//!
//! **Doubt.** A write is *doubtful* once a copy of it met an unknown fate: its connection broke, or a
//! node answered `Unknown`. A doubtful write never ends as certainly not applied, whatever is said of
//! its later copies.

use std::time::Duration;

use repertoire_core::{Error, ErrorKind, NodeId, Retry, WriteOutcome};

/// The first pause.
pub const PAUSE_MIN: Duration = Duration::from_millis(2);

/// The longest pause: short enough to notice a new leader soon after an election (budget: 1 s).
pub const PAUSE_MAX: Duration = Duration::from_millis(250);

/// Redirects that are followed without a pause.
const PROMPT_REDIRECTS: u32 = 3;

/// What is known of a request when its answer arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempt {
    /// Who answered.
    pub node: NodeId,
    /// Times it was sent, this one included.
    pub tries: u32,
    /// Whether an earlier copy may have been applied.
    pub is_doubtful: bool,
    /// Any number, for the jitter.
    pub random: u64,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Send it to this node, which is the leader, after the pause.
    Redirect(NodeId, Duration),
    /// Send it to another replica, after the pause.
    Elsewhere(Duration),
    /// Send it to the same node, after the pause.
    Again(Duration),
    /// Fetch the keyspace's descriptor; send it again after the pause.
    Refresh(Duration),
    /// Begin a new session and number the write anew.
    Renumber,
    /// It ends here.
    Report,
}

/// Decides what follows a failed attempt. The deadline is the caller's to watch.
///
/// ```
/// use repertoire_client::retry::{Attempt, Decision, decide};
/// use repertoire_core::{Error, NodeId};
///
/// let attempt = Attempt { node: NodeId(1), tries: 1, is_doubtful: false, random: 7 };
/// let error = Error::not_leader(Some(NodeId(2)), "write");
/// assert!(matches!(decide(attempt, &error), Decision::Redirect(NodeId(2), pause) if pause.is_zero()));
/// ```
pub fn decide(attempt: Attempt, error: &Error) -> Decision {
    let pause = pause(attempt.tries, attempt.random);
    if let ErrorKind::NotLeader { hint: Some(leader) } = error.kind()
        && *leader != attempt.node
    {
        let is_prompt = attempt.tries <= PROMPT_REDIRECTS;
        return Decision::Redirect(*leader, if is_prompt { Duration::ZERO } else { pause });
    }
    if matches!(error.kind(), ErrorKind::StaleDescriptor { .. }) {
        return Decision::Refresh(pause);
    }
    if matches!(error.kind(), ErrorKind::SessionExpired) && !attempt.is_doubtful {
        return Decision::Renumber;
    }
    match error.retry() {
        Retry::SameRequest => Decision::Again(pause),
        Retry::Elsewhere => Decision::Elsewhere(pause),
        Retry::No => Decision::Report,
    }
}

/// Whether a write may have been applied after this answer.
pub const fn is_doubtful_after(was_doubtful: bool, error: &Error) -> bool {
    // An expired session says of *this* copy that it was not applied.
    let is_expired = matches!(error.kind(), ErrorKind::SessionExpired);
    was_doubtful || (matches!(error.outcome(), WriteOutcome::Unknown) && !is_expired)
}

/// The outcome to report with an error.
pub const fn outcome(is_doubtful: bool) -> WriteOutcome {
    if is_doubtful {
        WriteOutcome::Unknown
    } else {
        WriteOutcome::NotApplied
    }
}

/// The pause after the `tries`-th attempt.
pub fn pause(tries: u32, random: u64) -> Duration {
    let doubled = 1_u32 << tries.saturating_sub(1).min(16);
    let whole = PAUSE_MIN.saturating_mul(doubled).min(PAUSE_MAX);
    let half = whole / 2;
    let nanos = u64::try_from(half.as_nanos()).unwrap_or(0);
    half + Duration::from_nanos(random % nanos.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(tries: u32, is_doubtful: bool) -> Attempt {
        let random = 12_345_678;
        Attempt {
            node: NodeId(1),
            tries,
            is_doubtful,
            random,
        }
    }

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "write")
    }

    #[test]
    fn a_hint_is_followed_at_once_but_not_for_ever() {
        let hint = Error::not_leader(Some(NodeId(2)), "write");
        let first = decide(attempt(1, false), &hint);
        assert_eq!(first, Decision::Redirect(NodeId(2), Duration::ZERO));
        let Decision::Redirect(_, pause) = decide(attempt(9, false), &hint) else {
            panic!("no redirect");
        };
        assert!(pause > Duration::ZERO);
    }

    #[test]
    fn a_node_that_names_itself_is_not_believed() {
        let hint = Error::not_leader(Some(NodeId(1)), "write");
        assert!(matches!(
            decide(attempt(1, false), &hint),
            Decision::Elsewhere(_)
        ));
    }

    #[test]
    fn load_and_missing_replicas_are_waited_out() {
        for kind in [
            ErrorKind::Overloaded,
            ErrorKind::Unavailable,
            ErrorKind::Timeout,
        ] {
            assert!(matches!(
                decide(attempt(2, false), &error(kind)),
                Decision::Again(_)
            ));
        }
    }

    #[test]
    fn what_fails_again_is_reported() {
        for kind in [
            ErrorKind::Conflict,
            ErrorKind::Malformed,
            ErrorKind::RequestIdReuse,
        ] {
            assert_eq!(decide(attempt(1, false), &error(kind)), Decision::Report);
        }
    }

    #[test]
    fn an_expired_session_is_renewed_only_without_doubt() {
        let expired = error(ErrorKind::SessionExpired);
        assert_eq!(decide(attempt(1, false), &expired), Decision::Renumber);
        assert_eq!(decide(attempt(2, true), &expired), Decision::Report);
        assert!(!is_doubtful_after(false, &expired));
    }

    #[test]
    fn pauses_double_within_bounds() {
        for random in [0, 1, u64::MAX, 999_999_937] {
            assert!(pause(1, random) >= PAUSE_MIN / 2);
            assert!((1..100).all(|tries| pause(tries, random) <= PAUSE_MAX));
            assert!(pause(30, random) >= PAUSE_MAX / 2);
        }
    }

    #[test]
    fn doubt_stays() {
        let unknown = error(ErrorKind::Unavailable).with_outcome(WriteOutcome::Unknown);
        assert!(is_doubtful_after(false, &unknown));
        assert!(is_doubtful_after(true, &error(ErrorKind::Conflict)));
        assert!(!is_doubtful_after(false, &error(ErrorKind::Conflict)));
    }
}

//! Bugs to be found: a test that cannot fail proves nothing.

use std::cell::Cell;

/// What is done wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// The head acknowledges what it alone holds.
    AckBeforeTail,
    /// Entries are passed on before they are durable.
    ForwardBeforeDurable,
    /// Each replica shows what the tail holds as soon as it knows, before the head does.
    ShownBeforeTheHead,
    /// A head that was restarted goes on in its old epoch.
    EpochReused,
}

thread_local! {
    static PLANTED: Cell<Option<Bug>> = const { Cell::new(None) };
}

/// Plants a bug in the calling thread, and no other.
pub(crate) fn plant(bug: Option<Bug>) {
    PLANTED.set(bug);
}

/// Whether a bug is planted.
pub(crate) fn is_planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

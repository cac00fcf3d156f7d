//! Edges between actors: batches in a shared vector, and one wake-up per burst.
//!
//! A message per item would cost a wake-up each. Here senders append to a vector; only the first of
//! a burst sends a [`Kick`] to the receiving actor, which takes the whole vector in one turn. At
//! most one kick is outstanding per edge, so a mailbox of the usual capacity never fills.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use actix::{Message, Recipient};
use parking_lot::Mutex;

/// "There is something on your edge."
#[derive(Clone, Copy, Debug, Message)]
#[rtype(result = "()")]
pub(crate) struct Kick;

/// Wakes one actor, at most once until it has looked.
#[derive(Default)]
pub(crate) struct Waker {
    kicked: AtomicBool,
    recipient: OnceLock<Recipient<Kick>>,
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Waker")
            .field("kicked", &self.kicked)
            .finish_non_exhaustive()
    }
}

impl Waker {
    /// Names the actor to wake. Kicks from before are delivered now.
    pub(crate) fn connect(&self, recipient: Recipient<Kick>) {
        if self.recipient.set(recipient).is_ok() && self.kicked.swap(false, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// Wakes the actor unless it is awake already.
    pub(crate) fn wake(&self) {
        if self.kicked.swap(true, Ordering::AcqRel) {
            return;
        }
        if let Some(recipient) = self.recipient.get() {
            // A closed mailbox means that the actor has stopped: nobody is left to wake.
            let _ = recipient.try_send(Kick);
        }
    }

    /// The actor looks now. Call it before taking what is there, so that nothing is missed.
    pub(crate) fn awake(&self) {
        self.kicked.store(false, Ordering::Release);
    }
}

/// An edge that carries items of one kind.
#[derive(Debug)]
pub(crate) struct Edge<T> {
    items: Mutex<Vec<T>>,
    waker: Waker,
}

impl<T> Default for Edge<T> {
    fn default() -> Self {
        Self {
            items: Mutex::new(Vec::new()),
            waker: Waker::default(),
        }
    }
}

impl<T> Edge<T> {
    /// Names the receiving actor.
    pub(crate) fn connect(&self, recipient: Recipient<Kick>) {
        self.waker.connect(recipient);
    }

    /// Adds an item.
    pub(crate) fn push(&self, item: T) {
        self.items.lock().push(item);
        self.waker.wake();
    }

    /// Takes everything, for the receiving actor. `into` is emptied first and its memory reused.
    pub(crate) fn take(&self, into: &mut Vec<T>) {
        into.clear();
        self.waker.awake();
        std::mem::swap(&mut *self.items.lock(), into);
    }
}

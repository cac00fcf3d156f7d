//! The depth-first search for an order of the calls.

use std::collections::BTreeSet;

use super::bits::{Bits, Mark};
use super::{Call, Inconclusive, Model, Verdict};
use crate::history::OpId;

/// One choice in the order under construction.
struct Frame<S> {
    /// The state before the choice.
    state: S,
    /// Calls not tried yet at this place.
    untried: std::vec::IntoIter<usize>,
    /// The call that led here; `None` at the bottom.
    chosen: Option<usize>,
}

/// A search over the calls on one object.
pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    /// Sorted by invocation.
    calls: Vec<Call<'a, M::Op>>,
    answered: usize,
    visits_max: usize,
    /// The calls in the order under construction.
    done: Bits,
    answered_done: usize,
    visited: BTreeSet<(Mark, M::State)>,
    /// The longest order so far, and the calls none of which can follow it.
    explained: usize,
    stuck: Vec<OpId>,
}

impl<'a, M: Model> Search<'a, M> {
    pub(super) fn new(model: &'a M, calls: &[Call<'a, M::Op>], visits_max: usize) -> Self {
        let mut calls = calls.to_vec();
        calls.sort_by_key(|call| call.invoked_ns);
        let answered = calls
            .iter()
            .filter(|call| call.returned_ns.is_some())
            .count();
        Self {
            model,
            done: Bits::new(calls.len()),
            calls,
            answered,
            visits_max,
            answered_done: 0,
            visited: BTreeSet::new(),
            explained: 0,
            stuck: Vec::new(),
        }
    }

    pub(super) fn run(mut self) -> Verdict {
        let mut stack = vec![self.frame(self.model.initial(), None)];
        self.note_progress(&stack);
        while self.answered_done < self.answered {
            let Some(frame) = stack.last_mut() else {
                let Self {
                    explained,
                    answered,
                    stuck,
                    ..
                } = self;
                return Verdict::NotLinearizable {
                    explained,
                    answered,
                    stuck,
                };
            };
            let Some(index) = frame.untried.next() else {
                if let Some(chosen) = stack.pop().and_then(|frame| frame.chosen) {
                    self.undo(chosen);
                }
                continue;
            };
            let Some(next) = self.apply(&frame.state, index) else {
                continue;
            };
            if self.visited.len() > self.visits_max {
                let visits_max = self.visits_max;
                return Verdict::Inconclusive(Inconclusive::TooManyVisits { visits_max });
            }
            stack.push(self.frame(next, Some(index)));
            self.note_progress(&stack);
        }
        Verdict::Linearizable
    }

    /// The place in the order at which `state` holds, after `chosen`.
    fn frame(&self, state: M::State, chosen: Option<usize>) -> Frame<M::State> {
        let mut untried = self.candidates();
        // An answered read that fits now may as well come first: every order of the rest that
        // works with it later works without it there.
        let read = untried
            .iter()
            .copied()
            .find(|index| self.is_fitting_read(&state, *index));
        if let Some(read) = read {
            untried = vec![read];
        }
        Frame {
            state,
            untried: untried.into_iter(),
            chosen,
        }
    }

    fn is_fitting_read(&self, state: &M::State, index: usize) -> bool {
        self.calls.get(index).is_some_and(|call| {
            call.returned_ns.is_some()
                && self.model.is_read_only(call.op)
                && self.model.step(state, call.op, true).is_some()
        })
    }

    /// The calls that may come next: those sent no later than every call still to be ordered
    /// returned. Unanswered calls come last, as most of them are not needed.
    fn candidates(&self) -> Vec<usize> {
        let mut earliest_return_ns = u64::MAX;
        let mut open = Vec::new();
        for (index, call) in self.calls.iter().enumerate().skip(self.done.full_below()) {
            // Sorted by invocation: this call and all after it were sent too late.
            if call.invoked_ns > earliest_return_ns {
                break;
            }
            if !self.done.contains(index) {
                earliest_return_ns = earliest_return_ns.min(call.returned_ns.unwrap_or(u64::MAX));
                open.push((call.returned_ns.is_none(), index));
            }
        }
        open.sort_unstable();
        open.into_iter().map(|(_, index)| index).collect()
    }

    /// Puts call `index` next in the order. `None` if it does not fit or leads where the search
    /// has been, in which case nothing changes.
    fn apply(&mut self, state: &M::State, index: usize) -> Option<M::State> {
        let call = self.calls.get(index)?;
        let is_answered = call.returned_ns.is_some();
        let next = self.model.step(state, call.op, is_answered)?;
        self.done.insert(index);
        if !self.visited.insert((self.done.mark(), next.clone())) {
            self.done.remove(index);
            return None;
        }
        self.answered_done += usize::from(is_answered);
        Some(next)
    }

    fn undo(&mut self, index: usize) {
        self.done.remove(index);
        let is_answered = self
            .calls
            .get(index)
            .is_some_and(|call| call.returned_ns.is_some());
        self.answered_done -= usize::from(is_answered);
    }

    /// Remembers the longest order, for the report.
    fn note_progress(&mut self, stack: &[Frame<M::State>]) {
        let Some(frame) = stack.last() else { return };
        if stack.len() == 1 || self.answered_done > self.explained {
            self.explained = self.answered_done;
            let untried = frame
                .untried
                .as_slice()
                .iter()
                .filter_map(|i| self.calls.get(*i));
            let answered = untried.filter(|call| call.returned_ns.is_some());
            self.stuck = answered.map(|call| call.id).collect();
        }
    }
}

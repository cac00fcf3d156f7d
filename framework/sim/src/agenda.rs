//! What happens when: a heap of events ordered by time, then by the order of planning.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use crate::clock::Nanos;

#[derive(Clone, Copy, Debug)]
struct Planned<E> {
    at: Nanos,
    order: u64,
    event: E,
}

impl<E> PartialEq for Planned<E> {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl<E> Eq for Planned<E> {}

impl<E> PartialOrd for Planned<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Planned<E> {
    /// The heap gives its greatest element, so the earliest event is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.order).cmp(&(self.at, self.order))
    }
}

/// Events to come.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    heap: BinaryHeap<Planned<E>>,
    order: u64,
    now: Nanos,
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self {
            heap: BinaryHeap::with_capacity(1024),
            order: 0,
            now: 0,
        }
    }

    /// The time of the last event taken.
    #[inline]
    pub(crate) const fn now(&self) -> Nanos {
        self.now
    }

    /// Plans an event; one in the past happens now.
    #[inline]
    pub(crate) fn at(&mut self, at: Nanos, event: E) {
        self.order += 1;
        self.heap.push(Planned {
            at: at.max(self.now),
            order: self.order,
            event,
        });
    }

    /// Plans an event `span` from now.
    #[inline]
    pub(crate) fn after(&mut self, span: Nanos, event: E) {
        self.at(self.now + span, event);
    }

    /// Takes the next event; time moves on to it.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<E> {
        let planned = self.heap.pop()?;
        self.now = planned.at;
        Some(planned.event)
    }
}

/// Values of events, kept out of the heap so that moving an event moves a few bytes.
#[derive(Debug)]
pub(crate) struct Slab<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Slab<T> {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    pub(crate) fn put(&mut self, value: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.places[place as usize] = Some(value);
            return place;
        }
        self.places.push(Some(value));
        (self.places.len() - 1) as u32
    }

    /// Takes a value out. `None` when it was taken before.
    pub(crate) fn take(&mut self, place: u32) -> Option<T> {
        let value = self.places.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(value)
    }

    pub(crate) fn get(&self, place: u32) -> Option<&T> {
        self.places.get(place as usize)?.as_ref()
    }

    /// Drops every value; their places stay taken, so that late events find nothing.
    pub(crate) fn clear(&mut self) {
        self.places.iter_mut().for_each(|place| *place = None);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_by_time_then_by_order_of_planning() {
        let mut agenda = Agenda::new();
        agenda.at(5, 'b');
        agenda.at(3, 'a');
        agenda.at(5, 'c');
        let order: Vec<char> = std::iter::from_fn(|| agenda.next()).collect();
        assert_eq!(order, ['a', 'b', 'c']);
        assert_eq!(agenda.now(), 5);
    }

    #[test]
    fn a_slab_gives_each_value_once_and_reuses_places() {
        let mut slab = Slab::new();
        let place = slab.put(1);
        assert_eq!((slab.take(place), slab.take(place)), (Some(1), None));
        assert_eq!(slab.put(2), place);
        assert_eq!(slab.len(), 1);
    }
}

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

/// Nanoseconds of one slot of the wheel, as a power of two: about a millisecond.
const SLOT_BITS: u32 = 20;
/// Slots of the wheel: together longer than most timeouts.
const SLOTS: usize = 512;

/// Events to come: those of the present millisecond in a heap, those of the next ones in slots that are
/// poured into the heap when their time comes, the others in a heap of their own. Nearly all events that
/// lie ahead are timeouts of what will have ended by then; in one heap they would slow down all others.
#[derive(Debug)]
pub(crate) struct Agenda<E> {
    near: BinaryHeap<Planned<E>>,
    wheel: Vec<Vec<Planned<E>>>,
    far: BinaryHeap<Planned<E>>,
    /// The first slot, counted from time zero, that was not poured out yet.
    cursor: u64,
    /// Events in the wheel.
    turning: usize,
    order: u64,
    now: Nanos,
}

const fn slot(at: Nanos) -> u64 {
    at >> SLOT_BITS
}

impl<E> Agenda<E> {
    pub(crate) fn new() -> Self {
        Self {
            near: BinaryHeap::with_capacity(256),
            wheel: (0..SLOTS).map(|_| Vec::new()).collect(),
            far: BinaryHeap::new(),
            cursor: 0,
            turning: 0,
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
        let (at, order) = (at.max(self.now), self.order);
        self.place(Planned { at, order, event });
    }

    fn place(&mut self, planned: Planned<E>) {
        let slot = slot(planned.at);
        if slot < self.cursor {
            self.near.push(planned);
        } else if slot - self.cursor < SLOTS as u64 {
            self.turning += 1;
            self.wheel[slot as usize % SLOTS].push(planned);
        } else {
            self.far.push(planned);
        }
    }

    /// Plans an event `span` from now.
    #[inline]
    pub(crate) fn after(&mut self, span: Nanos, event: E) {
        self.at(self.now + span, event);
    }

    /// Takes the next event; time moves on to it.
    #[inline]
    pub(crate) fn next(&mut self) -> Option<E> {
        while self.near.is_empty() {
            if !self.turn() {
                return None;
            }
        }
        let planned = self.near.pop()?;
        self.now = planned.at;
        Some(planned.event)
    }

    /// Pours the next slot into the heap. `false` when nothing is planned.
    fn turn(&mut self) -> bool {
        if self.turning == 0 {
            let Some(next) = self.far.peek() else {
                return false;
            };
            self.cursor = slot(next.at);
        }
        while let Some(next) = self.far.peek()
            && slot(next.at) - self.cursor < SLOTS as u64
            && let Some(planned) = self.far.pop()
        {
            self.place(planned);
        }
        let place = self.cursor as usize % SLOTS;
        self.cursor += 1;
        let slot = &mut self.wheel[place];
        if !slot.is_empty() {
            self.turning -= slot.len();
            self.near.extend(slot.drain(..));
        }
        true
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
    fn events_come_in_order_however_far_ahead_they_lie() {
        let mut rng = crate::rng::Rng::new(5);
        let mut agenda = Agenda::new();
        let (mut planned, mut taken) = (0_u64, 0);
        let mut last = (0, 0);
        while taken < 20_000 {
            for _ in 0..rng.index(3) {
                let bits = rng.between(1, 34);
                let span = rng.below(1 << bits);
                let at = agenda.now() + span;
                planned += 1;
                agenda.at(at, (at, planned));
            }
            let Some(next) = agenda.next() else {
                continue;
            };
            assert_eq!(next.0, agenda.now());
            assert!(next > last, "{next:?} after {last:?}");
            (last, taken) = (next, taken + 1);
        }
        let left = std::iter::from_fn(|| agenda.next()).count();
        assert_eq!(taken + left, planned as usize);
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

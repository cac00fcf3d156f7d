//! The three spaces of a replica, and how a batch changes them.

use std::borrow::Cow;
use std::hint::black_box;

use repertoire_core::{Lsn, Space, StateChange};

use crate::rows::Rows;
use crate::slab::NONE;
use crate::snapshot::Snapshot;
use crate::table::{Place, Table};

/// Changes that are looked up together before any of them is made. Each look-up misses the cache
/// two or three times; a group's misses overlap. More than this many lines would push each other
/// out of the first-level cache again.
const GROUP_LEN: usize = 32;

/// What the lock of the engine guards.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) data: Table,
    pub(crate) replicated: Rows,
    pub(crate) local: Rows,
    /// Last LSN that is in the spaces.
    pub(crate) lsn: Lsn,
}

impl State {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            data: Table::new(seed),
            replicated: Rows::default(),
            local: Rows::default(),
            lsn: Lsn::ZERO,
        }
    }

    /// Makes changes in order. Returns `false` when the hash index cannot grow.
    pub(crate) fn apply(
        &mut self,
        changes: &[StateChange<'_>],
        mut snapshot: Option<&mut Snapshot>,
    ) -> bool {
        changes
            .chunks(GROUP_LEN)
            .all(|group| self.apply_group(group, snapshot.as_deref_mut()))
    }

    /// Sets one row of a loaded snapshot.
    pub(crate) fn load(
        &mut self,
        space: Space,
        key: &[u8],
        value: &[u8],
        snapshot: Option<&mut Snapshot>,
    ) -> bool {
        let (key, value) = (Cow::Borrowed(key), Some(Cow::Borrowed(value)));
        self.apply_group(&[StateChange { space, key, value }], snapshot)
    }

    fn apply_group(
        &mut self,
        group: &[StateChange<'_>],
        mut snapshot: Option<&mut Snapshot>,
    ) -> bool {
        let mut places = [Place::default(); GROUP_LEN];
        self.look_up(group, &mut places);
        let stamp = snapshot.as_ref().map_or(0, |snapshot| snapshot.number());
        // A key that came or went may be the one that a later change was looked up for.
        let mut is_stale = false;
        for (change, place) in group.iter().zip(&places) {
            let (key, value) = (&*change.key, change.value.as_deref());
            let snapshot = snapshot.as_deref_mut();
            match change.space {
                Space::Replicated => self.replicated.set(key, value, snapshot),
                Space::Local => self.local.set(key, value, None),
                Space::Data => {
                    let slot = if is_stale {
                        self.data.find(place.tag, key)
                    } else {
                        place.slot
                    };
                    match (slot, value) {
                        (NONE, None) => {}
                        (NONE, Some(value)) => {
                            is_stale = true;
                            if !self.data.insert(*place, key, value, stamp) {
                                return false;
                            }
                        }
                        (_, Some(value)) => self.data.overwrite(slot, value, snapshot),
                        (_, None) => {
                            is_stale = true;
                            self.data.remove(*place, slot, snapshot);
                        }
                    }
                }
            }
        }
        true
    }

    /// Finds the slots of a group, one kind of memory access after the other.
    fn look_up(&self, group: &[StateChange<'_>], places: &mut [Place; GROUP_LEN]) {
        for (change, place) in group.iter().zip(places.iter_mut()) {
            place.tag = self.data.tag(&change.key);
        }
        let mut touched = 0;
        for place in places.iter().take(group.len()) {
            touched ^= self.data.buckets().touch(place.tag);
        }
        // The first slot with the right tag is the right one, as good as always.
        for place in places.iter_mut().take(group.len()) {
            let guess = self.data.buckets().find(place.tag, |_| true);
            place.slot = guess.unwrap_or(NONE);
            let entry = self.data.slab().get(place.slot);
            touched ^= entry.map_or(0, |entry| u64::from(entry.stamp));
        }
        for (change, place) in group.iter().zip(places.iter_mut()) {
            if let Some(entry) = self.data.slab().get(place.slot) {
                if entry.holds(&change.key) {
                    touched ^= entry.value.first().map_or(0, |&byte| byte.into());
                    touched ^= entry.value.get(64).map_or(0, |&byte| byte.into());
                } else {
                    place.slot = self.data.find(place.tag, &change.key);
                }
            }
        }
        touched ^= self.look_up_leaves(group, places);
        black_box(touched);
    }

    /// Finds the leaves of keys that come or go.
    fn look_up_leaves(&self, group: &[StateChange<'_>], places: &mut [Place; GROUP_LEN]) -> u64 {
        let order = self.data.order();
        let is_structural = |change: &StateChange<'_>, place: &Place| {
            change.space == Space::Data && change.value.is_some() == (place.slot == NONE)
        };
        let mut changes = 0;
        for (change, place) in group.iter().zip(places.iter_mut()) {
            if is_structural(change, place) {
                place.hint = order.hint(&change.key);
                changes += 1;
            }
        }
        if changes == 0 {
            return 0;
        }
        let structural = group.iter().zip(places.iter());
        structural
            .filter(|(change, place)| is_structural(change, place))
            .fold(0, |sum, (change, place)| match change.value {
                Some(_) => sum ^ order.touch_end(place.hint),
                None => sum ^ order.touch_all(place.hint),
            })
    }
}

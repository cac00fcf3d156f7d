//! Reads that wait or are under way, by names that are never used twice: a late answer must not
//! reach another read.

use crate::flight::ReadFlight;

/// Names a read: its place in the table, and how often the place was used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadId {
    place: u32,
    uses: u32,
}

#[derive(Debug)]
struct Place {
    uses: u32,
    read: Option<ReadFlight>,
}

/// See the module's documentation.
#[derive(Debug, Default)]
pub(crate) struct ReadTable {
    places: Vec<Place>,
    free: Vec<u32>,
}

impl ReadTable {
    /// Adds a read.
    pub(crate) fn add(&mut self, read: ReadFlight) -> ReadId {
        let place = self.free.pop().unwrap_or_else(|| {
            let (uses, read) = (0, None);
            self.places.push(Place { uses, read });
            u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
        });
        let mut uses = 0;
        if let Some(slot) = self.places.get_mut(place as usize) {
            slot.uses = slot.uses.wrapping_add(1);
            uses = slot.uses;
            slot.read = Some(read);
        }
        ReadId { place, uses }
    }

    /// A read that has not ended.
    pub(crate) fn get(&self, id: ReadId) -> Option<&ReadFlight> {
        let place = self.places.get(id.place as usize)?;
        place.read.as_ref().filter(|_| place.uses == id.uses)
    }

    /// A read that has not ended.
    pub(crate) fn get_mut(&mut self, id: ReadId) -> Option<&mut ReadFlight> {
        let place = self.places.get_mut(id.place as usize)?;
        place.read.as_mut().filter(|_| place.uses == id.uses)
    }

    /// Ends a read.
    pub(crate) fn take(&mut self, id: ReadId) -> Option<ReadFlight> {
        self.get(id)?;
        let read = self.places.get_mut(id.place as usize)?.read.take()?;
        self.free.push(id.place);
        Some(read)
    }

    /// The reads that have not ended.
    pub(crate) fn ids(&self) -> Vec<ReadId> {
        let numbered = (0..).zip(&self.places);
        let used = numbered.filter(|(_, slot)| slot.read.is_some());
        used.map(|(place, slot)| ReadId {
            place,
            uses: slot.uses,
        })
        .collect()
    }
}

//! Where a moment is on the page.
//!
//! Spans are drawn in proportion, within limits: nothing overlaps, and nothing is off the page.

use std::collections::BTreeMap;

use super::HEAD;
use crate::{Happening, Micros};

/// Microseconds in a pixel.
const MICROS_PER_PIXEL: u64 = 14;
const GAP_MIN: u64 = 17;
const GAP_MAX: u64 = 44;

pub(super) struct Scale {
    places: BTreeMap<Micros, u64>,
}

impl Scale {
    pub(super) fn of(shown: &[&Happening]) -> Self {
        let mut places = BTreeMap::new();
        for happening in shown {
            places.insert(happening.at(), 0);
            if let Happening::Sent {
                arrives: Some(arrives),
                ..
            } = happening
            {
                places.insert(*arrives, 0);
            }
        }
        let (mut y, mut last) = (HEAD, None);
        for (at, place) in &mut places {
            if let Some(last) = last {
                let gap: u64 = (at - last) / MICROS_PER_PIXEL;
                y += gap.clamp(GAP_MIN, GAP_MAX);
            }
            *place = y;
            last = Some(*at);
        }
        Self { places }
    }

    /// Pixels from the top.
    pub(super) fn y(&self, at: Micros) -> u64 {
        self.places.get(&at).copied().unwrap_or(HEAD)
    }

    /// The last moment's place.
    pub(super) fn end(&self) -> u64 {
        self.places.last_key_value().map_or(HEAD, |(_, y)| *y)
    }

    /// Every moment, with its place.
    pub(super) fn labels(&self) -> impl Iterator<Item = (Micros, u64)> {
        self.places.iter().map(|(at, y)| (*at, *y))
    }
}

//! What is known of each peer: counters, cuts, and frames that are held back.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use repertoire_core::{NodeId, Outgoing};
use tokio::time::Instant;

use crate::plan::{Fate, FaultCounts, FaultPlan};

/// Bytes that may be held back for one peer. Beyond them frames are refused, as by a full outbox.
const HELD_MAX: usize = 64 << 20;

/// Frames that wait for their time.
#[derive(Debug, Default)]
struct Held {
    frames: VecDeque<(Instant, Outgoing)>,
    bytes: usize,
    last_due: Option<Instant>,
}

/// Frames on their way to the transport below, each with its place in the caller's list.
pub(crate) type Passing = Vec<(usize, Outgoing)>;

/// The state of the decorator.
#[derive(Debug, Default)]
pub(crate) struct Lanes {
    pub(crate) plan: FaultPlan,
    pub(crate) counts: FaultCounts,
    pub(crate) cut_out: BTreeSet<NodeId>,
    pub(crate) cut_in: BTreeSet<NodeId>,
    pub(crate) severed: BTreeSet<NodeId>,
    /// Links that are up below.
    pub(crate) up: BTreeSet<NodeId>,
    sent: BTreeMap<(NodeId, u8), u64>,
    held: BTreeMap<NodeId, Held>,
}

impl Lanes {
    pub(crate) fn new(plan: FaultPlan) -> Self {
        Self {
            plan,
            ..Self::default()
        }
    }

    /// Decides what becomes of frames. Returns those that pass at once, and how many of the list
    /// were taken at most; the rest waits here or is gone.
    pub(crate) fn judge(
        &mut self,
        to: NodeId,
        frames: Vec<Outgoing>,
        now: Instant,
    ) -> (Passing, usize) {
        let count = frames.len();
        if self.cut_out.contains(&to) {
            self.counts.cut += count as u64;
            return (Passing::new(), count);
        }
        let mut passing = Passing::with_capacity(count);
        for (place, frame) in frames.into_iter().enumerate() {
            let class = frame.message.class;
            let n = self.sent.entry((to, class as u8)).or_default();
            let fate = self.plan.fate(to, class, *n);
            *n += 1;
            let copies = match fate {
                Fate::Drop => {
                    self.counts.dropped += 1;
                    continue;
                }
                Fate::Twice => {
                    self.counts.duplicated += 1;
                    2
                }
                Fate::Pass | Fate::Late(_) => 1,
            };
            let held = self.held.entry(to).or_default();
            let late = if let Fate::Late(by) = fate {
                self.counts.delayed += 1;
                Some(now + by)
            } else {
                None
            };
            for _ in 0..copies {
                if late.is_none() && held.frames.is_empty() {
                    passing.push((place, frame.clone()));
                } else if held.bytes > HELD_MAX {
                    return (passing, place);
                } else {
                    held.push(late.unwrap_or(now), frame.clone());
                }
            }
        }
        (passing, count)
    }

    /// Frames whose time has come, per peer, and when the next one is due.
    pub(crate) fn due(&mut self, now: Instant) -> (Vec<(NodeId, Vec<Outgoing>)>, Option<Instant>) {
        let mut due = Vec::new();
        let mut next = None;
        for (to, held) in &mut self.held {
            let frames = held.take(now);
            if !frames.is_empty() {
                due.push((*to, frames));
            }
            let first = held.frames.front().map(|(at, _)| *at);
            next = first.into_iter().chain(next).min();
        }
        (due, next)
    }

    /// Everything that is held back, whether its time has come or not.
    pub(crate) fn release(&mut self) -> Vec<(NodeId, Vec<Outgoing>)> {
        let held = std::mem::take(&mut self.held);
        let frames = |held: Held| held.frames.into_iter().map(|(_, frame)| frame).collect();
        held.into_iter()
            .map(|(to, held)| (to, frames(held)))
            .collect()
    }

    /// Forgets what is held back for a peer whose link has ended.
    pub(crate) fn forget(&mut self, peer: NodeId) {
        self.held.remove(&peer);
    }
}

impl Held {
    fn push(&mut self, due: Instant, frame: Outgoing) {
        // No frame overtakes another.
        let due = self.last_due.map_or(due, |last| last.max(due));
        self.last_due = Some(due);
        self.bytes += frame.message.len();
        self.frames.push_back((due, frame));
    }

    fn take(&mut self, now: Instant) -> Vec<Outgoing> {
        let mut due = Vec::new();
        while self.frames.front().is_some_and(|(at, _)| *at <= now)
            && let Some((_, frame)) = self.frames.pop_front()
        {
            self.bytes = self.bytes.saturating_sub(frame.message.len());
            due.push(frame);
        }
        due
    }
}

//! What became of elections, as far as replicas tell.

use repertoire_core::Telemetry;

use super::World;
use crate::cast::Cast;
use crate::sometimes::Situation;

/// The elections of one keyspace.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Elections {
    /// The node that was elected last.
    leader: Option<usize>,
    /// Whether votes have been asked for since, and nobody has won.
    is_open: bool,
}

impl<C: Cast> World<'_, C> {
    pub(crate) fn note_election(&mut self, n: usize, g: usize, event: Telemetry) {
        let elections = &mut self.known[g].elections;
        match event.name {
            "election-begun" if std::mem::replace(&mut elections.is_open, true) => {
                self.reached.note(Situation::ElectionWithoutWinner);
            }
            "leader-elected" => {
                elections.is_open = false;
                match elections.leader.replace(n) {
                    Some(before) if before == n => self.reached.note(Situation::LeaderReelected),
                    Some(_) => self.reached.note(Situation::LeaderReplaced),
                    None => {}
                }
            }
            "leader-without-quorum" => self.reached.note(Situation::LeaderGaveUp),
            "entries-inherited" => self.reached.note(Situation::EntriesInherited),
            "read-confirmed" => self.reached.note(Situation::ReadConfirmed),
            _ => {}
        }
    }
}

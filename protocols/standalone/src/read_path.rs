//! Reads: one replica has seen everything there is, so every level is served here.

use repertoire_core::{
    Effects, EntryId, Error, ErrorKind, Position, ReadLevel, ReadVerdict, Ticket,
};

use crate::{Message, Standalone};

impl Standalone {
    /// Decides whether and from which position on a read may be answered.
    pub(crate) fn on_read(&mut self, ticket: Ticket, level: &ReadLevel, fx: &mut Effects<Message>) {
        let at = self.state.applied;
        let verdict = match level {
            ReadLevel::Local | ReadLevel::Leader | ReadLevel::Bounded(_) => {
                ReadVerdict::ServeAt { ticket, at }
            }
            ReadLevel::Session(Position::Entry(need)) => self.contained(ticket, &[*need]),
            ReadLevel::Session(Position::Entries(needs)) => self.contained(ticket, needs),
            ReadLevel::Session(Position::Frontier(_) | Position::Dots(_)) => {
                refused(ticket, ErrorKind::Malformed)
            }
        };
        fx.reads.push(verdict);
    }

    /// Only acknowledged positions are given out, and what was acknowledged is applied: a position
    /// ahead was lost with a log that was not synced.
    fn contained(&self, ticket: Ticket, needs: &[EntryId]) -> ReadVerdict {
        let at = self.state.applied;
        match self.state.history.missing(needs, at) {
            None => {
                let at = needs.iter().map(|need| need.lsn).max().unwrap_or(at);
                ReadVerdict::ServeAt { ticket, at }
            }
            Some((need, _)) => {
                let need = Position::Entry(need);
                refused(ticket, ErrorKind::Discarded { need })
            }
        }
    }
}

fn refused(ticket: Ticket, kind: ErrorKind) -> ReadVerdict {
    ReadVerdict::Refused {
        ticket,
        error: Box::new(Error::new(kind, "read")),
    }
}

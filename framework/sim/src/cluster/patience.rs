//! How long clients wait. All attempts of one client get the same time, so that they run out of it in
//! the order in which they were made: one planned event for each client looks after all of them.

use super::{Event, World};
use crate::cast::Cast;
use crate::client::Ending;

impl<C: Cast> World<'_, C> {
    /// Notes when the latest attempt at an operation counts as unanswered.
    pub(super) fn watch_attempt(&mut self, number: u32) {
        let op = &self.book.ops[number as usize];
        let client = &mut self.clients[op.client];
        let patience = client.plan.patience;
        let at = self.agenda.now() + patience + patience / 4;
        client.unanswered.push_back((at, number, op.attempts));
        if client.unanswered.len() == 1 {
            let event = Event::Timeout {
                client: op.client as u8,
            };
            self.agenda.at(at, event);
        }
    }

    /// The oldest attempt that was unanswered at the last look may be so still.
    pub(crate) fn on_timeout(&mut self, client: usize) {
        let time = self.time();
        while let Some((at, number, attempt)) = self.clients[client].unanswered.front().copied() {
            let op = &mut self.book.ops[number as usize];
            let is_open = op.ending == Ending::Open && op.attempts == attempt;
            if is_open && at > time {
                let event = Event::Timeout {
                    client: client as u8,
                };
                self.agenda.at(at, event);
                return;
            }
            self.clients[client].unanswered.pop_front();
            if is_open {
                self.lose_patience(number);
            }
        }
    }

    fn lose_patience(&mut self, number: u32) {
        let op = &mut self.book.ops[number as usize];
        op.may_be_applied = true;
        let stays = self.clients[op.client].rng.one_in(3);
        if !stays {
            self.turn_elsewhere(number, None);
        }
        self.retry(number);
    }
}

//! Expired keys: found by scanning, removed by logged deletes, as the node's driver does it.

use repertoire_core::{
    ClientId, EXPIRE_FUNCTION, Mono, Operation, ReplyHandle, RequestId, WriteRequest,
};
use repertoire_log_formats::expiry;

use super::{Event, World};
use crate::cast::Cast;
use crate::clock::{MILLI, Nanos};

/// How often expired keys are looked for.
pub(super) const EXPIRY_EVERY: Nanos = 25 * MILLI;

impl<C: Cast> World<'_, C> {
    /// The leader's node looks for expired keys and logs their removal.
    pub(crate) fn on_expiry(&mut self, g: usize) {
        if !self.is_issuing {
            return;
        }
        let event = Event::Expiry { group: g as u8 };
        self.agenda.after(EXPIRY_EVERY, event);
        for n in self.plan.groups[g].members.clone() {
            let now = self.now(n);
            let host = self.nodes[n].replicas[g].host.as_ref();
            let is_open =
                host.is_some_and(|host| host.admission() == repertoire_core::Admission::Open);
            if !is_open || self.nodes[n].paused_until > self.time() {
                continue;
            }
            let mut rows = Vec::new();
            if let Some(engine) = self.engine(n, g) {
                let end = expiry::index_end(now.wall);
                let scanned = engine.scan(
                    repertoire_core::Space::Replicated,
                    &[],
                    &end,
                    &mut |row, _| {
                        rows.push(row.to_vec());
                        rows.len() < expiry::EXPIRE_MAX
                    },
                );
                debug_assert!(scanned.is_ok());
            }
            let due = rows
                .iter()
                .filter_map(|row| expiry::Expiry::from_index_key(row));
            let args = expiry::expire_args(due);
            if !args.is_empty() {
                self.submit_internal(n, g, &args);
            }
        }
    }

    fn submit_internal(&mut self, n: usize, g: usize, args: &[u8]) {
        let now = self.now(n);
        self.internal += 1;
        let call = Operation::Call {
            function: EXPIRE_FUNCTION,
            args,
        };
        let request = WriteRequest {
            id: RequestId {
                client: ClientId::INTERNAL,
                seq: self.internal,
                acked_upto: 0,
            },
            reply_to: ReplyHandle {
                session: u64::MAX,
                request: u64::MAX,
            },
            acks: None,
            deadline: Mono(now.mono.0 + 200 * MILLI),
            body: call.encode(),
        };
        if let Some(host) = &mut self.nodes[n].replicas[g].host {
            host.submit(now, request);
            self.touched(n, g);
        }
    }
}

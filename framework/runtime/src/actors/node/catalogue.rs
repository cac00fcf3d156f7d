//! Following keyspace 0: proposing what the node was formatted with, starting what it describes.

use std::sync::Arc;

use repertoire_core::{
    Admission, Catalogue, ClientId, GroupId, Member, Mono, Now, Operation, ReplyHandle, RequestId,
    Space, WriteRequest,
};

use super::NodeActor;

impl NodeActor {
    /// Reads the catalogue's rows after a change of keyspace 0 and acts on what is new.
    pub(super) fn follow_catalogue(&mut self, now: Now) {
        let Some(slot) = self.slots.get(&GroupId::CATALOGUE) else {
            return;
        };
        let Some(host) = &slot.host else { return };
        let is_leader = host.admission() == Admission::Open;
        // What was handed to the engine may take it more than one turn.
        let at = (host.applied(), host.apply_backlog_bytes(), is_leader);
        if self.catalogue_at != Some(at) {
            self.catalogue_at = Some(at);
            self.absorb_catalogue(now);
            if is_leader {
                self.propose_missing(now);
            }
        }
    }

    fn absorb_catalogue(&mut self, now: Now) {
        let Some(engine) = self
            .slots
            .get(&GroupId::CATALOGUE)
            .and_then(|s| s.host.as_ref()?.engine())
        else {
            return;
        };
        let mut catalogue = (*self.catalogue).clone();
        let scanned = engine.scan(Space::Data, &[], &[], &mut |key, cell| {
            let value = repertoire_core::Cell::decode(cell).map(|cell| cell.value);
            let absorbed = value.map(|value| catalogue.absorb(key, value));
            if !matches!(absorbed, Ok(Ok(()))) {
                tracing::error!(key = %key.escape_ascii(), "A catalogue row does not parse");
            }
            true
        });
        if let Err(error) = scanned {
            tracing::error!(%error, "The catalogue could not be read");
        }
        let catalogue = Arc::new(catalogue);
        for descriptor in catalogue.keyspaces() {
            self.end_replicas(descriptor);
            self.start_replicas(now, descriptor);
        }
        if let Err(error) = crate::identity::save_catalogue(&self.options.data, &catalogue) {
            tracing::error!(%error, "The catalogue could not be cached");
        }
        self.wiring.sessions.publish(Arc::clone(&catalogue));
        self.catalogue = catalogue;
        self.meet_members();
    }

    /// At the leader of keyspace 0: proposes the keyspaces and members that the cluster was formatted
    /// with and that the catalogue does not hold yet.
    fn propose_missing(&mut self, now: Now) {
        let wanted: Vec<_> = self.options.proposed.clone();
        for descriptor in wanted {
            if self.catalogue_holds(&Catalogue::keyspace_key(descriptor.id)) {
                continue;
            }
            let value = serde_json::to_vec(&descriptor).unwrap_or_default();
            self.propose(now, &Catalogue::keyspace_key(descriptor.id), &value);
        }
        let members: Vec<Member> = self.options.members.clone();
        for member in members {
            let key = Catalogue::member_key(member.node);
            if !self.catalogue_holds(&key) {
                self.propose(now, &key, &serde_json::to_vec(&member).unwrap_or_default());
            }
        }
    }

    fn catalogue_holds(&self, key: &[u8]) -> bool {
        let engine = self
            .slots
            .get(&GroupId::CATALOGUE)
            .and_then(|s| s.host.as_ref()?.engine());
        engine.is_some_and(|engine| {
            engine
                .get(Space::Data, key)
                .is_ok_and(|cell| cell.is_some())
        })
    }

    /// A create-if-absent write to keyspace 0; proposing it twice does nothing.
    fn propose(&mut self, now: Now, key: &[u8], value: &[u8]) {
        self.internal_requests += 1;
        let seq = self.internal_requests;
        let operation = Operation::CompareAndSet {
            key,
            expected: None,
            new: Some(value),
        };
        let request = WriteRequest {
            id: RequestId {
                client: ClientId::INTERNAL,
                seq,
                acked_upto: 0,
            },
            reply_to: ReplyHandle {
                session: 0,
                request: seq,
            },
            acks: None,
            deadline: Mono::NEVER,
            body: operation.encode(),
        };
        if let Some(slot) = self.slots.get_mut(&GroupId::CATALOGUE) {
            slot.guard(|host| host.submit(now, request));
        }
        self.touch(GroupId::CATALOGUE);
    }
}

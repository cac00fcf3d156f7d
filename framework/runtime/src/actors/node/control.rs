//! Requests of the runtime itself.

use std::time::Duration;

use actix::Context;
use repertoire_core::{
    Appointment, ClientId, EXPIRE_FUNCTION, EntryId, Error, ErrorKind, GroupId, MemberChange, Mono,
    NodeId, Now, Operation, Promotion, ReplyHandle, RequestId, Settlement, Space, WriteRequest,
};
use repertoire_log_formats::expiry::{EXPIRE_MAX, Expiry, expire_args, index_end};
use tokio::sync::oneshot;

use super::NodeActor;
use crate::admin::discards::Page;

/// Replies to this session go nowhere: the framework's own writes.
pub(super) const NO_SESSION: u64 = 0;

/// How often a replica is looked at that nobody uses: a key that expires there goes as late as that.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// A request of the runtime itself.
#[derive(Debug)]
pub(crate) enum Control {
    /// Describe the node.
    Status(oneshot::Sender<serde_json::Value>),
    /// Let a replica that was given up start again from its snapshot and its log.
    Release(GroupId, oneshot::Sender<Result<(), Error>>),
    /// Hand the leadership of a replica over.
    Transfer(GroupId, NodeId, oneshot::Sender<Result<(), Error>>),
    /// Let a replica of this node lead.
    Promote(
        GroupId,
        Promotion,
        oneshot::Sender<Result<Appointment, Error>>,
    ),
    /// Change who belongs to a group.
    ChangeMembers(GroupId, MemberChange, oneshot::Sender<Result<(), Error>>),
    /// List who belongs to a group.
    Members(GroupId, oneshot::Sender<Result<serde_json::Value, Error>>),
    /// List discarded writes of a replica after that position.
    Discards(
        GroupId,
        Option<EntryId>,
        oneshot::Sender<Result<Page, Error>>,
    ),
    /// Settle discarded writes.
    Settle(
        GroupId,
        Vec<EntryId>,
        Settlement,
        oneshot::Sender<Result<usize, Error>>,
    ),
    /// Refuse new requests and end those under way.
    Drain(oneshot::Sender<()>),
}

impl NodeActor {
    pub(super) fn control(&mut self, now: Now, control: Control) {
        match control {
            Control::Status(reply) => {
                let status = self.status(now);
                let _ = reply.send(status);
            }
            Control::Release(group, reply) => {
                let _ = reply.send(self.release(now, group));
            }
            Control::Transfer(group, to, reply) => {
                let _ = reply.send(self.transfer(now, group, to));
            }
            Control::Promote(group, promotion, reply) => {
                let _ = reply.send(self.promote(now, group, promotion));
            }
            Control::ChangeMembers(group, change, reply) => {
                let _ = reply.send(self.change_members(now, group, &change));
            }
            Control::Members(group, reply) => {
                let _ = reply.send(self.members(group));
            }
            Control::Discards(group, after, reply) => {
                let _ = reply.send(self.discards(group, after));
            }
            Control::Settle(group, records, how, reply) => {
                let _ = reply.send(self.settle(group, &records, how));
            }
            Control::Drain(reply) => {
                self.drain();
                let _ = reply.send(());
            }
        }
    }

    fn transfer(&mut self, now: Now, group: GroupId, to: NodeId) -> Result<(), Error> {
        let slot = self.running(group)?;
        let lost = || Error::new(ErrorKind::Poisoned, "transfer").with("group", group);
        let result = slot.guard(|host| host.transfer(now, to));
        self.touch(group);
        result.unwrap_or_else(|| Err(lost()))
    }

    fn promote(
        &mut self,
        now: Now,
        group: GroupId,
        promotion: Promotion,
    ) -> Result<Appointment, Error> {
        let slot = self.running(group)?;
        let lost = || Error::new(ErrorKind::Poisoned, "promote").with("group", group);
        let result = slot.guard(|host| host.promote(now, promotion));
        self.touch(group);
        result.unwrap_or_else(|| Err(lost()))
    }

    fn drain(&mut self) {
        self.draining = true;
        let error = Error::new(ErrorKind::ShuttingDown, "request");
        let groups: Vec<_> = self.slots.keys().copied().collect();
        for group in groups {
            if let Some(slot) = self.slots.get_mut(&group) {
                slot.guard(|host| host.abandon(&error));
            }
            self.touch(group);
        }
    }

    /// Looks at deadlines, checkpoints and expiries: of replicas that are in use at each tick, of the
    /// others, which may be thousands, now and then.
    pub(super) fn tick(&mut self, ctx: &mut Context<Self>) {
        let now = crate::clock::now();
        let slots = self.slots.iter();
        let due = slots.filter(|(_, slot)| slot.look_at <= now.mono);
        let groups: Vec<_> = due.map(|(group, _)| *group).collect();
        for group in groups {
            self.expire_keys(now, group);
            self.touch(group);
            let Some(slot) = self.slots.get_mut(&group) else {
                continue;
            };
            let next = slot.guard(|host| (host.expire(now), host.writes_in_flight()));
            if next.is_none_or(|next| next == (Mono::NEVER, 0)) {
                slot.look_at = now.mono.after(LOOK_AGAIN);
            }
        }
        self.turn(ctx);
    }

    /// At the leader: logs the removal of keys whose time has come.
    fn expire_keys(&mut self, now: Now, group: GroupId) {
        let Some(slot) = self.slots.get_mut(&group) else {
            return;
        };
        let Some(host) = &slot.host else { return };
        if host.admission() != repertoire_core::Admission::Open || self.log_full {
            return;
        }
        let Some(engine) = host.engine() else { return };
        let mut due = Vec::new();
        let end = index_end(now.wall);
        let scan = engine.scan(Space::Replicated, &[], &end, &mut |row, _| {
            due.push(row.to_vec());
            due.len() < EXPIRE_MAX
        });
        if scan.is_err() || due.is_empty() {
            return;
        }
        let args = expire_args(due.iter().filter_map(|row| Expiry::from_index_key(row)));
        self.internal_requests += 1;
        let body = Operation::Call {
            function: EXPIRE_FUNCTION,
            args: &args,
        }
        .encode();
        let seq = self.internal_requests;
        let request = WriteRequest {
            id: RequestId {
                client: ClientId::INTERNAL,
                seq,
                acked_upto: 0,
            },
            reply_to: ReplyHandle {
                session: NO_SESSION,
                request: seq,
            },
            acks: Some(repertoire_core::Acks::Async),
            deadline: Mono::NEVER,
            body,
        };
        slot.guard(|host| host.submit(now, request));
    }
}

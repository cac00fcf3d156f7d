//! Media that lose what they held: a bit flips, or the disk is replaced by an empty one.

use repertoire_core::{Host, LogStore, Lsn, RecoveredGroup};
use repertoire_segment_log::{MemoryDisk, Options, SegmentLog};
use repertoire_storage_faulty::FaultyDisk;

use super::kind::{Fault, Shape};
use crate::cast::Cast;
use crate::cluster::{Node, Replica, World};
use crate::config::subject;
use crate::plan::GroupPlan;
use crate::rng::Rng;
use crate::sometimes::Situation;

/// Places that are looked at for one where something is written.
const PLACES: u64 = 16;

/// Whether every replica of the node runs, has forgotten nothing, and has something to remember: the
/// disk of a voter that was not written to yet is as good as lost.
fn remembers<C: Cast>(node: &Node<C>) -> bool {
    let is_whole = |replica: &Replica<C>| {
        let status = replica.host.as_ref().map(Host::inspect);
        status.is_some_and(|status| {
            let is_amnesiac = status.details.get("is_amnesiac");
            is_amnesiac.is_none_or(|is| *is == 0 && status.durable_lsn > Lsn::ZERO)
        })
    };
    let mut members = node.replicas.iter().filter(|replica| replica.is_member);
    node.is_up && !node.is_rotting && members.all(is_whole)
}

impl<C: Cast> World<'_, C> {
    /// The medium of a node suffers that the cluster can do without.
    pub(super) fn rot(&mut self, n: usize) {
        if self.is_needed(n) || !self.all_say(n, C::can_repair) || !self.others_remember(n) {
            return;
        }
        if self.plan.churn.is_some() {
            return self.lose_disk(n);
        }
        if self.nodes[n].is_rotting {
            // Two flips can look just like a torn tail. Only a start finds one, so the node is
            // restarted instead of struck twice.
            return self.crash_for_a_while(n, false);
        }
        let mut rng = self.chance(Fault::BitRot).clone();
        if self.can_replace(n) && rng.one_in(3) {
            self.replace_disk(n, &mut rng);
        } else {
            self.flip_a_bit(n, &mut rng);
        }
        *self.chance(Fault::BitRot) = rng;
    }

    /// A member loses its disk, where the others can vote it out: while all of them are there, are
    /// enough without it, and no change of the members is under way.
    fn lose_disk(&mut self, n: usize) {
        // Of a change that is on its way the leader itself may not know yet whether it comes.
        let hosts = self
            .nodes
            .iter()
            .filter_map(|node| node.replicas[0].host.as_ref());
        let views: Vec<_> = hosts.filter_map(Host::members).collect();
        let is_calm = views.iter().all(|view| view.is_settled);
        let Some((_, view)) = self.newest_view(0).filter(|_| is_calm) else {
            return;
        };
        if views.iter().any(|other| other.at.lsn > view.at.lsn) {
            return;
        }
        let is_member = view.membership.member(crate::plan::node_id(n)).is_some();
        // Who is down may hold a change that the others have not heard of, and bring it back.
        let is_there = |member: &repertoire_core::GroupMember| {
            let n = crate::plan::node_index(member.node);
            self.nodes[n].replicas[0].host.is_some()
        };
        let is_whole = view.membership.members().iter().all(is_there);
        let mut nodes = 0..self.nodes.len();
        let is_lost = nodes.any(|other| self.is_lost(other, &view));
        // A group that waits for a copy of every voter takes no changes of the members either.
        let is_small = view.membership.voters().count() <= self.voters_min().max(2);
        if !is_member || !is_whole || is_lost || is_small {
            return;
        }
        let mut rng = self.chance(Fault::BitRot).clone();
        self.replace_disk(n, &mut rng);
        *self.chance(Fault::BitRot) = rng;
        self.reached.note(Situation::MemberWiped);
    }

    /// Where leaders are elected, a copy or a vote may be lost only while nobody else lacks one: what
    /// was acknowledged with two copies does not survive the loss of both.
    fn others_remember(&self, n: usize) -> bool {
        let elects = self.plan.groups.iter().any(GroupPlan::elects);
        let mut others = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != n);
        !elects || others.all(|(_, node)| remembers(node))
    }

    /// Whether no voter has forgotten anything.
    pub(crate) fn all_remember(&self) -> bool {
        let elects = self.plan.groups.iter().any(GroupPlan::elects);
        !elects || self.nodes.iter().all(remembers)
    }

    /// Whether every replica of the node is of a protocol that can begin anew.
    fn can_replace(&self, n: usize) -> bool {
        let here = self
            .plan
            .groups
            .iter()
            .filter(|group| group.members.contains(&n));
        let replicates = |name: &str| subject(name).is_some_and(|subject| subject.replicates);
        here.into_iter()
            .all(|group| replicates(&group.descriptor.protocol.name))
    }

    /// The node comes back with an empty disk.
    fn replace_disk(&mut self, n: usize, rng: &mut Rng) {
        self.crash_for_a_while(n, false);
        let node = &mut self.nodes[n];
        if node.is_up || node.is_gone {
            return;
        }
        node.take_new_disk(rng);
        self.tally.count(Shape::EmptyDisk);
    }

    fn flip_a_bit(&mut self, n: usize, rng: &mut Rng) {
        let Some(disk) = self.medium(n) else {
            return;
        };
        let names = disk.names();
        if names.is_empty() {
            return;
        }
        let size = u64::from(self.plan.disk.segment_bytes);
        let mut places = (0..PLACES).map(|_| (&names[rng.index(names.len())], rng.below(size)));
        let is_written = |(name, at): &(&String, u64)| disk.byte(name, *at).unwrap_or(0) != 0;
        let Some((name, at)) = places.find(is_written) else {
            return;
        };
        let bit = rng.below(8) as u8;
        let mut rotten = disk.clone();
        if !rotten.flip_bit(name, at, bit) || !self.is_noticed(n, disk, rotten) {
            return;
        }
        let name = name.clone();
        let node = &mut self.nodes[n];
        let running = node.log.store.as_mut().map(|store| store.disk_mut());
        if let Some(disk) = running.or(node.disk.as_mut()) {
            disk.inner_mut().flip_bit(&name, at, bit);
            (node.has_rotted, node.is_rotting) = (true, true);
            self.tally.count(Shape::FlippedBit);
        }
    }

    fn medium(&self, n: usize) -> Option<&MemoryDisk> {
        let node = &self.nodes[n];
        let running = node.log.store.as_ref().map(SegmentLog::disk);
        running.or(node.disk.as_ref()).map(FaultyDisk::inner)
    }

    /// Whether a start tells of what the flip destroys, if it destroys anything. What looks like the
    /// torn tail of a burst that was never synced is cut off without a word. A follower of a named
    /// leader can afford that; a voter would have forgotten what it promised.
    fn is_noticed(&self, n: usize, sound: &MemoryDisk, rotten: MemoryDisk) -> bool {
        let mut elects = self
            .plan
            .groups
            .iter()
            .filter(|group| group.elects())
            .peekable();
        if elects.peek().is_none() {
            return true;
        }
        if !sound.is_synced() {
            return false;
        }
        let (Some(before), Some(after)) = (self.opened(n, sound.clone()), self.opened(n, rotten))
        else {
            return false;
        };
        let tells = |group: &GroupPlan| {
            let found = |log: &SegmentLog<FaultyDisk<MemoryDisk>>| {
                log.recovered().get(&group.id).cloned().unwrap_or_default()
            };
            let is_lost = after.damage().iter().any(|damage| damage.group.is_none());
            let (before, after) = (found(&before), found(&after));
            let end = |log: &RecoveredGroup| {
                let streams = log.streams.iter().map(|(id, stream)| (*id, stream.last));
                (log.hard_state.clone(), streams.collect::<Vec<_>>())
            };
            let says_so = after.damaged || after.streams.is_empty() && is_lost;
            says_so || end(&before) == end(&after)
        };
        elects.all(tells)
    }

    fn opened(&self, n: usize, disk: MemoryDisk) -> Option<SegmentLog<FaultyDisk<MemoryDisk>>> {
        let plan = self.plan.disk;
        let options = Options {
            retention_bytes: plan.retention_bytes,
            ..Options::small(self.nodes[n].incarnation.0, plan.segment_bytes)
        };
        SegmentLog::open_or_return(FaultyDisk::new(disk), options).ok()
    }
}

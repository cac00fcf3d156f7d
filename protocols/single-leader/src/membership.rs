//! Changes of the members: an entry of the group's own log, one voter more or fewer at a time
//! (Ongaro's dissertation, §4).
//!
//! ```text
//!            Add                caught up            replaces somebody
//!   (none) ────────▶ joining ─────────────▶ voter ────────────────────▶ the other is removed
//!      ▲                │                     │
//!      └──── Remove ────┴───────── Remove ────┘
//! ```
//!
//! *Which disk.* Each member that joins is named with its disk. A node that has lost its disk is not
//! that member any more, whatever its name: it gives no vote and no copy counts before it was removed
//! and added again. Messages name nodes alone, so whoever is on a fresh disk obeys only leaders that
//! have said which disk they mean (`Welcome`), and votes only for candidates that have.
//!
//! *One at a time.* A leader appends a change only after the one before is visible, and after an entry
//! of its own leadership is (Ongaro 2015, "bug in single-server membership changes"): otherwise two
//! leaders could each hold a change that the other does not know, with majorities that do not meet.
//!
//! *Until it is visible* a change may be taken back. Meanwhile everything has to satisfy both the
//! memberships before and after; see [`electorate`](crate::electorate).

use bytes::Bytes;

use repertoire_core::sabotage::{Bug, planted};
use repertoire_core::{
    Acks, Effects, Entry, EntryKind, EpochHistory, Error, ErrorKind, FormatTag, Lsn, MemberChange,
    MemberRole, Membership, MembershipView, Mono, NodeId, Now,
};

use crate::Message;
use crate::amnesia::Amnesia;
use crate::leading::Leading;
use crate::message::Welcome;
use crate::plugin::Timer;
use crate::progress::{Phase, Progress};
use crate::replica::{Part, SingleLeader};
use crate::roll::Logged;
use crate::state::{HardState, State};

impl State {
    /// The membership in force.
    pub(crate) fn membership(&self) -> &Membership {
        self.log.roll().current()
    }

    /// The membership before it, while the change may be taken back.
    pub(crate) fn former_membership(&self) -> Option<&Membership> {
        self.log.roll().former(self.settled())
    }

    /// Changes of the members up to here cannot be taken back.
    pub(crate) fn settled(&self) -> Lsn {
        self.hard.settled.max(self.applied)
    }

    /// Whether this replica is on a fresh disk, which has never taken part: as long as nobody names that
    /// disk, it may be taken for one that was there before.
    pub(crate) fn is_newcomer(&self) -> bool {
        let is_fresh = self.hard.amnesia == Amnesia::Newcomer || self.unproven == Amnesia::Newcomer;
        is_fresh && !planted(Bug::NewcomerCountsAsFounder)
    }

    /// Whether this replica votes by the membership in force.
    pub(crate) fn is_voter(&self) -> bool {
        let me = self.membership().member(self.me);
        me.is_some_and(|me| {
            let is_meant = match me.incarnation {
                Some(disk) => disk == self.incarnation,
                None => !self.is_newcomer(),
            };
            me.role == MemberRole::Voter && is_meant
        })
    }

    /// Whether a leader of that epoch may count on what this replica answers.
    pub(crate) fn is_known_to(&self, epoch: repertoire_core::LeaderEpoch) -> bool {
        !self.is_newcomer() || self.welcomed == epoch
    }

    /// A change of the members has become visible.
    pub(crate) fn settle_members(&mut self, fx: &mut Effects<Message>) {
        let roll = self.log.roll_mut();
        roll.forget(self.applied);
        let settled = roll.visible(self.applied).last();
        let is_named = settled.is_some_and(|logged| {
            let me = logged.membership.member(self.me);
            me.is_some_and(|me| {
                me.incarnation == Some(self.incarnation) && me.role == MemberRole::Voter
            })
        });
        let mut hard = self.hard;
        hard.settled = settled.map_or(Lsn::ZERO, |logged| logged.at.lsn);
        if is_named && self.is_newcomer() {
            // From here on no older membership can come back in which another disk has this name.
            (hard.amnesia, self.unproven) = (Amnesia::None, Amnesia::None);
        }
        if hard != self.hard {
            self.establish(hard, fx);
        }
        fx.count("members-settled", hard.settled.0);
    }

    /// What is stored with the engine's state: which leadership made which part of it, and who belonged
    /// to the group, once that has changed.
    pub(crate) fn frontier(&self) -> Bytes {
        let mut bytes = postcard::to_stdvec(&self.visible_history).unwrap_or_default();
        let visible = self.log.roll().visible(self.applied);
        if !visible.is_empty() {
            bytes.extend(postcard::to_stdvec(visible).unwrap_or_default());
        }
        bytes.into()
    }

    /// What a leader may send of its log: a change of the members only once it is durable here, so that
    /// no restart makes a leader forget what others know.
    pub(crate) fn sendable(&self) -> Lsn {
        let at = self.log.roll().at().lsn;
        if at > self.log.durable() {
            Lsn(at.0.saturating_sub(1))
        } else {
            self.log.last().lsn
        }
    }
}

/// Reads the frontier of a state that goes as far as `upto`. The driver stores a frontier with the first
/// entry of the batch that brought it, so it may name what comes later.
pub(crate) fn decode_frontier(frontier: &Bytes, upto: Lsn) -> Option<(EpochHistory, Vec<Logged>)> {
    if frontier.is_empty() {
        return Some(Default::default());
    }
    let (mut history, rest) = postcard::take_from_bytes::<EpochHistory>(frontier).ok()?;
    history.truncate(upto);
    let mut logged: Vec<Logged> = match rest {
        [] => Vec::new(),
        rest => postcard::from_bytes(rest).ok()?,
    };
    logged.retain(|logged| logged.at.lsn <= upto);
    Some((history, logged))
}

impl SingleLeader {
    pub(crate) fn membership_view(&self) -> MembershipView {
        let state = &self.state;
        let at = state.log.roll().at();
        MembershipView {
            at,
            is_settled: at.lsn <= state.settled(),
            membership: state.membership().clone(),
            former: state.former_membership().cloned(),
        }
    }

    pub(crate) fn on_change_members(
        &mut self,
        now: Now,
        change: &MemberChange,
        fx: &mut Effects<Message>,
    ) -> Result<(), Error> {
        let Part::Leading(leading) = &mut self.part else {
            return Err(self.state.not_leader("change members"));
        };
        let refused = |kind| self.state.error(kind, "change members");
        let next =
            self.state.membership().changed(change).map_err(|fault| {
                refused(ErrorKind::ConfigInvalid).with("detail", fault.detail())
            })?;
        let Some(next) = next else {
            return Ok(());
        };
        leading.may_change(now.mono, &next, &self.state)?;
        if next.member(self.state.me).is_none() {
            return self.hand_over_first(now.mono);
        }
        leading.change(now, &next, &mut self.state, fx);
        Ok(())
    }

    /// A leader that is to be removed hands over: the next one removes it.
    fn hand_over_first(&mut self, now: Mono) -> Result<(), Error> {
        let error = self.state.error(ErrorKind::Unavailable, "change members");
        let Part::Leading(leading) = &self.part else {
            return Err(error);
        };
        let able = |f: &&Progress| f.is_voter && f.is_up && f.phase == Phase::Replicate;
        let best = leading.followers.iter().filter(able);
        let best = best.max_by_key(|follower| follower.durable).map(|f| f.node);
        if let Some(to) = best.filter(|_| !leading.transfer.is_under_way()) {
            self.on_transfer(now, to)?;
        }
        Err(error.with("detail", "the leader hands over first; ask the next one"))
    }

    /// The leader of that epoch knows the member by that disk. Where an outdated descriptor made this
    /// replica take itself for a founder whose disk was lost, it learns that it is a newcomer.
    pub(crate) fn on_welcome(&mut self, welcome: Welcome, fx: &mut Effects<Message>) {
        let state = &mut self.state;
        if welcome.incarnation != state.incarnation {
            return;
        }
        state.welcomed = state.welcomed.max(welcome.epoch);
        let recovery = self.election.as_mut().map(|e| &mut e.recovery);
        if let Some(recovery) = recovery
            && state.is_blank
            && recovery.take().is_some()
        {
            let hard = HardState {
                amnesia: Amnesia::Newcomer,
                ..state.hard
            };
            state.unproven = Amnesia::Newcomer;
            state.establish(hard, fx);
            fx.clear_timer(Timer::Election);
            fx.count("newcomer-welcomed", welcome.epoch.0);
        }
    }

    /// Ends a batch: a replica that votes from now on, or no longer.
    pub(crate) fn notice_own_role(&mut self, now: Mono, fx: &mut Effects<Message>) {
        let is_voter = self.state.is_voter();
        let Some(election) = &mut self.election else {
            return;
        };
        if election.was_voter == is_voter {
            return;
        }
        election.was_voter = is_voter;
        fx.count(
            if is_voter {
                "voter-joined"
            } else {
                "voter-left"
            },
            1,
        );
        if !is_voter {
            election.give_up();
        } else if !self.is_amnesiac() && matches!(self.part, Part::Following(_)) {
            self.await_leader(now, fx);
        }
    }
}

impl Leading {
    /// Whether a change of the members may be appended now.
    fn may_change(&self, now: Mono, next: &Membership, state: &State) -> Result<(), Error> {
        let refused = |kind, detail: &'static str| {
            Err(state.error(kind, "change members").with("detail", detail))
        };
        let is_settled = state.former_membership().is_none();
        if !is_settled && !planted(Bug::TwoChangesAtOnce) {
            return refused(ErrorKind::Conflict, "another change is under way");
        }
        let is_hasty = self.is_active() && planted(Bug::ChangeBeforeOwnEntry);
        if !self.is_ready(state) && !is_hasty {
            let detail = "nothing of this leadership is visible yet; try again";
            return refused(ErrorKind::Unavailable, detail);
        }
        if self.transfer.is_under_way() {
            return refused(ErrorKind::Unavailable, "the leader is about to hand over");
        }
        let voters = next.voters().count();
        let acks = state.descriptor.options.acks;
        if !acks.is_satisfiable(voters) {
            let detail = "too few voters would be left for the keyspace's acks";
            return refused(ErrorKind::ConfigInvalid, detail);
        }
        let loses_voter = voters < state.membership().voters().count();
        let needed = acks.copies(voters).max(voters / 2 + 1);
        if loses_voter && self.present(now, next, state) < needed {
            let detail = "too few of the voters that would be left can be reached";
            return refused(ErrorKind::Unavailable, detail);
        }
        Ok(())
    }

    /// How many voters of a membership can be reached: heard within an election timeout, or at rest.
    fn present(&self, now: Mono, group: &Membership, state: &State) -> usize {
        let timeout = state.config.election_timeout();
        let rests = self.quiescence.is_quiescent();
        let is_heard = |f: &&Progress| f.is_up && (rests || !f.is_silent(now, timeout));
        let heard = self.followers.iter().filter(is_heard);
        1 + heard.filter(|f| group.is_voter(f.node)).count()
    }

    /// Appends a membership: it is in force at once.
    pub(crate) fn change(
        &mut self,
        now: Now,
        next: &Membership,
        state: &mut State,
        fx: &mut Effects<Message>,
    ) {
        let entry = Entry {
            epoch: state.hard.epoch,
            first: state.log.last().lsn.next(),
            count: 1,
            wall: now.wall.max(state.log.wall()),
            kind: EntryKind::Config,
            format: FormatTag::default(),
            acks: Acks::Majority,
            body: next.encode(),
        };
        fx.count("members-changed", entry.first.0);
        self.append(entry, None, state, fx);
        self.regroup(now.mono, state);
        self.quiescence.stir();
    }

    /// Takes the membership in force over. Who has left is told so, until it knows.
    pub(crate) fn regroup(&mut self, now: Mono, state: &State) {
        let present = state.membership();
        let former = state.former_membership();
        let next = state.log.last().lsn.next();
        let all = former
            .into_iter()
            .chain([present])
            .flat_map(Membership::members);
        for member in all.filter(|member| member.node != state.me) {
            if self.followers.iter().all(|f| f.node != member.node) {
                self.followers
                    .push(Progress::new(member.node, false, next, now));
            }
        }
        for follower in &mut self.followers {
            let member = present.member(follower.node);
            let disk = member.and_then(|member| member.incarnation);
            let is_back = follower.is_leaving && member.is_some();
            if is_back || disk.is_some() && follower.disk.is_some_and(|known| Some(known) != disk) {
                // Another disk under the same name: nothing of what was known is true of it.
                *follower = Progress::new(follower.node, false, next, now);
            }
            follower.disk = disk.or(follower.disk);
            follower.is_leaving = member.is_none();
            let is_learner = member.is_some_and(|member| member.role != MemberRole::Voter);
            follower.is_voter =
                present.is_voter(follower.node) || is_learner && planted(Bug::LearnerCountsAsVoter);
            follower.was_voter = former.is_some_and(|group| group.is_voter(follower.node));
        }
        self.voters = present.voters().count();
        self.former_voters = former.map(|group| group.voters().count());
        let (voters, sync) = (self.voters, Acks::Sync);
        for pending in &mut self.pending {
            if !pending.acks.is_satisfiable(voters) {
                pending.acks = sync;
            }
        }
    }

    /// Ends a batch: what follows from the change before, once that is visible.
    pub(crate) fn advance_members(
        &mut self,
        now: Now,
        state: &mut State,
        fx: &mut Effects<Message>,
    ) {
        let is_settled = state.former_membership().is_none();
        if self.former_voters.is_some() && is_settled {
            self.regroup(now.mono, state);
            // What comes after the change is counted among the new voters alone.
            self.advance(state, fx);
        }
        let at = state.log.roll().at().lsn;
        let knows = |f: &Progress| f.received >= at && f.commit_sent >= at;
        let timeout = state.config.election_timeout();
        let is_past = |f: &Progress| knows(f) || !f.is_up || f.is_silent(now.mono, timeout);
        self.followers
            .retain(|f| !f.is_leaving || f.was_voter || !is_past(f));
        if !is_settled || !self.is_ready(state) || self.transfer.is_under_way() {
            return;
        }
        if let Some(next) = self.next_membership(state)
            && self.may_change(now.mono, &next, state).is_ok()
        {
            self.change(now, &next, state, fx);
        }
    }

    /// The next step of an addition that is under way.
    fn next_membership(&self, state: &State) -> Option<Membership> {
        let group = state.membership();
        for member in group.members() {
            match (member.role, member.replaces) {
                (MemberRole::Joining, _) if self.has_caught_up(member.node, state) => {
                    return group.promoted(member.node);
                }
                // Its removal waits until another one leads.
                (MemberRole::Voter, Some(old)) if old != state.me => {
                    let change = MemberChange::Remove { node: old };
                    return group.changed(&change).ok().flatten();
                }
                _ => {}
            }
        }
        None
    }

    /// Whether a learner holds durably all that is visible.
    fn has_caught_up(&self, node: NodeId, state: &State) -> bool {
        let mut followers = self.followers.iter();
        followers.any(|f| {
            f.node == node && f.is_up && f.phase == Phase::Replicate && f.durable >= state.applied
        })
    }

    /// A leader that is to be replaced itself by somebody who votes by now: hands over to them.
    pub(crate) fn successor(&self, state: &State) -> Option<NodeId> {
        let is_calm = state.former_membership().is_none() && self.has_taken_over(state);
        let mut members = state.membership().members().iter();
        let heir = members
            .find(|member| member.role == MemberRole::Voter && member.replaces == Some(state.me));
        heir.map(|heir| heir.node)
            .filter(|heir| is_calm && self.has_caught_up(*heir, state))
            .filter(|_| !self.transfer.is_under_way() && !self.transfer.has_asked())
    }

    /// Whether some change is under way that wants the group awake.
    pub(crate) fn changes_members(&self, state: &State) -> bool {
        let mut members = state.membership().members().iter();
        self.former_voters.is_some()
            || self.followers.iter().any(|f| f.is_leaving)
            || members.any(|member| member.role == MemberRole::Joining || member.replaces.is_some())
    }

    /// Tells those that do not answer which disk is meant.
    pub(crate) fn welcome(&self, now: Mono, state: &State, fx: &mut Effects<Message>) {
        let patience = state.config.heartbeat() * 2;
        for follower in self.followers.iter().filter(|f| f.is_silent(now, patience)) {
            if let Some(incarnation) = follower.disk {
                let epoch = state.hard.epoch;
                let welcome = Welcome { epoch, incarnation };
                fx.send(follower.node, Message::Welcome(welcome));
            }
        }
    }
}

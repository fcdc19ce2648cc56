//! Changes of the membership (quorum-protocol §11).
//!
//! The membership is a function of the history: a change is a transaction like any other, the newest one in the log is
//! the *proposed* configuration until it is committed, and from its proposal to its commit every quorum has to be one of
//! both configurations. What the configuration files say beside the log is for the start of a server that has no log
//! yet, and for Apache's servers.
//!
//! The one exception: the first configuration has version 0, and whoever leads first gives it its epoch's start for a
//! version, so that it wins against the lists that joining servers are started with.
//!
//! What a change costs while it is open: whoever is to lead needs a quorum of both configurations none of which has a
//! longer history. If the longest one is with a member to be that the proposed configuration's quorum can't do without,
//! and no member in force has as much any more, nobody leads until one comes back (as in Apache). It can't be let pass:
//! the proposed members alone may have committed that history, when the change was committed and its leader died before
//! anybody heard so. Nor is it elected: a quorum of the members in force need not know yet that it is to be one.

use crate::config::{Ensemble, Member, MemberKind, Membership, Reconfig};
use crate::effect::{Effects, Record};
use crate::error::ZkError;
use crate::id::{Epoch, ServerId, Zxid};
use crate::note::Note;
use crate::wire::client::Request;
use crate::zab::{Cx, Ground, Host, Peer, Role};
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use bytes::Bytes;

/// The configuration that a transaction makes, if it is a change of members.
///
/// # Errors
/// A text that is no configuration.
pub(super) fn change_in(
    ground: &Ground,
    host: &dyn Host,
    zxid: Zxid,
    txn: &Bytes,
) -> Result<Option<Box<Ensemble>>, String> {
    if !ground.config.reconfig.is_enabled() {
        return Ok(None);
    }
    let Some(text) = host.membership_in(txn) else { return Ok(None) };
    let next = Ensemble::parse(&text).map_err(|e| e.to_string())?;
    Ok(Some(Box::new(next.with_version(zxid.0))))
}

impl Ground {
    /// What a server starts with: what it was told, or what its history knows better.
    pub(super) fn recover_members(&mut self, cx: &mut Cx<'_>) {
        if !self.config.reconfig.is_enabled() {
            return;
        }
        let told = self.members.clone();
        self.review_members(cx.host);
        if self.members != told {
            self.store_members(cx.fx);
        }
        self.tell_host(cx);
    }

    /// Looks at the history again: the newest change in it that is not committed is proposed. One inside the state counts
    /// as that too until a leader says that the state is committed. Whatever stands before the newest is committed:
    /// otherwise no leader would have proposed another.
    pub(super) fn review_members(&mut self, host: &dyn Host) {
        let committed = self.members.committed.version();
        let open = self.history.after(self.history.committed());
        let open = open.filter_map(|e| change_in(self, host, e.zxid, &e.txn).ok().flatten()).map(|e| *e);
        let held = host.membership_held().and_then(|text| Ensemble::parse(&text).ok());
        let mut changes: Vec<_> = held.into_iter().chain(open).filter(|e| e.version() > committed).collect();
        changes.sort_by_key(Ensemble::version);
        let first = self.members.proposed.take().filter(|e| is_first(e) && committed == 0);
        self.members.proposed = changes.pop().or(first);
        let proposed = self.members.last_seen().version();
        if let Some(before) = changes.into_iter().rfind(|e| e.version() < proposed) {
            self.members.committed = before;
        }
    }

    /// The history was cut or replaced.
    pub(super) fn history_changed(&mut self, cx: &mut Cx<'_>) {
        if !self.config.reconfig.is_enabled() {
            return;
        }
        let before = self.members.clone();
        self.review_members(cx.host);
        if before != self.members {
            self.store_members(cx.fx);
            self.tell_host(cx);
        }
    }

    /// A change is in the log from now on; to be told before its transaction is stored, so that no acknowledgement is
    /// ahead of it. One that was open before it is committed: otherwise no leader would have proposed another.
    pub(super) fn propose_members(&mut self, next: Ensemble, cx: &mut Cx<'_>) {
        if next.version() <= self.members.committed.version() || self.members.proposed.as_ref() == Some(&next) {
            return;
        }
        let open = self.members.proposed.take().filter(|e| !is_first(e) && e.version() < next.version());
        let open = open.filter(|e| self.holds(e, cx.host));
        let (version, voters, observers) = sides(&next);
        cx.fx.note(|| Note::MembersProposed { version, voters, observers });
        self.members.proposed = Some(next);
        if !open.is_some_and(|open| self.activate(open, cx)) {
            self.store_members(cx.fx);
        }
    }

    /// Whether the history, or the state, has this change. A learner that gets no proposals only hears of it from a
    /// leader, which may lose it again.
    fn holds(&self, change: &Ensemble, host: &dyn Host) -> bool {
        let version = change.version();
        let held = || host.membership_held().and_then(|text| Ensemble::parse(&text).ok());
        self.history.get(Zxid(version)).is_some() || held().is_some_and(|e| e.version() == version)
    }

    /// A change that was only heard of counts no longer: whoever has it proposes it anew.
    pub(super) fn forget_hearsay(&mut self, cx: &mut Cx<'_>) {
        if self.members.proposed.as_ref().is_some_and(|e| !is_first(e) && !self.holds(e, cx.host)) {
            self.members.proposed = None;
            self.store_members(cx.fx);
        }
    }

    /// A change is committed. True if it is news.
    pub(super) fn activate(&mut self, next: Ensemble, cx: &mut Cx<'_>) -> bool {
        if next.version() <= self.members.committed.version() {
            return false;
        }
        let (version, voters, observers) = sides(&next);
        cx.fx.note(|| Note::MembersChanged { version, voters, observers });
        self.members.proposed = self.members.proposed.take().filter(|e| !is_first(e) && e.version() > next.version());
        self.members.committed = next;
        self.store_members(cx.fx);
        self.tell_host(cx);
        true
    }

    fn store_members(&mut self, fx: &mut Effects) {
        let members = Box::new(self.members.clone());
        self.store(Record::Membership(members), fx);
    }

    fn tell_host(&self, cx: &mut Cx<'_>) {
        cx.host.members_changed(&self.members.committed);
    }

    /// A leader's first configuration gets the epoch's start for its version.
    pub(super) fn name_first_members(&mut self, epoch: Epoch, cx: &mut Cx<'_>) {
        let known = self.members.proposed.as_ref().is_some_and(|e| !is_first(e));
        if self.config.reconfig.is_enabled() && self.members.committed.version() == 0 && !known {
            let first = self.members.committed.clone().with_version(epoch.start().0);
            self.propose_members(first, cx);
        }
    }

    /// The configuration of `from`'s notification, if it is newer than ours and can be one that came of ours. It can't if
    /// it is of an epoch that nobody can have reached. Nor if none of our members is at its place in it any more, unless
    /// a member of ours says so that is none in it itself: who was removed tells of those that came in its place. It is
    /// another ensemble's then, whose server has come to an address that was one of ours.
    pub(super) fn newer_members(&self, from: ServerId, text: &str, fx: &mut Effects) -> Option<Ensemble> {
        if !self.config.reconfig.is_enabled() {
            return None;
        }
        let committed = &self.members.committed;
        let newer = Ensemble::parse(text).ok().filter(|e| e.version() > committed.version())?;
        let version = Zxid(newer.version());
        let stays =
            |(id, member): (ServerId, &Member)| committed.member(id).is_some_and(|m| m.address == member.address);
        let was_removed = || committed.member(from).is_some() && newer.member(from).is_none();
        if version.epoch() < self.epochs_end() && (newer.members().any(stays) || was_removed()) {
            return Some(newer);
        }
        fx.note(|| Note::MembersDoubted { from, version });
        None
    }

    /// The leader's newest configuration, as NEWLEADER says it. Its version, if it is one.
    pub(super) fn hear_of_members(&mut self, text: &str, cx: &mut Cx<'_>) -> Option<i64> {
        if !self.config.reconfig.is_enabled() {
            return None;
        }
        let heard = Ensemble::parse(text).ok()?;
        let version = heard.version();
        if self.members.proposed.as_ref().is_some_and(|e| is_first(e) && e.version() != version) {
            self.members.proposed = None;
            self.store_members(cx.fx);
        }
        if version > self.members.last_seen().version() {
            self.propose_members(heard, cx);
        } else if version < self.members.last_seen().version() {
            self.forget_hearsay(cx);
        }
        Some(version)
    }

    /// The leader is in office: everything up to `settled` is committed, and the first configuration that it announced.
    pub(super) fn settle_members(&mut self, settled: Zxid, announced: Option<i64>, cx: &mut Cx<'_>) {
        self.forget_hearsay(cx);
        let is_settled = |e: &Ensemble| {
            let version = e.version();
            if is_first(e) { announced == Some(version) } else { version <= settled.0 }
        };
        if let Some(next) = self.members.proposed.clone().filter(is_settled) {
            self.activate(next, cx);
        }
    }

    /// As what it joins a leader.
    pub(super) fn joins_as(&self) -> MemberKind {
        self.members.joins_as(self.config.id)
    }

    /// Whether its own vote counts in a configuration in force.
    pub(super) fn is_voter(&self) -> bool {
        self.members.is_voter(self.config.id)
    }

    /// Whether the proposal `zxid` is the change of members that is open.
    pub(super) fn is_open_change(&self, zxid: Zxid) -> bool {
        self.members.proposed.as_ref().is_some_and(|e| !is_first(e) && e.version() == zxid.0)
    }

    /// Who is to lead once the open change is committed: this leader if it stays a voter at its place, else one of
    /// `acked` that has acknowledged as much as possible of what comes behind.
    pub(super) fn heir<'a>(
        &self,
        acked: impl IntoIterator<Item = ServerId>,
        behind: impl IntoIterator<Item = &'a crate::collections::BTreeSet<ServerId>>,
    ) -> ServerId {
        let (me, next) = (self.config.id, self.members.last_seen());
        let place = |ensemble: &Ensemble| ensemble.member(me).map(|m: &Member| m.address.clone());
        if next.is_voter(me) && place(next) == place(&self.members.committed) {
            return me;
        }
        let mut able: Vec<ServerId> = acked.into_iter().filter(|s| *s != me && next.may_lead(*s)).collect();
        for acks in behind {
            let still: Vec<ServerId> = able.iter().copied().filter(|s| acks.contains(s)).collect();
            if still.is_empty() {
                break;
            }
            able = still;
        }
        able.last().copied().unwrap_or(me)
    }
}

/// The version that a first leader gave: no transaction's.
fn is_first(ensemble: &Ensemble) -> bool {
    Zxid(ensemble.version()).counter() == 0
}

fn sides(ensemble: &Ensemble) -> (Zxid, Vec<ServerId>, Vec<ServerId>) {
    let observers = ensemble.members().filter(|(_, m)| m.kind == MemberKind::Observer).map(|(id, _)| id);
    (Zxid(ensemble.version()), ensemble.voters().collect(), observers.collect())
}

impl Peer {
    /// Who is a member, and who is proposed to be.
    pub fn members(&self) -> &Membership {
        &self.ground.members
    }

    /// What a client's request would make of the membership. Its version is the transaction's zxid, which is not known
    /// yet. The checks come in Apache's order.
    ///
    /// # Errors
    /// What the client is told.
    pub fn plan_reconfig(&self, request: &Request) -> Result<Ensemble, ZkError> {
        let least = match self.ground.config.reconfig {
            Reconfig::Disabled => return Err(ZkError::ReconfigDisabled),
            Reconfig::Alone => return Err(ZkError::Unimplemented),
            Reconfig::Enabled { least } => least,
        };
        let Request::Reconfig { joining, leaving, members, config } = request else {
            return Err(ZkError::MarshallingError);
        };
        let Role::Leading(leader) = &self.role else { return Err(ZkError::Unimplemented) };
        let Membership { committed, proposed: None } = &self.ground.members else {
            return Err(ZkError::ReconfigInProgress);
        };
        if *config != -1 && *config != committed.version() {
            return Err(ZkError::BadVersion);
        }
        let next = match members {
            Some(list) => Ensemble::parse(&list.replace(',', "\n")),
            None => committed.changed(joining.as_deref(), leaving.as_deref()),
        };
        let next = next.ok().filter(|next| next.voters().count() >= least && next.has_places_of_its_own());
        let next = next.ok_or(ZkError::BadArguments)?;
        let mut synced = leader.followers_in_sync();
        synced.insert(self.ground.config.id);
        if next.has_quorum(&synced) { Ok(next) } else { Err(ZkError::NewConfigNoQuorum) }
    }
}

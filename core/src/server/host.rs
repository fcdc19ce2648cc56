//! The replicated state as consensus sees it.

use super::clients::Service;
use super::read_side::ReadSide;
use crate::config::Ensemble;
use crate::effect::{Effect, Effects, HaltReason, ToLink};
use crate::id::Zxid;
use crate::note::Note;
use crate::time::Now;
use crate::tree::{Tree, path};
use crate::wire::op::OpCode;
use crate::wire::txn::{Txn, TxnBody, TxnHeader};
use crate::zab::Host;
use crate::zab::history::Entry;
use alloc::format;
use alloc::string::{String, ToString};
use bytes::Bytes;

/// Service and read side together, for the length of a step.
pub(super) struct HostView<'a, R> {
    pub(super) service: &'a mut Service,
    pub(super) side: &'a mut R,
    pub(super) now: Now,
}

impl<R: ReadSide> HostView<'_, R> {
    /// Puts `tree` into the place of the old one; watches on the old one are void.
    pub(super) fn replace(&mut self, tree: Tree) {
        let mut tree = tree;
        tree.read_owners(self.service.rules().owner_kinds);
        self.service.show_members(&mut tree, self.now.wall_ms);
        tree.set_rules(self.service.access());
        self.service.replaced(tree.applied());
        self.side.apply(|state, _| {
            tree.succeed(&state.tree);
            state.tree = tree;
            state.watches = Default::default();
        });
    }
}

impl<R> HostView<'_, R> {
    fn fail(&mut self, what: String) {
        self.service.fail(HaltReason::Invariant(what));
    }
}

impl<R: ReadSide> Host for HostView<'_, R> {
    fn check(&self, zxid: Zxid, txn: &Bytes) -> Result<(), String> {
        let (header, kind) = TxnHeader::peek(txn).map_err(|e| e.to_string())?;
        if header.zxid != zxid {
            return Err(format!("the transaction of {zxid} says that it is {}", header.zxid));
        }
        if !TxnBody::is_known(kind) {
            return Err(format!("transaction {zxid} is of type {kind}, which is not known here"));
        }
        Ok(())
    }

    fn apply(&mut self, zxid: Zxid, txn: &Bytes, fx: &mut Effects) {
        let bytes = txn.len();
        let txn = match Txn::decode(txn.clone()) {
            Ok(txn) => txn,
            Err(e) => return self.fail(format!("committed transaction {zxid} can't be understood: {e}")),
        };
        let (applied, fired) = self.side.apply(|state, fired| state.apply(&txn, fired));
        if !applied.diverged {
            self.service.foretold.came_true();
        } else {
            let foretold = &mut self.service.foretold;
            // What this server foretells itself is right.
            let explained = self.side.read(|state| foretold.is_explained(&txn, &state.tree));
            if explained && self.service.lead.is_none() {
                fx.note(|| Note::ForetoldWrongly { zxid });
            } else if self.service.trusts_digest_of(zxid) {
                return self.service.fail(HaltReason::Diverged(zxid));
            }
        }
        for (link, event) in fired {
            fx.push(Effect::ToLink { link, msg: ToLink::Event(event) });
        }
        self.service.on_applied(&txn, bytes, applied.outcome, self.now, fx);
    }

    fn snapshot(&mut self, ahead: &[Entry]) -> Bytes {
        if ahead.is_empty() {
            return self.side.read(|state| state.tree.write_body());
        }
        let mut tree = self.side.read(|state| state.tree.clone());
        for entry in ahead {
            match Txn::decode(entry.txn.clone()) {
                Ok(txn) => {
                    tree.apply(&txn);
                }
                Err(e) => {
                    self.fail(format!("transaction {} of the log can't be understood: {e}", entry.zxid));
                }
            }
        }
        tree.write_body()
    }

    fn install(&mut self, zxid: Zxid, body: &Bytes) -> Result<(), String> {
        let tree = Tree::read_body(body.clone(), zxid).map_err(|e| e.to_string())?;
        self.replace(tree);
        self.service.local.unsettled = true;
        Ok(())
    }

    fn empty(&self) -> Bytes {
        Tree::new().write_body()
    }

    fn membership_in(&self, txn: &Bytes) -> Option<String> {
        let (_, kind) = TxnHeader::peek(txn).ok()?;
        if kind != OpCode::Reconfig.code() {
            return None;
        }
        match Txn::decode(txn.clone()).ok()?.body {
            TxnBody::SetData { data, .. } => Some(String::from_utf8_lossy(&data.unwrap_or_default()).into_owned()),
            _ => None,
        }
    }

    fn membership_held(&self) -> Option<String> {
        let data = self.side.read(|state| state.tree.get(path::CONFIG).and_then(|node| node.data().cloned()));
        data.map(|data| String::from_utf8_lossy(&data).into_owned())
    }

    fn members_changed(&mut self, members: &Ensemble) {
        self.service.members_changed(members);
        let (service, wall_ms) = (&*self.service, self.now.wall_ms);
        self.side.apply(|state, _| service.show_members(&mut state.tree, wall_ms));
    }
}

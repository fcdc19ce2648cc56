//! What the clients beside a model ask: everything, right and wrong, on few paths, so that they get into each other's
//! way.

use crate::client::Credential;
use crate::id::ServerId;
use crate::rng::Rng;
use crate::sim::World;
use crate::sim::command::ClientId;
use crate::sim::crowd::{Crowd, Manner, draw_gap, draw_habits};
use crate::wire::client::{AddWatchMode, Request, WatchType};
use crate::wire::op::OpCode;
use crate::wire::record::{Acl, Id, perms};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use bytes::Bytes;

/// The address that simulated clients come from.
pub(crate) const ADDRESS: &str = "10.0.1.1";

/// Users with their passwords, and the identity that a password proves (user, colon, Base64 of its SHA-1).
pub(super) const USERS: &[(&str, &str)] =
    &[("user1:12345", "user1:+owfoSBn/am19roBPzR1/MfCblE="), ("bob:secret", "bob:fyVmFCwVbTJYrznoSu1koqYEYF0=")];

/// What the clients of one seed ask.
pub(crate) struct Load {
    rng: Rng,
    /// For the timeouts that clients wish.
    wishes: Rng,
    /// How many in ten are writes.
    writes: u64,
    /// How many in a hundred of the lists that are given are no open ones.
    narrow: u64,
    /// How deep paths go.
    depth: u64,
}

impl Manner for Load {
    fn rng(&mut self) -> &mut Rng {
        &mut self.rng
    }

    /// Some are somebody, one of them twice over.
    fn came(&mut self, world: &mut World, client: ClientId) {
        for (password, _) in USERS {
            if self.rng.below(3) == 0 {
                let auth = Some(Bytes::from_static(password.as_bytes()));
                world.authenticate(client, Credential { scheme: "digest".into(), auth });
            }
        }
    }

    fn ask(&mut self, world: &mut World, client: ClientId, via: Option<ServerId>) {
        if via.is_some() {
            self.wish(world, client);
        }
        let request = if self.rng.below(10) < self.writes { self.write() } else { self.read() };
        world.request(client, request, via);
    }
}

impl Load {
    /// Draws the clients of a seed.
    pub fn draw(seed: u64) -> Crowd {
        let mut rng = Rng::new(seed).fork(81);
        let (gap, wanted, writes) = (draw_gap(&mut rng), rng.between(2, 6), rng.between(2, 8));
        let narrow = [0, 5, 20][rng.below(3) as usize];
        let (habits, depth) = (draw_habits(&mut rng), rng.between(1, 3));
        Crowd::new(Load { rng, wishes: Rng::new(seed).fork(83), writes, narrow, depth }, wanted, gap, habits)
    }

    /// Who moves takes the session up again with another timeout, sometimes one that no server grants.
    fn wish(&mut self, world: &mut World, client: ClientId) {
        let tick_ms = world.spec().tick_ms as i32;
        let wishes = [-1, 0, tick_ms, 2 * tick_ms + 1, 5 * tick_ms, 20 * tick_ms, 40 * tick_ms, i32::MAX];
        if let Some(wished_ms) = self.wishes.pick(&wishes) {
            world.wish(client, *wished_ms);
        }
    }

    fn write(&mut self) -> Request {
        match self.rng.below(20) {
            0..2 => {
                let ops = (0..self.rng.below(5)).map(|_| self.op(true)).collect();
                Request::Multi { ops }
            }
            2 => {
                let (mut path, acl, version) = (self.node(), self.acl(), self.version());
                if path == "/" {
                    // Who shuts the root ends it for all.
                    path.push('a');
                }
                Request::SetAcl { path, acl, version }
            }
            _ => self.op(false),
        }
    }

    /// What may stand alone or in a multi.
    fn op(&mut self, in_multi: bool) -> Request {
        match self.rng.below(if in_multi { 10 } else { 9 }) {
            0..4 => self.create(),
            4..6 => Request::Delete { path: self.node(), version: self.version() },
            6..9 => Request::SetData { path: self.node(), data: self.data(), version: self.version() },
            _ => Request::Check { path: self.node(), version: self.version() },
        }
    }

    fn create(&mut self) -> Request {
        let (path, data, acl) = (self.path(), self.data(), self.acl());
        if self.rng.below(12) == 0 {
            let flags = if self.rng.below(6) == 0 { self.rng.below(8) as i32 } else { 5 + self.rng.below(2) as i32 };
            let long = self.rng.between(1, 4_000) as i64;
            let ttl_ms = *self.rng.pick(&[long, long, long, 0, 0xff_ffff_ffff, 0x100_0000_0000]).unwrap_or(&long);
            return Request::CreateTtl { path, data, acl, flags, ttl_ms };
        }
        let op = *self.rng.pick(&[OpCode::Create, OpCode::Create2, OpCode::CreateContainer]).unwrap_or(&OpCode::Create);
        let flags = match self.rng.below(40) {
            0 => *self.rng.pick(&[-1, 5, 6, 7, i32::MAX]).unwrap_or(&-1),
            // A plain create makes a plain znode of it, a container is one whatever the flags.
            1 => self.rng.below(5) as i32,
            _ if op == OpCode::CreateContainer => 4,
            _ => self.rng.below(4) as i32,
        };
        Request::Create { op, path, data, acl, flags }
    }

    fn read(&mut self) -> Request {
        let watch = self.rng.below(2) == 0;
        let path = self.node();
        match self.rng.below(20) {
            0..4 => Request::Exists { path, watch },
            4..7 => Request::GetData { path, watch },
            7..9 => Request::GetChildren2 { path, watch },
            9 => Request::GetChildren { path, watch },
            10 | 11 => Request::GetAcl { path },
            12 => Request::Sync { path },
            13 => Request::GetAllChildrenNumber { path },
            14 => {
                let prefixes = [Some("/"), None, Some(""), Some("/a"), Some("/b/"), Some("/none")];
                let prefix = self.rng.pick(&prefixes).copied().flatten().map(String::from);
                Request::GetEphemerals { prefix }
            }
            15 => {
                let mut op = || {
                    let path = self.node();
                    match self.rng.below(2) {
                        0 => Request::GetData { path, watch: true },
                        _ => Request::GetChildren { path, watch: false },
                    }
                };
                let ops = (0..3).map(|_| op()).collect();
                Request::MultiRead { ops }
            }
            16 => Request::WhoAmI,
            17 | 18 => {
                let modes = [AddWatchMode::Persistent, AddWatchMode::PersistentRecursive];
                Request::AddWatch { path, mode: modes[self.rng.below(2) as usize] }
            }
            _ => {
                let kinds = [
                    WatchType::Children,
                    WatchType::Data,
                    WatchType::Any,
                    WatchType::Persistent,
                    WatchType::PersistentRecursive,
                ];
                let kind = kinds[self.rng.below(5) as usize];
                match self.rng.below(2) {
                    0 => Request::CheckWatches { path, kind },
                    _ => Request::RemoveWatches { path, kind },
                }
            }
        }
    }

    /// A path that may be meant; seldom one that can't exist.
    fn path(&mut self) -> String {
        if self.rng.below(40) == 0 {
            let odd = [
                "",
                "/",
                "a",
                "//",
                "/a/",
                "/a//b",
                "/a/./b",
                "/a/..",
                "/.",
                "/a\u{0}",
                "/\u{1f}",
                "/a/\u{80}",
                "/\u{e000}",
                "/\u{fffd}",
                "/zookeeper",
                "/zookeeper/quota",
                "/zookeeper/config/x",
                "/b/",
            ];
            return self.rng.pick(&odd).unwrap_or(&"/").to_string();
        }
        let mut path = String::new();
        for _ in 0..self.rng.between(1, self.depth) {
            path.push_str(self.rng.pick(&["/a", "/b", "/c", "/\u{e9}"]).unwrap_or(&"/a"));
        }
        path
    }

    /// A path as [`Load::path`], or of a numbered znode, or the root.
    fn node(&mut self) -> String {
        match self.rng.below(12) {
            0 => "/".into(),
            1 => format!("{}{:010}", self.path(), self.rng.below(4)),
            _ => self.path(),
        }
    }

    fn version(&mut self) -> i32 {
        *self.rng.pick(&[-1, -1, -1, 0, 0, 1, 2, 3, -2, i32::MAX, i32::MIN]).unwrap_or(&-1)
    }

    fn data(&mut self) -> Option<Bytes> {
        (self.rng.below(8) > 0).then(|| Bytes::from(vec![b'x'; self.rng.below(6) as usize]))
    }

    fn acl(&mut self) -> Vec<Acl> {
        if self.rng.below(100) >= self.narrow {
            return Acl::open();
        }
        let entry = |rng: &mut Rng| {
            let ids = [
                ("world", "anyone"),
                ("world", "anyone"),
                ("ip", ADDRESS),
                ("ip", "10.0.0.0/16"),
                ("ip", "10.0.2.0/23"),
                ("ip", "::/0"),
                ("digest", USERS[0].1),
                ("digest", USERS[1].1),
                ("auth", ""),
                ("digest", "nocolon"),
                ("ip", "10.0.1.1/33"),
                ("super", ""),
                ("sasl", "somebody"),
            ];
            // Mostly of those that are valid.
            let among = if rng.below(6) == 0 { ids.len() } else { 8 };
            let (scheme, id) = ids[rng.below(among as u64) as usize];
            let perms = if rng.below(3) == 0 { rng.below(64) as i32 } else { perms::ALL };
            Acl { perms, id: Id { scheme: scheme.into(), id: id.into() } }
        };
        let mut list: Vec<Acl> = (0..self.rng.below(4)).map(|_| entry(&mut self.rng)).collect();
        if let Some(again) = self.rng.pick(&list).cloned()
            && self.rng.below(4) == 0
        {
            list.push(again);
        }
        list
    }
}

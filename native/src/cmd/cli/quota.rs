//! Quotas: what the client has to do for them (client-protocol §10.4). Their znodes lie beside any chroot.

use super::failure::Failure;
use super::session::{Session, join, odd};
use zebu_core::client::quota::{self, LIMITS, Limits, STATS};
use zebu_core::error::ZkError;
use zebu_core::tree::path;
use zebu_core::wire::client::{Request, Response};
use zebu_core::wire::op::{CreateMode, OpCode};
use zebu_core::wire::record::Acl;

/// What `listquota` tells.
pub struct Quota {
    /// The znode with the limits.
    pub at: String,
    /// The limits.
    pub limits: Limits,
    /// What there is.
    pub used: Limits,
}

impl Session {
    /// The server's path for one of the client's.
    fn whole(&self, path: &str) -> String {
        let mut path = String::from(path);
        self.options.to.chroot.to_server(&mut path);
        path
    }

    /// A path of the whole tree as the client sees it.
    fn seen(&self, path: &str) -> String {
        self.options.to.chroot.to_client(path).into()
    }

    async fn children_beside(&self, path: &str) -> Result<Option<Vec<String>>, Failure> {
        match self.ask_beside(path, Request::GetChildren { path: path.into(), watch: false }).await {
            Ok(Response::Children(names)) => Ok(Some(names)),
            Ok(other) => Err(odd(&other)),
            Err(Failure::Refused(ZkError::NoNode, _)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    async fn track(&self, path: &str) -> Result<Option<Limits>, Failure> {
        match self.ask_beside(path, Request::GetData { path: path.into(), watch: false }).await {
            Ok(Response::Data(data, _)) => Ok(Some(Limits::parse(&data.unwrap_or_default()))),
            Ok(other) => Err(odd(&other)),
            Err(Failure::Refused(ZkError::NoNode, _)) => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Creates a znode unless it is there.
    async fn provide(&self, path: &str, data: Option<String>) -> Result<(), Failure> {
        let data = data.map(bytes::Bytes::from);
        let (acl, flags) = (Acl::open(), CreateMode::Persistent.flags());
        let create = Request::Create { op: OpCode::Create, path: path.into(), data, acl, flags };
        match self.ask_beside(path, create).await {
            Ok(_) | Err(Failure::Refused(ZkError::NodeExists, _)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    async fn delete_beside(&self, path: &str) -> Result<(), Failure> {
        match self.ask_beside(path, Request::Delete { path: path.into(), version: -1 }).await {
            Ok(_) | Err(Failure::Refused(ZkError::NoNode, _)) => Ok(()),
            Err(failure) => Err(failure),
        }
    }

    /// The first quota above or below `whole`, which may not be: quotas do not nest.
    async fn other_quota(&self, whole: &str) -> Result<(), Failure> {
        let has = |names: &Option<Vec<String>>| names.iter().flatten().any(|name| name == LIMITS);
        let rule = |kind: &str, other: &str| {
            let (path, other) = (self.seen(whole), self.seen(other));
            Err(Failure::Rule(format!("{path} has a {kind} {other} which has a quota")))
        };
        for (at, _) in whole.match_indices('/').skip(1) {
            let above = &whole[..at];
            if has(&self.children_beside(&quota::node(above)).await?) {
                return rule("parent", above);
            }
        }
        let top = quota::node(whole);
        let mut left = vec![top.clone()];
        while let Some(node) = left.pop() {
            let names = self.children_beside(&node).await?;
            if node != top && has(&names) {
                return rule("child", quota::path_of(&node));
            }
            let names = names.unwrap_or_default();
            left.extend(names.iter().filter(|name| *name != LIMITS && *name != STATS).map(|name| join(&node, name)));
        }
        Ok(())
    }

    /// Sets limits; those that `limits` does not name stay. What is exceeded already is told.
    pub async fn set_quota(&self, path: &str, limits: Limits) -> Result<Vec<String>, Failure> {
        let whole = self.whole(path);
        if whole == path::ROOT || whole.starts_with(path::QUOTA) {
            return Err(Failure::Rule(format!("cannot set a quota on {path}")));
        }
        match self.ask_beside(path, Request::Exists { path: whole.clone(), watch: false }).await {
            Ok(_) => {}
            Err(Failure::Refused(ZkError::NoNode, _)) => return Err(Failure::Rule(format!("{path} does not exist."))),
            Err(failure) => return Err(failure),
        }
        self.other_quota(&whole).await?;
        let node = quota::node(&whole);
        for (at, _) in node.match_indices('/').skip(3) {
            self.provide(&node[..at], None).await?;
        }
        self.provide(&node, None).await?;
        let (limits_path, stats_path) = (join(&node, LIMITS), join(&node, STATS));
        let limits = match self.track(&limits_path).await? {
            None => {
                self.provide(&limits_path, Some(limits.to_string())).await?;
                limits
            }
            Some(before) => {
                let limits = before.changed(limits);
                let data = Some(bytes::Bytes::from(limits.to_string()));
                let set = Request::SetData { path: limits_path.clone(), data, version: -1 };
                self.ask_beside(&limits_path, set).await?;
                limits
            }
        };
        // The servers count from when this is there.
        let nothing = Limits { count: Some(0), bytes: Some(0), ..Limits::default() };
        self.provide(&stats_path, Some(nothing.to_string())).await?;
        let used = self.track(&stats_path).await?.unwrap_or_default();
        let (count, bytes) = limits.exceeded(&used);
        let warning = |what: &str, used: Option<i64>| {
            let used = used.unwrap_or_default();
            format!("[Warning]: the {what} quota you create is less than the existing {what}:{used}")
        };
        let warnings = [count.then(|| warning("count", used.count)), bytes.then(|| warning("bytes", used.bytes))];
        Ok(warnings.into_iter().flatten().collect())
    }

    /// A path's limits and what there is; `None` if it has no quota.
    pub async fn quota(&self, path: &str) -> Result<Option<Quota>, Failure> {
        let node = quota::node(&self.whole(path));
        let at = join(&node, LIMITS);
        let Some(limits) = self.track(&at).await? else { return Ok(None) };
        let used = self.track(&join(&node, STATS)).await?.unwrap_or_default();
        Ok(Some(Quota { at, limits, used }))
    }

    /// Takes away the limits that `which` picks from the present ones, or with `None` the quota and the znodes that
    /// only it needed. Whether there was one.
    pub async fn delete_quota(&self, path: &str, which: Option<impl Fn(Limits) -> Limits>) -> Result<bool, Failure> {
        let mut node = quota::node(&self.whole(path));
        let limits_path = join(&node, LIMITS);
        let Some(limits) = self.track(&limits_path).await? else { return Ok(false) };
        if let Some(which) = which {
            let data = Some(bytes::Bytes::from(which(limits).to_string()));
            self.ask_beside(path, Request::SetData { path: limits_path, data, version: -1 }).await?;
            return Ok(true);
        }
        self.delete_beside(&limits_path).await?;
        self.delete_beside(&join(&node, STATS)).await?;
        while node != path::QUOTA && self.children_beside(&node).await?.is_some_and(|names| names.is_empty()) {
            self.delete_beside(&node).await?;
            node.truncate(node.rfind('/').unwrap_or_default());
        }
        Ok(true)
    }
}

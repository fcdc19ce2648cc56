//! Who may run the commands that hand out or change everything: whoever may do everything to the root
//! (client-protocol §14).

use crate::operator::Operator;
use axum::http::StatusCode;
use std::net::IpAddr;
use zebu_core::auth;
use zebu_core::config::AccessRules;
use zebu_core::server::ReadSide as _;
use zebu_core::tree::{Tree, path};
use zebu_core::wire::record::{Id, perms};

/// Why somebody may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No `Authorization`.
    Missing,
    /// One that can't be understood.
    NotAuthenticated,
    /// Somebody who may not.
    NotAuthorized,
}

impl Refusal {
    /// The answer's status.
    pub fn status(self) -> StatusCode {
        match self {
            Refusal::Missing | Refusal::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Refusal::NotAuthorized => StatusCode::FORBIDDEN,
        }
    }

    /// In words.
    pub fn text(self, command: &str) -> &'static str {
        match (self, command) {
            (Refusal::Missing, "snapshot") => "Auth info is missing for command: snapshot",
            (Refusal::Missing, "restore") => "Auth info is missing for command: restore",
            (Refusal::Missing, _) => "Auth info is missing for command: shed_connections",
            (Refusal::NotAuthenticated, _) => "Not authenticated",
            (Refusal::NotAuthorized, _) => "Not authorized",
        }
    }
}

/// Whether whoever sent this `Authorization` from `remote` has all permissions on the root.
///
/// # Errors
/// Why not.
pub fn check(operator: &Operator, authorization: Option<&str>, remote: IpAddr) -> Result<(), Refusal> {
    operator.side.read(|s| {
        let ids = identities(s.tree.rules(), authorization, remote)?;
        if owns_root(&s.tree, &ids) { Ok(()) } else { Err(Refusal::NotAuthorized) }
    })
}

fn owns_root(tree: &Tree, ids: &[Id]) -> bool {
    let all = [perms::READ, perms::WRITE, perms::CREATE, perms::DELETE, perms::ADMIN];
    tree.get(path::ROOT).is_some_and(|root| all.into_iter().all(|one| tree.permits(root, one, ids)))
}

/// `<scheme> <what the scheme wants>`: `ip`, or `digest user:password`.
fn identities(rules: &AccessRules, authorization: Option<&str>, remote: IpAddr) -> Result<Vec<Id>, Refusal> {
    let text = authorization.map(str::trim).filter(|text| !text.is_empty()).ok_or(Refusal::Missing)?;
    let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut ids = vec![Id { scheme: "ip".into(), id: remote.to_string() }];
    let shown = auth::authenticate(rules, scheme, Some(rest.trim().as_bytes()), &ids);
    auth::add(&mut ids, shown.ok_or(Refusal::NotAuthenticated)?).map_err(|_| Refusal::NotAuthenticated)?;
    Ok(ids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::{SessionId, Zxid};
    use zebu_core::wire::record::Acl;
    use zebu_core::wire::txn::{Txn, TxnBody, TxnHeader};

    #[test]
    fn who_somebody_shows_to_be() {
        let remote = IpAddr::from([10, 0, 0, 1]);
        // As ZooKeeper's documentation has it for super:admin.
        let root = "super:xQJmxLMiHGwaqBvst5y6rkB6HQs=";
        let rules = AccessRules { super_digest: Some(root.into()), ..AccessRules::default() };
        let ids =
            |text| identities(&rules, text, remote).map(|ids| ids.into_iter().map(|id| id.id).collect::<Vec<_>>());
        assert_eq!(ids(None), Err(Refusal::Missing));
        assert_eq!(ids(Some(" ")), Err(Refusal::Missing));
        for wrong in ["basic YTpi", "x509 CN=a", "world anyone", "super x"] {
            assert_eq!(ids(Some(wrong)), Err(Refusal::NotAuthenticated), "{wrong}");
        }
        assert_eq!(ids(Some("ip")), Ok(vec!["10.0.0.1".to_string()]));
        let superuser = identities(&rules, Some("digest super:admin"), remote).expect("somebody");
        assert!(superuser.iter().any(|id| id.scheme == auth::SUPER) && superuser.iter().any(|id| id.id == root));
        let somebody = identities(&rules, Some("digest super:wrong"), remote).expect("somebody");
        assert!(!somebody.iter().any(|id| id.scheme == auth::SUPER));
    }

    #[test]
    fn only_who_may_do_everything_to_the_root() {
        let mut tree = Tree::new();
        let mut set = |zxid, acl: Vec<Acl>| {
            let header = TxnHeader { session: SessionId(1), cxid: 0, zxid: Zxid(zxid), time_ms: 0 };
            tree.apply(&Txn { header, body: TxnBody::SetAcl { path: "/".into(), acl, version: 1 }, digest: None });
            tree.clone()
        };
        let user = Id { scheme: "digest".into(), id: "u:h".into() };
        let only = |perms| vec![Acl { perms, id: user.clone() }];
        let open = set(1, Acl::open());
        let closed = set(2, only(perms::ALL));
        let partly = set(3, only(perms::READ | perms::WRITE));
        let ids = [user.clone()];
        assert!(owns_root(&open, &[]) && owns_root(&closed, &ids));
        assert!(!owns_root(&closed, &[]) && !owns_root(&partly, &ids));
    }
}

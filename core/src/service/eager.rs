//! Refusing a write where it comes in, by what is applied there (`enableEagerACLCheck`, client-protocol §9.2): the
//! leader need not be asked what this server knows.

use crate::auth;
use crate::error::ZkError;
use crate::tree::{Tree, path};
use crate::wire::client::Request;
use crate::wire::op::OpCode;
use crate::wire::record::{Id, perms};
use alloc::string::String;
use alloc::vec::Vec;
use bytes::Bytes;

/// Why `tree` does not permit this write to somebody with the identities `ids`: [`ZkError::NoAuth`], or
/// what [`auth::fix_up`] says of a list that could not be stored. Of everything else, such as a znode that is not there,
/// the leader has to judge: it may know more.
pub fn refusal(tree: &Tree, ids: &[Id], op: OpCode, body: &Bytes) -> Option<ZkError> {
    if !matches!(op, OpCode::Create | OpCode::Create2 | OpCode::Delete | OpCode::SetData | OpCode::SetAcl) {
        return None;
    }
    let parent = |path: &str| path::split(path).map(|(parent, _)| String::from(parent));
    let (path, wanted, list) = match Request::decode(op, body.clone()).ok()? {
        Request::Create { path, acl, .. } => (parent(&path)?, perms::CREATE, Some(acl)),
        Request::Delete { path, .. } => (parent(&path)?, perms::DELETE, None),
        Request::SetData { path, .. } => (path, perms::WRITE, None),
        Request::SetAcl { path, acl, .. } => (path, perms::ADMIN, Some(acl)),
        _ => return None,
    };
    if let Some(Err(error)) = list.map(|list: Vec<_>| auth::fix_up(tree.rules(), list, ids)) {
        return Some(error);
    }
    let node = tree.get(&path)?;
    (!tree.permits(node, wanted, ids)).then_some(ZkError::NoAuth)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{SessionId, Zxid};
    use crate::wire::record::Acl;
    use crate::wire::txn::{Txn, TxnBody, TxnHeader};
    use alloc::vec;
    use bytes::BytesMut;

    fn id(scheme: &str, id: &str) -> Id {
        Id { scheme: scheme.into(), id: id.into() }
    }

    #[test]
    fn what_is_refused_at_once() {
        let owner = id("digest", "u:h");
        let acl = vec![Acl { perms: perms::ALL, id: owner.clone() }];
        let mut tree = Tree::new();
        let header = TxnHeader { session: SessionId(1), cxid: 0, zxid: Zxid(1), time_ms: 0 };
        let body = TxnBody::Create {
            v2: false,
            path: "/a".into(),
            data: None,
            acl: acl.clone(),
            ephemeral: false,
            parent_cversion: -1,
        };
        tree.apply(&Txn { header, body, digest: None });
        let create = |path: &str, acl: &[Acl]| Request::Create {
            op: OpCode::Create,
            path: path.into(),
            data: None,
            acl: acl.to_vec(),
            flags: 0,
        };
        let bad = [Acl { perms: perms::ALL, id: id("foo", "x") }];
        let set = |path: &str| Request::SetData { path: path.into(), data: None, version: -1 };
        let delete = |path: &str| Request::Delete { path: path.into(), version: -1 };
        let set_acl = |path: &str, acl: &[Acl]| Request::SetAcl { path: path.into(), acl: acl.to_vec(), version: -1 };
        for (request, refused) in [
            (create("/a/b", &Acl::open()), Some(ZkError::NoAuth)),
            (create("/b", &Acl::open()), None),
            (create("/b", &bad), Some(ZkError::InvalidAcl)),
            (create("/none/b", &Acl::open()), None),
            (create("b", &Acl::open()), None),
            (delete("/a/b"), Some(ZkError::NoAuth)),
            (delete("/a"), None),
            (set("/a"), Some(ZkError::NoAuth)),
            (set("/none"), None),
            (set_acl("/a", &acl), Some(ZkError::NoAuth)),
            (set_acl("/a", &bad), Some(ZkError::InvalidAcl)),
            (Request::CloseSession, None),
        ] {
            let mut body = BytesMut::new();
            request.encode(&mut body);
            let body = body.freeze();
            assert_eq!(refusal(&tree, &[], request.op(), &body), refused, "{request:?}");
            let allowed = refused.filter(|error| *error == ZkError::InvalidAcl);
            assert_eq!(
                refusal(&tree, core::slice::from_ref(&owner), request.op(), &body),
                allowed,
                "{request:?} by its owner"
            );
        }
        assert_eq!(refusal(&tree, &[], OpCode::SetData, &Bytes::from_static(b"?")), None, "the leader answers that");
    }
}

//! Transactions, znodes and sessions as a line of text and as JSON.

use crate::cmd::cli::show::{acl_json, data_json};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use zebu_core::client::access;
use zebu_core::disk::body::StatPersisted;
use zebu_core::disk::txn_log::{LogEnd, LogRecord};
use zebu_core::id::Zxid;
use zebu_core::wire::record::Acl;
use zebu_core::wire::txn::{Txn, TxnBody};

/// Data longer than so many bytes is cut in a line of text. JSON has all of it.
const DATA_SHOWN: usize = 64;

/// A zxid as file names and Apache's tools have it.
pub fn hex(zxid: Zxid) -> String {
    format!("0x{:x}", zxid.0)
}

/// A point in time, UTC.
fn time(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |time| format!("{time:.3}"))
}

/// Data as text if it is, else in hexadecimal; not all of it if it is long.
pub fn data(data: Option<&[u8]>) -> String {
    let Some(data) = data else { return "null".into() };
    let shown = &data[..data.len().min(DATA_SHOWN)];
    let more = if shown.len() < data.len() { format!("… ({} bytes)", data.len()) } else { String::new() };
    match std::str::from_utf8(shown) {
        Ok(text) => format!("{text:?}{more}"),
        // A character that was cut in two is no reason for hexadecimal.
        Err(error) if error.error_len().is_none() && !more.is_empty() => {
            format!("{:?}{more}", String::from_utf8_lossy(&shown[..error.valid_up_to()]))
        }
        Err(_) => format!("0x{}{more}", shown.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// An access list, comma-separated.
pub fn acl(list: &[Acl]) -> String {
    list.iter().map(access::text).collect::<Vec<_>>().join(",")
}

/// A transaction's kind by Apache's name.
fn kind(body: &TxnBody) -> &'static str {
    match body {
        TxnBody::Create { v2: false, .. } => "create",
        TxnBody::Create { v2: true, .. } => "create2",
        TxnBody::CreateContainer { .. } => "createContainer",
        TxnBody::CreateTtl { .. } => "createTTL",
        TxnBody::Delete { container: false, .. } => "delete",
        TxnBody::Delete { container: true, .. } => "deleteContainer",
        TxnBody::SetData { reconfig: false, .. } => "setData",
        TxnBody::SetData { reconfig: true, .. } => "reconfig",
        TxnBody::SetAcl { .. } => "setACL",
        TxnBody::Check { .. } => "check",
        TxnBody::CreateSession { .. } => "createSession",
        TxnBody::CloseSession { .. } => "closeSession",
        TxnBody::Error { .. } => "error",
        TxnBody::Multi { .. } => "multi",
    }
}

/// A transaction as one line.
pub fn txn(txn: &Txn) -> String {
    let head = &txn.header;
    let (zxid, time) = (hex(head.zxid), time(head.time_ms));
    let digest = txn.digest.map(|digest| format!("  digest 0x{:x}", digest.tree)).unwrap_or_default();
    format!("{zxid}  {time}  session {} cxid 0x{:x}  {}{digest}", head.session, head.cxid, body(&txn.body))
}

fn body(body: &TxnBody) -> String {
    let kind = kind(body);
    match body {
        TxnBody::Create { path, data: bytes, acl: list, ephemeral, .. } => {
            let ephemeral = if *ephemeral { " ephemeral" } else { "" };
            format!("{kind} {path:?} {}{ephemeral} acl {}", data(bytes.as_deref()), acl(list))
        }
        TxnBody::CreateContainer { path, data: bytes, acl: list, .. } => {
            format!("{kind} {path:?} {} acl {}", data(bytes.as_deref()), acl(list))
        }
        TxnBody::CreateTtl { path, data: bytes, acl: list, ttl_ms, .. } => {
            format!("{kind} {path:?} {} ttl {ttl_ms} ms acl {}", data(bytes.as_deref()), acl(list))
        }
        TxnBody::Delete { path, .. } => format!("{kind} {path:?}"),
        TxnBody::SetData { path, data: bytes, version, .. } => {
            format!("{kind} {path:?} {} version {version}", data(bytes.as_deref()))
        }
        TxnBody::SetAcl { path, acl: list, version } => format!("{kind} {path:?} {} version {version}", acl(list)),
        TxnBody::Check { path, version } => format!("{kind} {path:?} version {version}"),
        TxnBody::CreateSession { timeout_ms } => format!("{kind} timeout {timeout_ms} ms"),
        TxnBody::CloseSession { paths: None } => kind.into(),
        TxnBody::CloseSession { paths: Some(paths) } => format!("{kind} ephemerals {paths:?}"),
        TxnBody::Error { code } => format!("{kind} {code}"),
        TxnBody::Multi { txns } => {
            let members: Vec<_> = txns.iter().map(self::body).collect();
            format!("{kind} [{}]", members.join("; "))
        }
    }
}

/// A transaction and where it stands, as JSON.
pub fn txn_json(record: &LogRecord, txn: &Txn) -> Value {
    let head = &txn.header;
    let mut json = json!({
        "zxid": hex(head.zxid),
        "time": head.time_ms,
        "session": head.session.to_string(),
        "cxid": head.cxid,
        "at": record.at,
        "length": record.end - record.at,
    });
    if let Some(object) = json.as_object_mut() {
        object.append(&mut body_json(&txn.body));
        if let Some(digest) = txn.digest {
            object.insert("digest".into(), digest.tree.into());
        }
    }
    json
}

fn body_json(body: &TxnBody) -> Map<String, Value> {
    let fields = match body {
        TxnBody::Create { path, data, acl, ephemeral, parent_cversion, .. } => json!({
            "path": path, "data": data_json(data.as_deref()), "acl": acl_json(acl), "ephemeral": ephemeral,
            "parentCversion": parent_cversion,
        }),
        TxnBody::CreateContainer { path, data, acl, parent_cversion } => json!({
            "path": path, "data": data_json(data.as_deref()), "acl": acl_json(acl), "parentCversion": parent_cversion,
        }),
        TxnBody::CreateTtl { path, data, acl, parent_cversion, ttl_ms } => json!({
            "path": path, "data": data_json(data.as_deref()), "acl": acl_json(acl), "parentCversion": parent_cversion,
            "ttl": ttl_ms,
        }),
        TxnBody::Delete { path, .. } => json!({ "path": path }),
        TxnBody::SetData { path, data, version, .. } => {
            json!({ "path": path, "data": data_json(data.as_deref()), "version": version })
        }
        TxnBody::SetAcl { path, acl, version } => json!({ "path": path, "acl": acl_json(acl), "version": version }),
        TxnBody::Check { path, version } => json!({ "path": path, "version": version }),
        TxnBody::CreateSession { timeout_ms } => json!({ "timeout": timeout_ms }),
        TxnBody::CloseSession { paths } => json!({ "paths": paths }),
        TxnBody::Error { code } => json!({ "error": code }),
        TxnBody::Multi { txns } => json!({ "txns": txns.iter().map(body_json).collect::<Vec<_>>() }),
    };
    let mut all = Map::new();
    all.insert("type".into(), kind(body).into());
    if let Value::Object(mut fields) = fields {
        all.append(&mut fields);
    }
    all
}

/// A log's end as JSON.
pub fn end_json(end: &LogEnd) -> Value {
    let (kind, why, next) = match end {
        LogEnd::Clean { .. } => ("clean", None, None),
        LogEnd::Torn { why, .. } => ("torn", Some(why), None),
        LogEnd::Damaged { why, next, .. } => ("damaged", Some(why), *next),
    };
    json!({
        "kind": kind,
        "at": end.at(),
        "why": why.map(ToString::to_string),
        "wholeTransactionBehind": next.map(hex),
    })
}

/// A stored Stat as JSON.
pub fn persisted_json(stat: &StatPersisted) -> Value {
    json!({
        "czxid": hex(stat.czxid), "mzxid": hex(stat.mzxid), "pzxid": hex(stat.pzxid),
        "ctime": stat.ctime, "mtime": stat.mtime,
        "version": stat.version, "cversion": stat.cversion, "aversion": stat.aversion,
        "ephemeralOwner": format!("0x{:x}", stat.ephemeral_owner),
    })
}

/// A stored Stat's fields by name, as text: to print them and to compare them.
pub fn persisted(stat: &StatPersisted) -> [(&'static str, String); 9] {
    [
        ("czxid", hex(stat.czxid)),
        ("mzxid", hex(stat.mzxid)),
        ("pzxid", hex(stat.pzxid)),
        ("ctime", time(stat.ctime)),
        ("mtime", time(stat.mtime)),
        ("version", stat.version.to_string()),
        ("cversion", stat.cversion.to_string()),
        ("aversion", stat.aversion.to_string()),
        ("owner", format!("0x{:x}", stat.ephemeral_owner)),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_is_cut_but_never_inside_a_character() {
        let long = "é".repeat(40);
        for (bytes, want) in [
            (None, "null".to_string()),
            (Some(&b""[..]), "\"\"".into()),
            (Some(b"a\nb"), "\"a\\nb\"".into()),
            (Some(&[0xff, 1]), "0xff01".into()),
            (Some(long.as_bytes()), format!("{:?}… (80 bytes)", "é".repeat(32))),
            (Some(&long.as_bytes()[1..]), format!("0x{}… (79 bytes)", "a9c3".repeat(32))),
        ] {
            assert_eq!(data(bytes), want);
        }
        let odd = format!("a{long}");
        assert_eq!(data(Some(odd.as_bytes())), format!("{:?}… (81 bytes)", format!("a{}", "é".repeat(31))));
    }
}

//! What commands print: text in zkCli's form, and JSON.

use base64ct::{Base64, Encoding as _};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::{Value, json};
use zebu_core::client::{ClientEvent, Ending, access};
use zebu_core::wire::client::EventKind;
use zebu_core::wire::record::{Acl, Stat};

/// A point in time as Java's `Date` writes it, in the local time zone.
fn date(ms: i64, zone: &TimeZone) -> String {
    match Timestamp::from_millisecond(ms) {
        Ok(time) => time.to_zoned_datetime(zone.clone()).strftime("%a %b %d %H:%M:%S %Z %Y").to_string(),
        Err(_) => format!("{ms} ms"),
    }
}

/// A stat, a field a line.
pub fn stat(stat: &Stat) -> String {
    stat_in(stat, &TimeZone::system())
}

fn stat_in(stat: &Stat, zone: &TimeZone) -> String {
    format!(
        "cZxid = 0x{:x}\nctime = {}\nmZxid = 0x{:x}\nmtime = {}\npZxid = 0x{:x}\ncversion = {}\ndataVersion = {}\n\
         aclVersion = {}\nephemeralOwner = 0x{:x}\ndataLength = {}\nnumChildren = {}",
        stat.czxid.0,
        date(stat.ctime, zone),
        stat.mzxid.0,
        date(stat.mtime, zone),
        stat.pzxid.0,
        stat.cversion,
        stat.version,
        stat.aversion,
        stat.ephemeral_owner,
        stat.data_length,
        stat.num_children
    )
}

/// A stat as JSON: numbers as numbers, times in milliseconds since 1970, the owner in hexadecimal as everywhere.
pub fn stat_json(stat: &Stat) -> Value {
    json!({
        "czxid": stat.czxid.0,
        "mzxid": stat.mzxid.0,
        "ctime": stat.ctime,
        "mtime": stat.mtime,
        "version": stat.version,
        "cversion": stat.cversion,
        "aversion": stat.aversion,
        "ephemeralOwner": format!("0x{:x}", stat.ephemeral_owner),
        "dataLength": stat.data_length,
        "numChildren": stat.num_children,
        "pzxid": stat.pzxid.0,
    })
}

/// Data as base64.
pub fn base64(data: &[u8]) -> String {
    Base64::encode_string(data)
}

/// Data as JSON: text, or an object with base64 if it is none; null for none at all.
pub fn data_json(data: Option<&[u8]>) -> Value {
    match data.map(std::str::from_utf8) {
        None => Value::Null,
        Some(Ok(text)) => text.into(),
        Some(Err(_)) => json!({ "base64": base64(data.unwrap_or_default()) }),
    }
}

/// Names in brackets.
pub fn list(names: &[String]) -> String {
    format!("[{}]", names.join(", "))
}

/// An access list, an entry on two lines as zkCli has it.
pub fn acl(list: &[Acl]) -> String {
    let entry = |acl: &Acl| format!("'{},'{}\n: {}", acl.id.scheme, acl.id.id, access::letters(acl.perms));
    list.iter().map(entry).collect::<Vec<_>>().join("\n")
}

/// An access list as JSON.
pub fn acl_json(list: &[Acl]) -> Value {
    let entry = |acl: &Acl| json!({ "scheme": acl.id.scheme, "id": acl.id.id, "perms": access::letters(acl.perms) });
    list.iter().map(entry).collect()
}

/// An event's type, state and path by Apache's names; nothing for what nobody needs to see.
fn event_parts(event: &ClientEvent) -> Option<(&'static str, &'static str, Option<&str>)> {
    Some(match event {
        ClientEvent::Watch { event, .. } => {
            let kind = match event.kind {
                EventKind::Created => "NodeCreated",
                EventKind::Deleted => "NodeDeleted",
                EventKind::DataChanged => "NodeDataChanged",
                EventKind::ChildrenChanged => "NodeChildrenChanged",
            };
            ("SyncConnected", kind, Some(&*event.path))
        }
        ClientEvent::Connected { .. } => ("SyncConnected", "None", None),
        ClientEvent::Disconnected => ("Disconnected", "None", None),
        ClientEvent::Over(Ending::Expired) => ("Expired", "None", None),
        ClientEvent::Over(Ending::Closed) => ("Closed", "None", None),
        ClientEvent::Over(Ending::AuthFailed) => ("AuthFailed", "None", None),
        ClientEvent::Auth { .. } | ClientEvent::Answer { .. } | ClientEvent::Unanswered { .. } => return None,
    })
}

/// An event as zkCli prints it.
pub fn event(event: &ClientEvent) -> Option<String> {
    let (state, kind, path) = event_parts(event)?;
    let path = path.unwrap_or("null");
    Some(format!("\nWATCHER::\n\nWatchedEvent state:{state} type:{kind} path:{path}"))
}

/// An event as JSON.
pub fn event_json(event: &ClientEvent) -> Option<Value> {
    let (state, kind, path) = event_parts(event)?;
    Some(json!({ "event": { "state": state, "type": kind, "path": path } }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::Zxid;
    use zebu_core::wire::client::WatcherEvent;

    #[test]
    fn a_stat_is_printed_as_zkcli_prints_it() {
        let shown = Stat {
            czxid: Zxid(0x1_0000_0002),
            mzxid: Zxid(0x1_0000_0003),
            pzxid: Zxid(2),
            ctime: 0,
            mtime: 1_700_000_000_000,
            version: 1,
            cversion: -1,
            aversion: 3,
            ephemeral_owner: -1,
            data_length: 4,
            num_children: 5,
        };
        let want = "cZxid = 0x100000002\nctime = Thu Jan 01 00:00:00 UTC 1970\nmZxid = 0x100000003\n\
            mtime = Tue Nov 14 22:13:20 UTC 2023\npZxid = 0x2\ncversion = -1\ndataVersion = 1\naclVersion = 3\n\
            ephemeralOwner = 0xffffffffffffffff\ndataLength = 4\nnumChildren = 5";
        assert_eq!(stat_in(&shown, &TimeZone::UTC), want);
        let json = stat_json(&shown);
        assert_eq!((&json["version"], &json["ephemeralOwner"]), (&json!(1), &json!("0xffffffffffffffff")));
    }

    #[test]
    fn access_lists() {
        let two = access::parse("world:anyone:cdrwa,digest:me:hash=:r").unwrap();
        assert_eq!(acl(&two), "'world,'anyone\n: cdrwa\n'digest,'me:hash=\n: r");
        assert_eq!(acl_json(&two)[1], json!({ "scheme": "digest", "id": "me:hash=", "perms": "r" }));
    }

    #[test]
    fn data() {
        assert_eq!(data_json(None), json!(null));
        assert_eq!(data_json(Some(b"")), json!(""));
        assert_eq!(data_json(Some("é".as_bytes())), json!("é"));
        assert_eq!(data_json(Some(&[0xff, 0])), json!({ "base64": "/wA=" }));
    }

    #[test]
    fn events() {
        let watch = WatcherEvent { kind: EventKind::DataChanged, path: "/a".into() };
        let watch = ClientEvent::Watch { event: watch, zxid: Zxid(-1), armed: true };
        assert_eq!(
            event(&watch).as_deref(),
            Some("\nWATCHER::\n\nWatchedEvent state:SyncConnected type:NodeDataChanged path:/a")
        );
        assert_eq!(
            event_json(&ClientEvent::Over(Ending::Expired)),
            Some(json!({ "event": { "state": "Expired", "type": "None", "path": null } }))
        );
        assert_eq!(event(&ClientEvent::Auth { scheme: "digest".into(), accepted: true }), None);
    }
}

//! The keys about znodes, quotas and sessions, most of which Apache takes only as Java properties.

use super::{ConfigError, Keys, millis};
use zebu_core::config::{ContainerRules, LocalSessions, OwnerKinds, ServiceRules};
use zebu_core::disk::txn_log::MAX_ENTRY;
use zebu_core::id::ServerId;

/// What clients get from server `id`, where a message may have `max_buffer` bytes.
pub fn rules(keys: &mut Keys<'_>, id: ServerId, max_buffer: usize) -> Result<ServiceRules, ConfigError> {
    Ok(ServiceRules {
        owner_kinds: owner_kinds(keys, id)?,
        containers: containers(keys)?,
        enforce_quota: keys.flag("enforceQuota", false)?,
        local_sessions: local_sessions(keys)?,
        read_only: keys.flag("readonlymode.enabled", false)?,
        // What peers with the same setting take, and the log can hold.
        max_txn: max_buffer.saturating_mul(2).min(MAX_ENTRY),
    })
}

fn local_sessions(keys: &mut Keys<'_>) -> Result<LocalSessions, ConfigError> {
    let (on, upgrading) =
        (keys.flag("localSessionsEnabled", false)?, keys.flag("localSessionsUpgradingEnabled", false)?);
    Ok(match (on, upgrading) {
        (false, _) => LocalSessions::Off,
        (true, false) => LocalSessions::On,
        (true, true) => LocalSessions::Upgrading,
    })
}

fn owner_kinds(keys: &mut Keys<'_>, id: ServerId) -> Result<OwnerKinds, ConfigError> {
    let extended = keys.flag("extendedTypesEnabled", false)?;
    let emulate = keys.flag("emulate353TTLNodes", false)?;
    // As in Apache's server the emulation alone does nothing.
    let kinds = match (extended, emulate) {
        (false, _) => OwnerKinds::Plain,
        (true, false) => OwnerKinds::Extended,
        (true, true) => OwnerKinds::Emulate353,
    };
    let most = kinds.largest_server_id();
    if id.0 > most {
        let key = if emulate { "emulate353TTLNodes" } else { "extendedTypesEnabled" };
        if let Some(entry) = keys.find(key) {
            let why = format_args!(
                "false on server {id}, whose sessions would be taken for TTLs; possible up to server {most}"
            );
            return Err(keys.wrong(entry, why));
        }
    }
    Ok(kinds)
}

fn containers(keys: &mut Keys<'_>) -> Result<ContainerRules, ConfigError> {
    let apaches = ContainerRules::default();
    let interval = keys.number("znode.container.checkIntervalMs", 1..=i64::from(i32::MAX))?;
    let most = keys.number("znode.container.maxPerMinute", 1..=i64::from(i32::MAX))?;
    let never_used = keys.number("znode.container.maxNeverUsedIntervalMs", 0..=i64::MAX)?;
    Ok(ContainerRules {
        check_interval: interval.map_or(apaches.check_interval, millis),
        max_per_minute: most.map_or(apaches.max_per_minute, |n| u32::try_from(n).unwrap_or(u32::MAX)),
        never_used: never_used.map_or(apaches.never_used, millis),
    })
}

#[cfg(test)]
mod tests {
    use super::super::ZooCfg;
    use super::*;
    use std::path::Path;
    use std::time::Duration;

    fn read(text: &str) -> Result<ZooCfg, ConfigError> {
        let text = format!("dataDir=/tmp/zebu-config-test\nclientPort=2181\n{text}\n");
        ZooCfg::from_bytes(Path::new("zoo.cfg"), text.as_bytes())
    }

    #[test]
    fn what_clients_get() {
        let default = ServiceRules::default();
        let containers =
            ContainerRules { check_interval: Duration::from_millis(5), max_per_minute: 7, never_used: Duration::ZERO };
        for (text, expected) in [
            ("", default.clone()),
            ("extendedTypesEnabled=true", ServiceRules { owner_kinds: OwnerKinds::Extended, ..default.clone() }),
            ("emulate353TTLNodes=true", default.clone()),
            (
                "extendedTypesEnabled=true\nemulate353TTLNodes=true",
                ServiceRules { owner_kinds: OwnerKinds::Emulate353, ..default.clone() },
            ),
            ("enforceQuota=true", ServiceRules { enforce_quota: true, ..default.clone() }),
            ("readonlymode.enabled=true", ServiceRules { read_only: true, ..default.clone() }),
            ("localSessionsUpgradingEnabled=true", default.clone()),
            ("localSessionsEnabled=true", ServiceRules { local_sessions: LocalSessions::On, ..default.clone() }),
            (
                "localSessionsEnabled=true\nlocalSessionsUpgradingEnabled=true",
                ServiceRules { local_sessions: LocalSessions::Upgrading, ..default.clone() },
            ),
            ("jute.maxbuffer=5000", ServiceRules { max_txn: 10_000, ..default.clone() }),
            ("jute.maxbuffer=0x3fffffff", ServiceRules { max_txn: 16 << 20, ..default.clone() }),
            (
                "znode.container.checkIntervalMs=5\nznode.container.maxPerMinute=7\n\
                 znode.container.maxNeverUsedIntervalMs=0",
                ServiceRules { containers, ..default.clone() },
            ),
        ] {
            let cfg = read(text).expect(text);
            assert_eq!(cfg.core().service, expected, "{text}");
            assert!(cfg.remarks.is_empty(), "{:?}", cfg.remarks);
        }
    }

    #[test]
    fn wrong_values_stop_the_start() {
        for (line, allowed) in [
            ("extendedTypesEnabled=yes", "false or true"),
            ("emulate353TTLNodes=1", "false or true"),
            ("enforceQuota=", "false or true"),
            ("readonlymode.enabled=on", "false or true"),
            ("localSessionsEnabled=0", "false or true"),
            ("localSessionsUpgradingEnabled=no", "false or true"),
            ("znode.container.checkIntervalMs=0", "a whole number from 1 to"),
            ("znode.container.maxPerMinute=0", "a whole number from 1 to"),
            ("znode.container.maxNeverUsedIntervalMs=-1", "a whole number from 0 to"),
        ] {
            let error = read(line).expect_err(line).to_string();
            let head = format!("zoo.cfg, line 3: {line} is not allowed");
            assert!(error.starts_with(&head) && error.contains(allowed), "{line}: {error}");
        }
    }

    #[test]
    fn a_server_whose_sessions_look_like_ttls_has_none() {
        let members = |extra: &str, id: u8| {
            let dir = tempfile::tempdir().expect("a folder");
            std::fs::write(dir.path().join("myid"), format!("{id}\n")).expect("written");
            let text = format!(
                "dataDir={}\nclientPort=2182\ninitLimit=10\nsyncLimit=5\nserver.1=a:1:2\nserver.2=b:1:2\n\
                 server.{id}=c:1:2\n{extra}\n",
                dir.path().display()
            );
            ZooCfg::from_bytes(Path::new("zoo.cfg"), text.as_bytes()).map(drop).map_err(|error| error.to_string())
        };
        let both = "extendedTypesEnabled=true\nemulate353TTLNodes=true";
        for (extra, id, fits) in [
            ("", 255, true),
            ("extendedTypesEnabled=true", 254, true),
            ("extendedTypesEnabled=true", 255, false),
            (both, 127, true),
            (both, 128, false),
        ] {
            let read = members(extra, id);
            assert_eq!(read.is_ok(), fits, "{extra} {id}: {read:?}");
            assert!(fits || read.expect_err(extra).contains("would be taken for TTLs"));
        }
    }
}

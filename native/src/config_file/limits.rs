//! The keys of limits and throttles (client-protocol §17). All of them are off by default but for two counts.

use super::{ConfigError, Keys, MILLIS, millis};
use std::time::Duration;

/// How much clients may ask at once.
#[derive(Clone, Debug, PartialEq)]
pub struct ClientLimits {
    /// `maxCnxns`: connections in all; 0 for no limit.
    pub max_connections: usize,
    /// `globalOutstandingLimit`, this server's share of it.
    pub outstanding: usize,
    /// `request_throttle_max_requests`: requests under way at which no connection is read from; 0 for no limit.
    pub max_requests: usize,
    /// `request_throttle_stall_time`: how often a connection that is not read from looks again.
    pub stall: Duration,
    /// `throttled_op_wait_time`: a request that has waited longer to be taken is refused; zero for never.
    pub throttled_wait: Duration,
    /// `largeRequestThreshold`: a request of more bytes counts as large.
    pub large_threshold: Option<usize>,
    /// `largeRequestMaxBytes`: how many bytes large requests may have together.
    pub large_max: usize,
    /// `netty.server.outstandingHandshake.limit`: TLS handshakes at once; 0 for no limit.
    pub max_handshakes: usize,
    /// How fast sessions may be opened and taken up.
    pub connects: TokenRules,
}

/// `connection_throttle_…`: each connect costs tokens, which come back with time.
#[derive(Clone, Debug, PartialEq)]
pub struct TokenRules {
    /// How many there are at most; 0 for no limit.
    pub tokens: u64,
    /// After how long some come back.
    pub fill_time: Duration,
    /// How many.
    pub fill_count: u64,
    /// How long the chance of being dropped stays as it is; `None` for no such chance.
    pub freeze: Option<Duration>,
    /// By how much the chance grows when all tokens are used up.
    pub drop_increase: f64,
    /// By how much it falls when few are.
    pub drop_decrease: f64,
    /// Which part of the tokens are few.
    pub decrease_ratio: f64,
    /// What opening a global session costs, taking one up, opening a local one.
    pub costs: [u64; 3],
}

/// The limits of a server among `voters`.
pub fn limits(keys: &mut Keys<'_>, voters: usize) -> Result<ClientLimits, ConfigError> {
    let count = |keys: &mut Keys<'_>, key: &str, least: i64, default: usize| {
        Ok::<_, ConfigError>(keys.number(key, least..=i64::from(i32::MAX))?.map_or(default, |n| n as usize))
    };
    let outstanding = count(keys, "globalOutstandingLimit", 1, 1000)?;
    let threshold = keys.number("largeRequestThreshold", -1..=i64::from(i32::MAX))?.unwrap_or(-1);
    Ok(ClientLimits {
        max_connections: count(keys, "maxCnxns", 0, 0)?,
        // The ensemble's limit is shared by those that serve beside the leader.
        outstanding: if voters > 2 { (outstanding / (voters - 1)).max(1) } else { outstanding },
        max_requests: count(keys, "request_throttle_max_requests", 0, 0)?,
        stall: millis(keys.number("request_throttle_stall_time", MILLIS)?.unwrap_or(100)),
        throttled_wait: millis(keys.number("throttled_op_wait_time", 0..=i64::from(i32::MAX))?.unwrap_or(0)),
        large_threshold: usize::try_from(threshold).ok().filter(|bytes| *bytes > 0),
        large_max: count(keys, "largeRequestMaxBytes", 1, 100 << 20)?,
        max_handshakes: keys
            .number("netty.server.outstandingHandshake.limit", -1..=i64::from(i32::MAX))?
            .map_or(0, |most| usize::try_from(most).unwrap_or(0)),
        connects: tokens(keys)?,
    })
}

fn tokens(keys: &mut Keys<'_>) -> Result<TokenRules, ConfigError> {
    const MANY: i64 = i32::MAX as i64;
    let number = |keys: &mut Keys<'_>, key: &str, least: i64, default: u64| {
        let number = keys.number(&format!("connection_throttle_{key}"), least..=MANY)?;
        Ok::<_, ConfigError>(number.map_or(default, i64::unsigned_abs))
    };
    let freeze = keys.number("connection_throttle_freeze_time", -1..=MANY)?.filter(|ms| *ms >= 0);
    let costs = [
        number(keys, "global_session_weight", 1, 3)?,
        number(keys, "renew_session_weight", 1, 2)?,
        number(keys, "local_session_weight", 1, 1)?,
    ];
    let weighted = keys.flag("connection_throttle_weight_enabled", false)?;
    Ok(TokenRules {
        tokens: number(keys, "tokens", 0, 0)?,
        fill_time: Duration::from_millis(number(keys, "fill_time", 1, 1)?),
        fill_count: number(keys, "fill_count", 1, 1)?,
        freeze: freeze.map(millis),
        drop_increase: fraction(keys, "connection_throttle_drop_increase", 0.02)?,
        drop_decrease: fraction(keys, "connection_throttle_drop_decrease", 0.002)?,
        decrease_ratio: fraction(keys, "connection_throttle_decrease_ratio", 0.0)?,
        costs: if weighted { costs } else { [1; 3] },
    })
}

fn fraction(keys: &mut Keys<'_>, key: &str, default: f64) -> Result<f64, ConfigError> {
    let Some(entry) = keys.find(key) else { return Ok(default) };
    match entry.value.parse::<f64>() {
        Ok(value) if (0.0..=1.0).contains(&value) => Ok(value),
        _ => Err(keys.wrong(entry, "a number from 0 to 1")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::ZooCfg;
    use super::*;
    use std::path::Path;

    fn read(text: &str) -> Result<ZooCfg, ConfigError> {
        let text = format!("dataDir=/tmp/zebu-config-test\nclientPort=2181\n{text}\n");
        ZooCfg::from_bytes(Path::new("zoo.cfg"), text.as_bytes())
    }

    #[test]
    fn each_key_sets_its_limit() {
        let default = read("").expect("valid").limits;
        assert_eq!((default.outstanding, default.large_max, default.connects.costs), (1000, 100 << 20, [1; 3]));
        let with = |change: &dyn Fn(&mut ClientLimits)| {
            let mut limits = default.clone();
            change(&mut limits);
            limits
        };
        for (line, expected) in [
            ("maxCnxns=7", with(&|l| l.max_connections = 7)),
            ("globalOutstandingLimit=7", with(&|l| l.outstanding = 7)),
            ("request_throttle_max_requests=7", with(&|l| l.max_requests = 7)),
            ("request_throttle_stall_time=7", with(&|l| l.stall = Duration::from_millis(7))),
            ("throttled_op_wait_time=7", with(&|l| l.throttled_wait = Duration::from_millis(7))),
            ("largeRequestThreshold=7", with(&|l| l.large_threshold = Some(7))),
            ("largeRequestThreshold=-1", default.clone()),
            ("netty.server.outstandingHandshake.limit=7", with(&|l| l.max_handshakes = 7)),
            ("netty.server.outstandingHandshake.limit=-1", default.clone()),
            ("largeRequestMaxBytes=7", with(&|l| l.large_max = 7)),
            ("connection_throttle_tokens=7", with(&|l| l.connects.tokens = 7)),
            ("connection_throttle_fill_time=7", with(&|l| l.connects.fill_time = Duration::from_millis(7))),
            ("connection_throttle_fill_count=7", with(&|l| l.connects.fill_count = 7)),
            ("connection_throttle_freeze_time=7", with(&|l| l.connects.freeze = Some(Duration::from_millis(7)))),
            ("connection_throttle_freeze_time=-1", default.clone()),
            ("connection_throttle_drop_increase=0.5", with(&|l| l.connects.drop_increase = 0.5)),
            ("connection_throttle_drop_decrease=1", with(&|l| l.connects.drop_decrease = 1.0)),
            ("connection_throttle_decrease_ratio=0.25", with(&|l| l.connects.decrease_ratio = 0.25)),
            ("connection_throttle_weight_enabled=true", with(&|l| l.connects.costs = [3, 2, 1])),
            ("connection_throttle_global_session_weight=9", default.clone()),
            (
                "connection_throttle_weight_enabled=true\nconnection_throttle_renew_session_weight=9",
                with(&|l| l.connects.costs = [3, 9, 1]),
            ),
        ] {
            let cfg = read(line).expect(line);
            assert_eq!((cfg.limits, cfg.remarks), (expected, vec![]), "{line}");
        }
    }

    #[test]
    fn wrong_values_stop_the_start() {
        for (line, allowed) in [
            ("maxCnxns=-1", "a whole number from 0 to"),
            ("request_throttle_max_requests=many", "a whole number from 0 to"),
            ("request_throttle_stall_time=0", "a whole number from 1 to"),
            ("throttled_op_wait_time=-1", "a whole number from 0 to"),
            ("largeRequestThreshold=-2", "a whole number from -1 to"),
            ("largeRequestMaxBytes=0", "a whole number from 1 to"),
            ("connection_throttle_tokens=-1", "a whole number from 0 to"),
            ("connection_throttle_fill_time=0", "a whole number from 1 to"),
            ("connection_throttle_drop_increase=1.5", "a number from 0 to 1"),
            ("connection_throttle_drop_decrease=-0.1", "a number from 0 to 1"),
            ("connection_throttle_decrease_ratio=NaN", "a number from 0 to 1"),
            ("connection_throttle_weight_enabled=1", "false or true"),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.starts_with(&format!("zoo.cfg, line 3: {line} is not allowed")), "{error}");
            assert!(error.contains(allowed), "{error}");
        }
    }

    #[test]
    fn the_ensembles_limit_of_requests_is_shared() {
        let entries =
            [super::super::properties::Entry { line: 1, key: "globalOutstandingLimit".into(), value: "10".into() }];
        for (voters, share) in [(1, 10), (2, 10), (3, 5), (5, 2), (20, 1)] {
            let mut keys = Keys::new(Path::new("zoo.cfg"), &entries);
            assert_eq!(limits(&mut keys, voters).expect("valid").outstanding, share, "{voters}");
        }
    }
}

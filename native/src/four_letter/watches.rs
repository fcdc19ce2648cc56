//! `wchs`, `wchc` and `wchp`: watches on data, summed up, by session and by path.

use super::push;
use crate::operator::watches::WatchSummary;
use std::collections::{BTreeMap, BTreeSet};
use zebu_core::id::SessionId;

/// How many there are.
pub fn summary(watches: WatchSummary) -> String {
    let WatchSummary { connections, paths, total } = watches;
    format!("{connections} connections watching {paths} paths\nTotal watches:{total}\n")
}

/// What each session watches.
pub fn by_session(watches: &BTreeMap<SessionId, BTreeSet<String>>) -> String {
    let mut out = String::new();
    for (session, paths) in watches {
        push(&mut out, format_args!("{session}\n"));
        paths.iter().for_each(|path| push(&mut out, format_args!("\t{path}\n")));
    }
    out + "\n"
}

/// Who watches each path.
pub fn by_path(watches: &BTreeMap<String, BTreeSet<SessionId>>) -> String {
    let mut out = String::new();
    for (path, sessions) in watches {
        push(&mut out, format_args!("{path}\n"));
        sessions.iter().for_each(|session| push(&mut out, format_args!("\t{session}\n")));
    }
    out + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_apache_writes_it() {
        let session = SessionId(0x0100_003c_c7b3_00c0);
        let one = WatchSummary { connections: 1, paths: 1, total: 1 };
        assert_eq!(summary(one), "1 connections watching 1 paths\nTotal watches:1\n");
        let watches = BTreeMap::from([(session, BTreeSet::from(["/f4v".to_string()]))]);
        assert_eq!(by_session(&watches), "0x100003cc7b300c0\n\t/f4v\n\n");
        let watches = BTreeMap::from([("/f4v".to_string(), BTreeSet::from([session]))]);
        assert_eq!(by_path(&watches), "/f4v\n\t0x100003cc7b300c0\n\n");
        assert_eq!((by_session(&BTreeMap::new()), by_path(&BTreeMap::new())), ("\n".into(), "\n".into()));
    }
}

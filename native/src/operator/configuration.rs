//! What the server was told, and how much room its files take.

use super::Operator;
use crate::config_file::ServerLine;
use std::path::{Path, PathBuf};
use zebu_core::config::MemberKind;

/// What `conf` and `configuration` tell.
#[derive(Clone, Debug)]
pub struct Configuration {
    /// The plain client port, if there is one.
    pub client_port: Option<u16>,
    /// `secureClientPort`.
    pub secure_client_port: Option<u16>,
    /// Where the snapshots are.
    pub data_dir: PathBuf,
    /// Bytes in there.
    pub data_size: u64,
    /// Where the log is.
    pub log_dir: PathBuf,
    /// Bytes in there.
    pub log_size: u64,
    /// Milliseconds.
    pub tick_ms: i64,
    /// For each address; 0 for no limit.
    pub max_client_cnxns: usize,
    /// Milliseconds.
    pub min_session_ms: i32,
    /// Milliseconds.
    pub max_session_ms: i32,
    /// -1 where the system decides.
    pub backlog: i32,
    /// 0 for a server that stands alone.
    pub server_id: i64,
    /// Of one that does not.
    pub quorum: Option<QuorumConfiguration>,
}

/// What a member of an ensemble was told besides.
#[derive(Clone, Debug)]
pub struct QuorumConfiguration {
    /// Ticks.
    pub init_limit: u32,
    /// Ticks.
    pub sync_limit: u32,
    /// For elections.
    pub election_port: u16,
    /// For learners.
    pub quorum_port: u16,
    /// 0 for a participant, 1 for an observer.
    pub peer_type: u8,
    /// All members, as `/zookeeper/config` shows them.
    pub membership: String,
}

impl Operator {
    /// What it was told.
    pub fn configuration(&self) -> Configuration {
        let cfg = &self.cfg;
        let (data_size, log_size) = self.folder_sizes();
        Configuration {
            client_port: cfg.client_port,
            secure_client_port: cfg.secure.as_ref().and_then(|secure| secure.port),
            data_dir: cfg.data_dir.join("version-2"),
            data_size,
            log_dir: cfg.data_log_dir.join("version-2"),
            log_size,
            tick_ms: cfg.tick_ms,
            max_client_cnxns: cfg.max_client_cnxns,
            min_session_ms: cfg.min_session_ms,
            max_session_ms: cfg.max_session_ms,
            backlog: cfg.client_backlog.unwrap_or(-1),
            server_id: if cfg.standalone { 0 } else { cfg.id.0 },
            quorum: cfg.own_line().filter(|_| !cfg.standalone).map(|own| self.quorum_configuration(own)),
        }
    }

    fn quorum_configuration(&self, own: &ServerLine) -> QuorumConfiguration {
        QuorumConfiguration {
            init_limit: self.cfg.init_limit,
            sync_limit: self.cfg.sync_limit,
            election_port: own.election_port,
            quorum_port: own.quorum_port,
            peer_type: u8::from(own.kind == MemberKind::Observer),
            membership: self.members.lock().committed.text(),
        }
    }

    /// Bytes of snapshots, and of the log; the same where both are in one folder, as in Apache.
    pub fn folder_sizes(&self) -> (u64, u64) {
        let size = |dir: &Path| folder_size(&dir.join("version-2"));
        (size(&self.cfg.data_dir), size(&self.cfg.data_log_dir))
    }
}

/// A folder that can't be read has nothing in it that could be told.
fn folder_size(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    entries.flatten().filter_map(|e| e.metadata().ok()).filter(|m| m.is_file()).map(|m| m.len()).sum()
}

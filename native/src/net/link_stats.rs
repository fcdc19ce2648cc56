//! What is known of one connection's traffic, for `cons` and `connections`. Its own task writes, once for each
//! wake-up; whoever asks reads.

use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU64, Ordering::Relaxed};
use zebu_core::wire::op::OpCode;

/// The number that no operation has.
const NO_OP: i32 = i32::MIN;

/// See the module. Times are milliseconds.
#[derive(Debug)]
pub struct LinkStats {
    /// Frames that came.
    pub received: AtomicU64,
    /// Frames that were sent.
    pub sent: AtomicU64,
    /// The session's timeout; 0 while there is no session.
    pub timeout: AtomicI64,
    /// When bytes last came, since the process started.
    pub heard: AtomicU64,
    last_op: AtomicI32,
    last_cxid: AtomicI32,
    last_zxid: AtomicI64,
    last_response: AtomicU64,
    last_latency: AtomicU64,
    min_latency: AtomicU64,
    max_latency: AtomicU64,
    latency_sum: AtomicU64,
    latency_count: AtomicU64,
}

/// The same at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkTold {
    /// Frames that came.
    pub received: u64,
    /// Frames that were sent.
    pub sent: u64,
    /// The session's timeout; 0 while there is no session.
    pub timeout: i64,
    /// The last operation answered, in Apache's four letters; `NA` for none.
    pub last_op: &'static str,
    /// The client's number of it; negative for none.
    pub last_cxid: i32,
    /// The zxid of its answer, -1 for none.
    pub last_zxid: i64,
    /// When it was answered, since the process started.
    pub last_response: u64,
    /// How long it took.
    pub last_latency: u64,
    /// The shortest any took.
    pub min_latency: u64,
    /// The average.
    pub avg_latency: u64,
    /// The longest.
    pub max_latency: u64,
}

/// Requests that were answered.
#[derive(Clone, Copy, Debug)]
pub struct AnsweredNow {
    /// The last one's operation.
    pub op: Option<OpCode>,
    /// The client's number of the last one.
    pub cxid: i32,
    /// How long the last one took.
    pub last_latency: u64,
    /// The shortest of them took.
    pub min_latency: u64,
    /// The longest of them took.
    pub max_latency: u64,
    /// All of them took.
    pub latency_sum: u64,
    /// How many they are.
    pub count: u64,
}

impl Default for LinkStats {
    fn default() -> LinkStats {
        let zero = || AtomicU64::new(0);
        LinkStats {
            received: zero(),
            sent: zero(),
            timeout: AtomicI64::new(0),
            heard: zero(),
            last_op: AtomicI32::new(NO_OP),
            last_cxid: AtomicI32::new(-1),
            last_zxid: AtomicI64::new(-1),
            last_response: zero(),
            last_latency: zero(),
            min_latency: AtomicU64::new(u64::MAX),
            max_latency: zero(),
            latency_sum: zero(),
            latency_count: zero(),
        }
    }
}

impl LinkStats {
    /// Requests were answered, the last one at `at` with this zxid.
    pub fn answered(&self, now: AnsweredNow, zxid: i64, at: u64) {
        self.last_op.store(now.op.map_or(NO_OP, OpCode::code), Relaxed);
        self.last_cxid.store(now.cxid, Relaxed);
        self.last_zxid.store(zxid, Relaxed);
        self.last_response.store(at, Relaxed);
        self.last_latency.store(now.last_latency, Relaxed);
        self.min_latency.fetch_min(now.min_latency, Relaxed);
        self.max_latency.fetch_max(now.max_latency, Relaxed);
        self.latency_sum.fetch_add(now.latency_sum, Relaxed);
        self.latency_count.fetch_add(now.count, Relaxed);
    }

    /// Forgets it, as `crst` wants it.
    pub fn reset(&self) {
        let LinkStats { received, sent, last_response, last_latency, max_latency, latency_sum, latency_count, .. } =
            self;
        for counter in [received, sent, last_response, last_latency, max_latency, latency_sum, latency_count] {
            counter.store(0, Relaxed);
        }
        self.min_latency.store(u64::MAX, Relaxed);
        self.last_op.store(NO_OP, Relaxed);
        self.last_cxid.store(-1, Relaxed);
        self.last_zxid.store(-1, Relaxed);
    }

    /// What is known.
    pub fn told(&self) -> LinkTold {
        let count = self.latency_count.load(Relaxed);
        LinkTold {
            received: self.received.load(Relaxed),
            sent: self.sent.load(Relaxed),
            timeout: self.timeout.load(Relaxed),
            last_op: OpCode::from_code(self.last_op.load(Relaxed)).map_or("NA", four_letters),
            last_cxid: self.last_cxid.load(Relaxed),
            last_zxid: self.last_zxid.load(Relaxed),
            last_response: self.last_response.load(Relaxed),
            last_latency: self.last_latency.load(Relaxed),
            min_latency: if count == 0 { 0 } else { self.min_latency.load(Relaxed) },
            avg_latency: self.latency_sum.load(Relaxed).checked_div(count).unwrap_or(0),
            max_latency: self.max_latency.load(Relaxed),
        }
    }
}

/// Apache's short names of operations in `cons`.
fn four_letters(op: OpCode) -> &'static str {
    match op {
        OpCode::Create | OpCode::Create2 | OpCode::CreateContainer | OpCode::CreateTtl => "CREA",
        OpCode::Delete | OpCode::DeleteContainer => "DELE",
        OpCode::Exists => "EXIS",
        OpCode::GetData => "GETD",
        OpCode::SetData => "SETD",
        OpCode::GetAcl => "GETA",
        OpCode::SetAcl => "SETA",
        OpCode::GetChildren | OpCode::GetChildren2 => "GETC",
        OpCode::GetAllChildrenNumber => "GETACN",
        OpCode::GetEphemerals => "GETE",
        OpCode::Sync => "SYNC",
        OpCode::Ping => "PING",
        OpCode::Check => "CHEC",
        OpCode::Multi => "MULT",
        OpCode::MultiRead => "MLTR",
        OpCode::Reconfig => "RECO",
        OpCode::CheckWatches => "CHKW",
        OpCode::RemoveWatches => "REMW",
        OpCode::SetWatches => "SETW",
        OpCode::SetWatches2 => "STW2",
        OpCode::AddWatch => "ADDW",
        OpCode::WhoAmI => "HOMI",
        OpCode::Auth => "AUTH",
        OpCode::Sasl => "SASL",
        OpCode::CreateSession => "SESS",
        OpCode::CloseSession => "CLOS",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_and_reset() {
        let stats = LinkStats::default();
        let fresh = stats.told();
        assert_eq!((fresh.last_op, fresh.last_cxid, fresh.last_zxid, fresh.min_latency), ("NA", -1, -1, 0));
        let one = |op, cxid, ms| AnsweredNow {
            op: Some(op),
            cxid,
            last_latency: ms,
            min_latency: ms,
            max_latency: ms,
            latency_sum: ms,
            count: 1,
        };
        stats.answered(one(OpCode::Create2, 1, 5), 7, 100);
        stats.answered(one(OpCode::GetData, 2, 2), 8, 200);
        let told = stats.told();
        assert_eq!((told.last_op, told.last_cxid, told.last_zxid, told.last_response), ("GETD", 2, 8, 200));
        assert_eq!((told.last_latency, told.min_latency, told.avg_latency, told.max_latency), (2, 2, 3, 5));
        stats.timeout.store(4000, Relaxed);
        stats.reset();
        assert_eq!(stats.told(), LinkTold { timeout: 4000, ..fresh });
    }
}

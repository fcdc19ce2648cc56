//! What is measured, by who measures it: each thread writes into a page of its own kind under a lock that nobody else
//! holds for long, once for a batch of work. Field names are Apache's names (client-protocol §15).

use super::report::Report;
use super::summary::{Keyed, Summary};
use zebu_core::wire::op::OpCode;

/// Puts fields into a report under their own names.
macro_rules! tell {
    ($out:expr, $page:expr; $($method:ident: $($field:ident),*;)*) => {
        $($($out.$method(stringify!($field), tell!(@$method $page.$field));)*)*
    };
    (@counter $value:expr) => { $value };
    (@$method:ident $value:expr) => { &$value };
}

/// Sizes in bytes: the last, the smallest and the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes(Option<[u64; 3]>);

impl Sizes {
    /// Something had this size.
    pub fn add(&mut self, size: usize) {
        let size = size as u64;
        let [_, min, max] = self.0.unwrap_or([size; 3]);
        self.0 = Some([size, min.min(size), max.max(size)]);
    }

    /// Takes over what has been seen after all that is known here.
    pub fn absorb(&mut self, later: Sizes) {
        let mut all = later;
        all.merge(*self);
        *self = all;
    }

    /// Takes over what another has seen; the last one stays what it was, if there was one.
    pub fn merge(&mut self, other: Sizes) {
        self.0 = match (self.0, other.0) {
            (Some([last, min, max]), Some([_, other_min, other_max])) => {
                Some([last, min.min(other_min), max.max(other_max)])
            }
            (one, other) => one.or(other),
        };
    }

    /// The last, the smallest, the largest; -1 if there was none.
    pub fn told(self) -> [i64; 3] {
        self.0.map_or([-1; 3], |sizes| sizes.map(|size| i64::try_from(size).unwrap_or(i64::MAX)))
    }
}

/// How often each operation was asked for.
#[derive(Clone, Debug)]
pub struct OpCounts([u64; OpCounts::CODES]);

impl OpCounts {
    /// Operations have numbers from -11 to 107.
    const CODES: usize = 128;

    /// One more.
    pub fn add(&mut self, op: OpCode) {
        if let Some(count) = usize::try_from(op.code() + 16).ok().and_then(|index| self.0.get_mut(index)) {
            *count += 1;
        }
    }

    fn merge(&mut self, other: &OpCounts) {
        self.0.iter_mut().zip(other.0).for_each(|(own, other)| *own += other);
    }

    /// Those that were asked for.
    fn iter(&self) -> impl Iterator<Item = (OpCode, u64)> + '_ {
        let codes = (-16..).zip(self.0);
        codes.filter(|(_, count)| *count > 0).filter_map(|(code, count)| Some((OpCode::from_code(code)?, count)))
    }
}

/// What the connections of clients see.
#[derive(Clone, Debug)]
pub struct ClientPage {
    /// Frames that came, four-letter words included.
    pub packets_received: u64,
    /// Frames that were sent.
    pub packets_sent: u64,
    /// Bytes of the frames that came.
    pub bytes_received_count: u64,
    /// Bytes of the frames that were sent.
    pub response_bytes: u64,
    /// Bytes of those that told of a watch.
    pub watch_bytes: u64,
    /// Authentications that failed.
    pub auth_failed: u64,
    /// Requests refused because they had waited too long.
    pub throttled_ops: u64,
    /// Requests that were answered, by operation.
    pub ops: OpCounts,
    /// Sizes of answers without their length prefix.
    pub response_sizes: Sizes,
    /// From the arrival of a request that changes nothing until its answer is handed to the socket.
    pub readlatency: Summary,
    /// The same of one that changes something.
    pub updatelatency: Summary,
    /// How long reads waited behind writes of their own session.
    pub read_commitproc_time_ms: Summary,
    /// From handing a write to the server until it is applied here.
    pub write_commitproc_time_ms: Summary,
    /// How long requests waited because too many were under way, before they were taken.
    pub request_throttle_queue_time_ms: Summary,
    /// How many of the tokens for connects were used up, at each.
    pub connection_token_deficit: Summary,
    /// Bytes read, by the first name of the path.
    pub read_per_namespace: Keyed,
}

impl Default for ClientPage {
    fn default() -> ClientPage {
        ClientPage {
            packets_received: 0,
            packets_sent: 0,
            bytes_received_count: 0,
            response_bytes: 0,
            watch_bytes: 0,
            auth_failed: 0,
            throttled_ops: 0,
            ops: OpCounts([0; OpCounts::CODES]),
            response_sizes: Sizes::default(),
            readlatency: Summary::time_in_detail(),
            updatelatency: Summary::time_in_detail(),
            read_commitproc_time_ms: Summary::time_in_detail(),
            write_commitproc_time_ms: Summary::time_in_detail(),
            request_throttle_queue_time_ms: Summary::time_in_detail(),
            connection_token_deficit: Summary::plain(),
            read_per_namespace: Keyed::new(Summary::plain()),
        }
    }
}

impl ClientPage {
    /// Takes over what another has.
    pub fn merge(&mut self, other: &ClientPage) {
        self.packets_received += other.packets_received;
        self.packets_sent += other.packets_sent;
        self.bytes_received_count += other.bytes_received_count;
        self.response_bytes += other.response_bytes;
        self.watch_bytes += other.watch_bytes;
        self.auth_failed += other.auth_failed;
        self.throttled_ops += other.throttled_ops;
        self.ops.merge(&other.ops);
        self.response_sizes.merge(other.response_sizes);
        self.readlatency.merge(&other.readlatency);
        self.updatelatency.merge(&other.updatelatency);
        self.read_commitproc_time_ms.merge(&other.read_commitproc_time_ms);
        self.write_commitproc_time_ms.merge(&other.write_commitproc_time_ms);
        self.request_throttle_queue_time_ms.merge(&other.request_throttle_queue_time_ms);
        self.connection_token_deficit.merge(&other.connection_token_deficit);
        self.read_per_namespace.merge(&other.read_per_namespace);
    }

    pub(super) fn tell(&self, out: &mut Report) {
        tell!(out, self;
            counter: bytes_received_count, response_bytes, watch_bytes, throttled_ops;
            summary: readlatency, updatelatency, read_commitproc_time_ms, write_commitproc_time_ms,
                request_throttle_queue_time_ms, connection_token_deficit;
            keyed: read_per_namespace;
        );
        out.gauge("packets_received", self.packets_received);
        out.gauge("packets_sent", self.packets_sent);
        out.gauge("auth_failed_count", self.auth_failed);
        out.counter("op_count_total", self.ops.iter().map(|(_, count)| count).sum());
        for (op, count) in self.ops.iter() {
            out.counter(format!("op_count_{}", op.name()), count);
        }
        let [last, min, max] = self.response_sizes.told();
        out.gauge("last_client_response_size", last);
        out.gauge("min_client_response_size", min);
        out.gauge("max_client_response_size", max);
    }
}

/// What the owner thread sees: elections, proposals, commits.
#[derive(Clone, Debug)]
pub struct OwnerPage {
    /// Leader: transactions proposed.
    pub proposal_count: u64,
    /// Leader: transactions committed.
    pub commit_count: u64,
    /// Leader: learners that were given the whole state.
    pub snap_count: u64,
    /// Leader: learners that were given what they lacked, or told what to drop.
    pub diff_count: u64,
    /// Elections begun.
    pub looking_count: u64,
    /// Leader: sessions that were silent for too long.
    pub stale_sessions_expired: u64,
    /// Learner: proposals that came.
    pub learner_proposal_received_count: u64,
    /// Learner: commits that came.
    pub learner_commit_received_count: u64,
    /// Learner: sessions about which the leader was asked.
    pub revalidate_count: u64,
    /// Trees that were not as the leader foretold. The server stops itself then.
    pub digest_mismatches_count: u64,
    /// Other reasons for which the server stopped itself.
    pub unrecoverable_error_count: u64,
    /// Leader: sizes of proposals.
    pub proposal_sizes: Sizes,
    /// Letters in the mailbox when the owner looks into it.
    pub prep_processor_queue_size: Summary,
    /// Leader: from taking up a client's write until it is proposed.
    pub prep_process_time: Summary,
    /// Leader: from the making of a transaction to its quorum.
    pub quorum_ack_latency: Summary,
    /// Leader: from the making of a transaction to the acknowledgement of each server, which is the key.
    pub ack_latency: Keyed,
    /// Learner: from the making of a transaction to its arrival, by both servers' wall clocks.
    pub proposal_latency: Summary,
    /// Learner: to the acknowledgement.
    pub proposal_ack_creation_latency: Summary,
    /// Learner: to the commit.
    pub commit_propagation_latency: Summary,
    /// From the making of a transaction until it is applied here, by both servers' wall clocks.
    pub propagation_latency: Summary,
    /// From the beginning of an election to its end.
    pub election_time: Summary,
    /// Follower: from the end of the election until it is up to date.
    pub follower_sync_time: Summary,
    /// Observer: the same.
    pub observer_sync_time: Summary,
    /// Leader: learners that are given the whole state, when one more begins.
    pub inflight_snap_count: Summary,
    /// Leader: learners that are given what they lack, when one more begins.
    pub inflight_diff_count: Summary,
    /// How long no clients were served.
    pub unavailable_time: Summary,
    /// Leader: from the beginning of the election until it is in office.
    pub leader_unavailable_time: Summary,
    /// Bytes written, by the first name of the path.
    pub write_per_namespace: Keyed,
}

impl Default for OwnerPage {
    fn default() -> OwnerPage {
        OwnerPage {
            proposal_count: 0,
            commit_count: 0,
            snap_count: 0,
            diff_count: 0,
            looking_count: 0,
            stale_sessions_expired: 0,
            learner_proposal_received_count: 0,
            learner_commit_received_count: 0,
            revalidate_count: 0,
            digest_mismatches_count: 0,
            unrecoverable_error_count: 0,
            proposal_sizes: Sizes::default(),
            prep_processor_queue_size: Summary::plain(),
            prep_process_time: Summary::time(),
            quorum_ack_latency: Summary::time_in_detail(),
            ack_latency: Keyed::new(Summary::time_in_detail()),
            proposal_latency: Summary::time_in_detail(),
            proposal_ack_creation_latency: Summary::time_in_detail(),
            commit_propagation_latency: Summary::time_in_detail(),
            propagation_latency: Summary::time_in_detail(),
            election_time: Summary::time(),
            follower_sync_time: Summary::time(),
            observer_sync_time: Summary::time(),
            inflight_snap_count: Summary::plain(),
            inflight_diff_count: Summary::plain(),
            unavailable_time: Summary::time(),
            leader_unavailable_time: Summary::time(),
            write_per_namespace: Keyed::new(Summary::plain()),
        }
    }
}

impl OwnerPage {
    pub(super) fn tell(&self, out: &mut Report) {
        tell!(out, self;
            counter: proposal_count, commit_count, snap_count, diff_count, looking_count, stale_sessions_expired,
                learner_proposal_received_count, learner_commit_received_count, revalidate_count,
                digest_mismatches_count, unrecoverable_error_count;
            summary: prep_processor_queue_size, prep_process_time, quorum_ack_latency, proposal_latency,
                proposal_ack_creation_latency, commit_propagation_latency, propagation_latency, election_time,
                follower_sync_time, observer_sync_time, inflight_snap_count, inflight_diff_count, unavailable_time,
                leader_unavailable_time;
            keyed: ack_latency, write_per_namespace;
        );
    }
}

/// What is seen where transactions are applied.
#[derive(Clone, Debug)]
pub struct AppliedPage {
    /// Waiting for the tree's lock and applying one transaction.
    pub commit_process_time: Summary,
    /// Watches that a creation fired.
    pub node_created_watch_count: Summary,
    /// Watches that a deletion fired.
    pub node_deleted_watch_count: Summary,
    /// Watches that a change of data fired.
    pub node_changed_watch_count: Summary,
    /// Watches that a change of children fired.
    pub node_children_watch_count: Summary,
}

impl Default for AppliedPage {
    fn default() -> AppliedPage {
        AppliedPage {
            commit_process_time: Summary::time(),
            node_created_watch_count: Summary::plain(),
            node_deleted_watch_count: Summary::plain(),
            node_changed_watch_count: Summary::plain(),
            node_children_watch_count: Summary::plain(),
        }
    }
}

impl AppliedPage {
    pub(super) fn tell(&self, out: &mut Report) {
        tell!(out, self;
            summary: commit_process_time, node_created_watch_count, node_deleted_watch_count, node_changed_watch_count,
                node_children_watch_count;
        );
    }
}

/// What the disk takes.
#[derive(Clone, Debug)]
pub struct DiskPage {
    /// Syncs of the log that took longer than `fsync.warningthresholdms`.
    pub slow_syncs: u64,
    /// Storage effects handed to the storage thread.
    pub sync_processor_request_queued: u64,
    /// Hand-overs that wait when the storage thread takes one.
    pub sync_processor_queue_size: Summary,
    /// Effects carried out with one sync.
    pub sync_processor_batch_size: Summary,
    /// How long they waited to be carried out.
    pub sync_processor_queue_time_ms: Summary,
    /// The sync of a batch with what had not been written out before.
    pub sync_processor_queue_flush_time_ms: Summary,
    /// From the hand-over until they are durable.
    pub sync_processor_queue_and_flush_time_ms: Summary,
    /// The `fdatasync` of the log alone.
    pub fsynctime: Summary,
    /// Making a snapshot.
    pub snapshottime: Summary,
    /// Reading everything at the start.
    pub dbinittime: Summary,
    /// Reading the snapshot at the start.
    pub startup_snap_load_time: Summary,
    /// Transactions read from the log at the start.
    pub startup_txns_loaded: Summary,
    /// Reading them.
    pub startup_txns_load_time: Summary,
}

impl Default for DiskPage {
    fn default() -> DiskPage {
        DiskPage {
            slow_syncs: 0,
            sync_processor_request_queued: 0,
            sync_processor_queue_size: Summary::plain(),
            sync_processor_batch_size: Summary::plain(),
            sync_processor_queue_time_ms: Summary::time_in_detail(),
            sync_processor_queue_flush_time_ms: Summary::time_in_detail(),
            sync_processor_queue_and_flush_time_ms: Summary::time_in_detail(),
            fsynctime: Summary::time(),
            snapshottime: Summary::time(),
            dbinittime: Summary::time(),
            startup_snap_load_time: Summary::time(),
            startup_txns_loaded: Summary::plain(),
            startup_txns_load_time: Summary::time(),
        }
    }
}

impl DiskPage {
    pub(super) fn tell(&self, out: &mut Report) {
        tell!(out, self;
            counter: sync_processor_request_queued;
            summary: sync_processor_queue_size, sync_processor_batch_size, sync_processor_queue_time_ms,
                sync_processor_queue_flush_time_ms, sync_processor_queue_and_flush_time_ms, fsynctime, snapshottime,
                dbinittime, startup_snap_load_time, startup_txns_loaded, startup_txns_load_time;
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_or_none() {
        let mut sizes = Sizes::default();
        assert_eq!(sizes.told(), [-1, -1, -1]);
        [36, 96, 50].into_iter().for_each(|size| sizes.add(size));
        assert_eq!(sizes.told(), [50, 36, 96]);
        let mut other = Sizes::default();
        other.merge(sizes);
        other.merge(Sizes::default());
        assert_eq!(other.told(), [50, 36, 96]);
    }

    #[test]
    fn every_operation_has_a_place() {
        let mut counts = OpCounts([0; OpCounts::CODES]);
        let all: Vec<_> = (-20..200).filter_map(OpCode::from_code).collect();
        assert!(all.len() > 25);
        all.iter().for_each(|op| counts.add(*op));
        assert!(counts.iter().eq(all.into_iter().map(|op| (op, 1))));
    }
}

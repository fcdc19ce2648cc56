//! The storage thread: executes the core's storage effects in order, a whole queue at a time with one sync.

use super::compactor::{CompactError, Compactor, Job};
use super::files::{self, FileError};
use super::log::LogWriter;
use super::snapshots::seems_valid;
use super::{doubt, epochs, install};
use crate::config_file::MembershipFiles;
use crate::metrics::Metrics;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tracing::{error, info};
use zebu_core::disk::names::Compression;
use zebu_core::effect::Record;
use zebu_core::id::{Lsn, Zxid};
use zebu_core::input::Input;

/// How the storage thread works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `<dataDir>/version-2`.
    pub snapshot_dir: PathBuf,
    /// `<dataLogDir>/version-2`.
    pub log_dir: PathBuf,
    /// How snapshots are packed.
    pub compression: Compression,
    /// The program that makes them, in a process of its own: this one. Without it a thread does.
    pub program: Option<PathBuf>,
    /// `preAllocSize` in bytes, 0 for none.
    pub pre_alloc: u64,
    /// `txnLogSizeLimitInKb` in bytes, 0 for none.
    pub log_limit: u64,
    /// Whether `fdatasync` is really called.
    pub force_sync: bool,
    /// Slower syncs are worth a line in the log.
    pub fsync_warning: Duration,
    /// What is measured.
    pub metrics: Arc<Metrics>,
    /// The files that say who is a member, where members change.
    pub membership: Option<MembershipFiles>,
}

/// Takes what storage has to say.
pub type Deliver = dyn Fn(Input) + Send + Sync;

enum Work {
    /// Effects, and when they were queued.
    Records(Vec<(Lsn, Record)>, Instant),
    Compact(Zxid),
    Stop,
}

/// The way to the storage thread.
#[derive(Debug)]
pub struct Storage {
    work: Sender<Work>,
    /// Hand-overs that wait.
    waiting: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Storage {
    /// Starts the thread.
    pub fn start(settings: Settings, deliver: Arc<Deliver>) -> std::io::Result<Storage> {
        let (work, queue) = channel();
        let waiting = Arc::new(AtomicU64::new(0));
        let queued = waiting.clone();
        let thread = std::thread::Builder::new().name("zebu-storage".into()).spawn(move || {
            let _guard = PanicGuard(deliver.clone());
            let Settings { log_dir, pre_alloc, log_limit, force_sync, fsync_warning, .. } = &settings;
            let log = LogWriter::new(log_dir, *pre_alloc, *log_limit, *force_sync, *fsync_warning);
            Executor { log, settings, compactor: None, deliver, waiting: queued }.run(&queue);
        })?;
        Ok(Storage { work, waiting, thread: Some(thread) })
    }

    /// Queues effects.
    pub fn store(&self, records: Vec<(Lsn, Record)>) {
        self.waiting.fetch_add(1, Relaxed);
        // A thread that has failed has said so.
        let _ = self.work.send(Work::Records(records, Instant::now()));
    }

    /// Asks for a snapshot of everything up to `upto`.
    pub fn compact(&self, upto: Zxid) {
        let _ = self.work.send(Work::Compact(upto));
    }

    /// Finishes what is queued and ends the thread.
    pub fn stop(mut self) {
        let _ = self.work.send(Work::Stop);
        if let Some(thread) = self.thread.take() {
            // A panic there has been told already.
            let _ = thread.join();
        }
    }
}

/// Without storage nothing may go on, even if the thread ends by a fault of its own.
struct PanicGuard(Arc<Deliver>);

impl Drop for PanicGuard {
    fn drop(&mut self) {
        if std::thread::panicking() {
            (self.0)(Input::StorageFailed { what: "the storage thread panicked, see above".into() });
        }
    }
}

struct Executor {
    log: LogWriter,
    settings: Settings,
    compactor: Option<Compactor>,
    deliver: Arc<Deliver>,
    waiting: Arc<AtomicU64>,
}

impl Executor {
    fn run(mut self, queue: &Receiver<Work>) {
        while let Ok(first) = queue.recv() {
            match self.batch(first, queue) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    let what = format!("{failure} ({})", failure.advice());
                    (self.deliver)(Input::StorageFailed { what });
                    // Nothing that is queued behind may be carried out, whatever it is.
                    break;
                }
            }
        }
        if let Some(compactor) = self.compactor.take() {
            compactor.cancel();
        }
    }

    /// Everything that is queued, one sync, one report. `Ok(false)` at the end.
    fn batch(&mut self, first: Work, queue: &Receiver<Work>) -> Result<bool, FileError> {
        let mut done = None;
        let mut goes_on = true;
        let mut next = Some(first);
        let mut measured = Batch::default();
        while let Some(work) = next {
            match work {
                Work::Records(records, queued) => {
                    measured.took(self.waiting.fetch_sub(1, Relaxed), records.len(), queued);
                    for (lsn, record) in records {
                        self.execute(record)?;
                        done = Some(lsn);
                    }
                }
                Work::Compact(upto) => self.compact(upto)?,
                Work::Stop => {
                    goes_on = false;
                    break;
                }
            }
            next = queue.try_recv().ok();
        }
        let flushing = Instant::now();
        let synced = self.log.sync()?;
        if let Some(upto) = done {
            (self.deliver)(Input::Synced { upto });
        }
        measured.tell(flushing, synced, &self.settings);
        Ok(goes_on)
    }

    fn execute(&mut self, record: Record) -> Result<(), FileError> {
        match record {
            Record::Txn { zxid, txn } => self.log.append(zxid, &txn),
            Record::Truncate { to } => {
                let snapshots = files::snapshots(&self.settings.snapshot_dir)?;
                self.log
                    .truncate(to, snapshots.iter().any(|(zxid, kind, path)| *zxid == to && seems_valid(path, *kind)))
            }
            Record::AcceptedEpoch(epoch) => self.write_epoch(epochs::ACCEPTED, epoch),
            Record::CurrentEpoch(epoch) => self.write_epoch(epochs::CURRENT, epoch),
            Record::Trusted => {
                self.log.sync()?;
                doubt::unmark(&self.settings.snapshot_dir, &self.settings.log_dir)
            }
            Record::Membership(members) => {
                // Who is a member stands in the history, which these files only save a start without one from asking
                // for. They may lie where nothing can be written, and nobody has to stop for that.
                if let Some(Err(failure)) = self.settings.membership.as_ref().map(|files| files.write(&members)) {
                    error!(
                        "{failure}: the members are in the data all the same, but a start with empty data would not \
                         know of their last change. Make the folder writable; the next change is written again"
                    );
                }
                Ok(())
            }
            Record::Install { zxid, body } => {
                info!("takes over the leader's state at {zxid}, {} KiB", body.len() >> 10);
                let compactor = self.compactor.take();
                let compacted = compactor.is_some();
                if let Some(compactor) = compactor {
                    compactor.cancel();
                }
                self.log.abandon();
                let Settings { snapshot_dir, log_dir, compression, .. } = &self.settings;
                install::install(snapshot_dir, log_dir, zxid, &body, *compression)?;
                if compacted {
                    // The snapshot that was asked for was given up for this one.
                    (self.deliver)(Input::Compacted { upto: zxid });
                }
                Ok(())
            }
        }
    }

    /// The history before an epoch's file is durable before the file is.
    fn write_epoch(&mut self, name: &'static str, epoch: zebu_core::id::Epoch) -> Result<(), FileError> {
        let _ = self.log.sync()?;
        epochs::write(&self.settings.snapshot_dir, name, epoch)
    }

    fn compact(&mut self, upto: Zxid) -> Result<(), FileError> {
        self.log.roll()?;
        if let Some(running) = self.compactor.take_if(|c| !c.is_finished()) {
            running.cancel();
        }
        let deliver = self.deliver.clone();
        let failed = FileError::new("can't start a thread for a snapshot in", &self.settings.snapshot_dir);
        let job = Job {
            snapshot_dir: self.settings.snapshot_dir.clone(),
            log_dir: self.settings.log_dir.clone(),
            upto,
            compression: self.settings.compression,
        };
        let (metrics, begun) = (self.settings.metrics.clone(), Instant::now());
        let compactor = Compactor::start(job, self.settings.program.clone(), move |result| match result {
            Ok(true) => {
                metrics.disk.lock().snapshottime.took(begun.elapsed());
                deliver(Input::Compacted { upto });
            }
            // Whoever has cancelled it says what there is instead, if anybody still wants to know.
            Ok(false) => {}
            Err(e) => {
                let advice = if let CompactError::File(failure) = &e {
                    format!(" ({})", failure.advice())
                } else {
                    String::new()
                };
                deliver(Input::StorageFailed { what: format!("no snapshot at {upto}: {e}{advice}") });
            }
        });
        self.compactor = Some(compactor.map_err(failed)?);
        Ok(())
    }
}

/// What is measured of a batch, told when it is durable: nobody waits for that.
#[derive(Debug, Default)]
struct Batch {
    /// How many waited when each hand-over was taken, how many effects it had, when it was queued and when taken.
    hand_overs: Vec<(u64, usize, Instant, Instant)>,
}

impl Batch {
    fn took(&mut self, waiting: u64, effects: usize, queued: Instant) {
        self.hand_overs.push((waiting, effects, queued, Instant::now()));
    }

    fn tell(self, flushing: Instant, synced: Option<Duration>, settings: &Settings) {
        if self.hand_overs.is_empty() && synced.is_none() {
            return;
        }
        let now = Instant::now();
        let mut page = settings.metrics.disk.lock();
        let effects = self.hand_overs.iter().map(|(_, effects, ..)| *effects as u64).sum();
        page.sync_processor_request_queued += effects;
        page.sync_processor_batch_size.add(effects);
        page.sync_processor_queue_flush_time_ms.took(now - flushing);
        if let Some(took) = synced {
            page.fsynctime.took(took);
            page.slow_syncs += u64::from(took > settings.fsync_warning);
        }
        for (waiting, _, queued, taken) in self.hand_overs {
            page.sync_processor_queue_size.add(waiting);
            page.sync_processor_queue_time_ms.took(taken - queued);
            page.sync_processor_queue_and_flush_time_ms.took(now - queued);
        }
    }
}

//! The storage thread: executes the core's storage effects in order, a whole queue at a time with one sync.

use super::compactor::Compactor;
use super::files::FileError;
use super::log::LogWriter;
use super::{epochs, install};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing::info;
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
    /// `preAllocSize` in bytes, 0 for none.
    pub pre_alloc: u64,
    /// Whether `fdatasync` is really called.
    pub force_sync: bool,
    /// Slower syncs are worth a line in the log.
    pub fsync_warning: Duration,
}

/// Takes what storage has to say.
pub type Deliver = dyn Fn(Input) + Send + Sync;

enum Work {
    Records(Vec<(Lsn, Record)>),
    Compact(Zxid),
    Stop,
}

/// The way to the storage thread.
#[derive(Debug)]
pub struct Storage {
    work: Sender<Work>,
    thread: Option<JoinHandle<()>>,
}

impl Storage {
    /// Starts the thread.
    pub fn start(settings: Settings, deliver: Arc<Deliver>) -> std::io::Result<Storage> {
        let (work, queue) = channel();
        let thread = std::thread::Builder::new().name("zebu-storage".into()).spawn(move || {
            let _guard = PanicGuard(deliver.clone());
            let Settings { log_dir, pre_alloc, force_sync, fsync_warning, .. } = &settings;
            let log = LogWriter::new(log_dir, *pre_alloc, *force_sync, *fsync_warning);
            Executor { log, settings, compactor: None, deliver }.run(&queue);
        })?;
        Ok(Storage { work, thread: Some(thread) })
    }

    /// Queues effects.
    pub fn store(&self, records: Vec<(Lsn, Record)>) {
        // A thread that has failed has said so.
        let _ = self.work.send(Work::Records(records));
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
}

impl Executor {
    fn run(mut self, queue: &Receiver<Work>) {
        while let Ok(first) = queue.recv() {
            match self.batch(first, queue) {
                Ok(true) => {}
                Ok(false) => break,
                Err(failure) => {
                    let what = match failure.is_full() {
                        true => format!("{failure} (free some space, then start this server again)"),
                        false => failure.to_string(),
                    };
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
        while let Some(work) = next {
            match work {
                Work::Records(records) => {
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
        self.log.sync()?;
        if let Some(upto) = done {
            (self.deliver)(Input::Synced { upto });
        }
        Ok(goes_on)
    }

    fn execute(&mut self, record: Record) -> Result<(), FileError> {
        match record {
            Record::Txn { zxid, txn } => self.log.append(zxid, &txn),
            Record::Truncate { to } => self.log.truncate(to),
            Record::AcceptedEpoch(epoch) => self.write_epoch(epochs::ACCEPTED, epoch),
            Record::CurrentEpoch(epoch) => self.write_epoch(epochs::CURRENT, epoch),
            Record::Install { zxid, body } => {
                info!("takes over the leader's state at {zxid}, {} KiB", body.len() >> 10);
                if let Some(compactor) = self.compactor.take() {
                    compactor.cancel();
                }
                self.log.abandon();
                install::install(&self.settings.snapshot_dir, &self.settings.log_dir, zxid, &body)
            }
        }
    }

    /// The history before an epoch's file is durable before the file is.
    fn write_epoch(&mut self, name: &str, epoch: zebu_core::id::Epoch) -> Result<(), FileError> {
        self.log.sync()?;
        epochs::write(&self.settings.snapshot_dir, name, epoch)
    }

    fn compact(&mut self, upto: Zxid) -> Result<(), FileError> {
        self.log.roll()?;
        if let Some(running) = self.compactor.take_if(|c| !c.is_finished()) {
            running.cancel();
        }
        let deliver = self.deliver.clone();
        let (snapshot_dir, log_dir) = (self.settings.snapshot_dir.clone(), self.settings.log_dir.clone());
        let failed = FileError::new("can't start a thread for a snapshot in", &snapshot_dir);
        let compactor = Compactor::start(snapshot_dir, log_dir, upto, move |result| match result {
            Ok(_) => deliver(Input::Compacted { upto }),
            Err(e) => deliver(Input::StorageFailed { what: format!("no snapshot at {upto}: {e}") }),
        });
        self.compactor = Some(compactor.map_err(failed)?);
        Ok(())
    }
}

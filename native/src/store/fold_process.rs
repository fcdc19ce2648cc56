//! Folding in a process of its own, so that it costs the server nothing but a core's idle time.
//!
//! In the server's process it would share more than the cores: while it builds a tree and takes it apart again, network
//! threads wait for the same memory map and give back, page by page, what it has freed, 20 ms at a time. It only reads
//! files and hands the new one's bytes to the server, which writes them: in the file system a process of low priority
//! would hold what the log's syncs need, and come to its turn late to let go of it.

use super::compactor::{CompactError, Folded, Job, fold};
use super::files::{AT_ONCE, FileError};
use super::snapshots;
use parking_lot::Mutex;
use std::io::{self, Read, Write};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use tracing::warn;
use zebu_core::disk::names;

/// How much less it is worth than what clients wait for, as `nice` counts: a tenth of their share where there is not
/// enough for all, so that it gets on even then.
const NICE: i32 = 10;

const UNREADABLE: &str = "the output of the process that makes a snapshot can't be read";

/// A snapshot that is being made, and the way to stop it.
#[derive(Debug, Default)]
pub struct Running {
    /// Asked for by everything that takes long.
    pub cancelled: AtomicBool,
    child: Mutex<Option<Child>>,
}

impl Running {
    /// Ends it soon; what it has made by then is thrown away.
    pub fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
        if let Some(child) = &mut *self.child.lock() {
            // It has ended by itself: as good.
            let _ = child.kill();
        }
    }

    /// Starts a process, unless it is cancelled by now; its output.
    fn start(&self, command: &mut Command) -> io::Result<Option<ChildStdout>> {
        let mut slot = self.child.lock();
        if self.cancelled.load(Relaxed) {
            return Ok(None);
        }
        let mut child = command.spawn()?;
        let output = child.stdout.take();
        *slot = Some(child);
        Ok(output)
    }

    /// Waits for the process, which has closed its output.
    fn wait(&self) -> io::Result<Option<ExitStatus>> {
        let child = self.child.lock().take();
        child.map(|mut child| child.wait()).transpose()
    }
}

/// How a process of that kind came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The snapshot is there, with so many znodes.
    Made(u64),
    /// There is one already that is as new.
    Needless,
    /// Nothing, since it was cancelled or did not do what it should. In the second case it has said why.
    Nothing,
}

/// Has `program snapshot fold` make a snapshot, and writes it.
///
/// # Errors
/// It can't be written. All that can be wrong with the process is only told: one can do without.
pub fn make(job: &Job, program: &Path, running: &Running) -> Result<Outcome, FileError> {
    let name = names::snapshot(job.upto, job.compression);
    let mut command = Command::new(program);
    command.args(["snapshot", "fold", &name]).arg(&job.snapshot_dir).arg(&job.log_dir);
    // What it has to say goes where the server's log goes.
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    // An interrupt from the keyboard is the server's alone.
    command.process_group(0);
    let mut output = match running.start(&mut command) {
        Ok(Some(output)) => output,
        Ok(None) => return Ok(Outcome::Nothing),
        Err(error) => {
            warn!("{} can't be started to make a snapshot: {error}", program.display());
            return Ok(Outcome::Nothing);
        }
    };
    let mut count = Vec::new();
    if let Err(error) = output.by_ref().take(8).read_to_end(&mut count) {
        warn!("{UNREADABLE}: {error}");
    }
    let Ok(znodes) = count.as_slice().try_into().map(u64::from_be_bytes) else {
        drop(output);
        let needless = ended_well(running) && count.is_empty();
        return Ok(if needless { Outcome::Needless } else { Outcome::Nothing });
    };
    let made = snapshots::write_whole(&job.snapshot_dir.join(name), move |mut file| {
        let mut piece = Vec::with_capacity(AT_ONCE);
        loop {
            piece.clear();
            match output.by_ref().take(AT_ONCE as u64).read_to_end(&mut piece) {
                Ok(0) => break,
                Ok(_) => file.write_all(&piece)?,
                Err(error) => {
                    warn!("{UNREADABLE}: {error}");
                    break;
                }
            }
        }
        // It ends then at the latest.
        drop(output);
        Ok(ended_well(running).then_some(file))
    })?;
    Ok(if made { Outcome::Made(znodes) } else { Outcome::Nothing })
}

/// Whether the process has done all that it should.
fn ended_well(running: &Running) -> bool {
    let status = running.wait();
    let well = matches!(&status, Ok(Some(status)) if status.success());
    if !well && !running.cancelled.load(Relaxed) {
        match status {
            Ok(Some(status)) => warn!("the process that makes a snapshot ended with {status}"),
            Ok(None) => {}
            Err(error) => warn!("the process that makes a snapshot can't be waited for: {error}"),
        }
    }
    well && !running.cancelled.load(Relaxed)
}

/// What the process does: the number of znodes, eight bytes, and then the file's bytes; nothing at all if there is a
/// snapshot that is as new.
///
/// # Errors
/// What is wrong with the files that are there.
pub fn run(out: &mut dyn Write, job: &Job) -> Result<(), CompactError> {
    stand_back();
    // Its parent is the thread that reads from it: nobody else has a use for what it makes.
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)) {
        warn!("this process may go on for a while if its server is killed: {error}");
    }
    hand_on(out, job)
}

/// The same without the process's own settings.
pub(super) fn hand_on(out: &mut dyn Write, job: &Job) -> Result<(), CompactError> {
    let never = AtomicBool::new(false);
    let Some(Folded { tree, from }) = fold(&job.snapshot_dir, &job.log_dir, job.upto, &never)? else { return Ok(()) };
    if from >= job.upto {
        return Ok(());
    }
    let counted = out.write_all(&(tree.len() as u64).to_be_bytes());
    let written = counted.and_then(|()| {
        snapshots::pack(out, job.compression, &never, |take| tree.write_file(take)).and_then(Write::flush)
    });
    written.map_err(FileError::new("can't hand on a snapshot of", &job.snapshot_dir))?;
    Ok(())
}

/// Lets others go first: a whole process, or in the server only this thread.
pub fn stand_back() {
    // To Linux each thread is a process of its own in this.
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        warn!("what makes snapshots can't be given a lower priority: {error}");
    }
}

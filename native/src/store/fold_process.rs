//! Folding in a process of its own, so that what clients wait for has the server to itself.
//!
//! In the server's process it would share more than the cores: while it builds a tree and takes it apart again, network
//! threads wait for the same memory map and give back, page by page, what it has freed, 20 ms at a time. It only reads
//! files and hands the new one's bytes to the server, which writes them: in the file system a process of low priority
//! would hold what the log's syncs need, and come to its turn late to let go of it.

use super::compactor::{CompactError, Folded, Job, fold};
use super::files::{AT_ONCE, FileError};
use super::snapshots;
use bytes::Bytes;
use nix::sys::signal::{SigSet, Signal};
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

/// No piece that it hands on is longer.
const FRAME_MAX: u64 = AT_ONCE as u64;

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

    /// Ends the process, which is not needed any more.
    fn end(&self) -> io::Result<ExitStatus> {
        let Some(mut child) = self.child.lock().take() else { return Ok(ExitStatus::default()) };
        // It has ended by itself: as good.
        let _ = child.kill();
        child.wait()
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
    // A folder's name may begin with a dash.
    command.args(["snapshot", "fold", "--", &name]).arg(&job.snapshot_dir).arg(&job.log_dir);
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
    let first = read_frame(&mut output);
    let znodes = match first.as_deref() {
        Ok([]) => return Ok(if reap(running, true) { Outcome::Needless } else { Outcome::Nothing }),
        Ok(count) => count.try_into().ok().map(u64::from_be_bytes),
        Err(_) => None,
    };
    let Some(znodes) = znodes else {
        reap(running, false);
        return Ok(Outcome::Nothing);
    };
    let made = snapshots::write_whole(&job.snapshot_dir.join(name), |mut file| {
        loop {
            match read_frame(&mut output) {
                Ok(end) if end.is_empty() => return Ok(reap(running, true).then_some(file)),
                Ok(piece) => file.write_all(&piece).inspect_err(|_| drop(running.end()))?,
                Err(_) => return Ok(reap(running, false).then_some(file)),
            }
        }
    })?;
    Ok(if made { Outcome::Made(znodes) } else { Outcome::Nothing })
}

/// Ends the process, and says whether it has done all that it should; if not and nobody wanted that, also in the log.
fn reap(running: &Running, complete: bool) -> bool {
    let status = running.end();
    let cancelled = running.cancelled.load(Relaxed);
    if !complete && !cancelled {
        match status {
            Ok(status) => warn!("the process that makes a snapshot did not come to its end: {status}"),
            Err(error) => warn!("the process that makes a snapshot did not come to its end, nor can be ended: {error}"),
        }
    }
    complete && !cancelled
}

/// A piece behind its length. An empty one is the end: without it something is missing, whatever the process's exit
/// code is (it can't be had where the server was started with SIGCHLD ignored).
fn read_frame(input: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    input.read_exact(&mut length)?;
    let length = u64::from(u32::from_be_bytes(length));
    if length > FRAME_MAX {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut piece = Vec::new();
    input.take(length).read_to_end(&mut piece)?;
    if piece.len() as u64 == length { Ok(piece) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

/// The other end of [`read_frame`].
struct Frames<'a>(&'a mut dyn Write);

impl Frames<'_> {
    fn frame(&mut self, piece: &[u8]) -> io::Result<()> {
        let length = u32::try_from(piece.len()).map_err(io::Error::other)?;
        self.0.write_all(&length.to_be_bytes())?;
        self.0.write_all(piece)
    }

    fn end(&mut self) -> io::Result<()> {
        self.frame(&[])?;
        self.0.flush()
    }
}

impl Write for Frames<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let (piece, _) = bytes.split_at(bytes.len().min(AT_ONCE));
        if !piece.is_empty() {
            self.frame(piece)?;
        }
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// What the process does: a frame with the number of znodes, eight bytes, frames with the file's bytes, and the empty
/// one at the end; only that if there is a snapshot that is as new.
///
/// # Errors
/// What is wrong with the files that are there.
pub fn run(out: &mut dyn Write, job: &Job) -> Result<(), CompactError> {
    stand_back();
    // Its parent is the thread that reads from it: nobody else has a use for what it makes.
    if let Err(error) = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL)) {
        warn!("this process may go on for a while if its server is killed: {error}");
    }
    // Whoever tells all of a service's processes to end means the server, which ends this one with its work in order.
    let meant_for_the_server: SigSet = [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP].into_iter().collect();
    if let Err(error) = meant_for_the_server.thread_block() {
        warn!("this process may end before its server when both are told to: {error}");
    }
    hand_on(out, job)
}

/// The same without the process's own settings.
pub(super) fn hand_on(out: &mut dyn Write, job: &Job) -> Result<(), CompactError> {
    let never = AtomicBool::new(false);
    let Some(Folded { tree, from }) = fold(&job.snapshot_dir, &job.log_dir, job.upto, &never)? else { return Ok(()) };
    let mut frames = Frames(out);
    let written = if from < job.upto {
        let counted = frames.frame(&(tree.len() as u64).to_be_bytes());
        let pieces = |take: &mut dyn FnMut(Bytes)| tree.write_file(take);
        counted.and_then(|()| snapshots::pack(frames, job.compression, &never, pieces)).and_then(|mut out| out.end())
    } else {
        frames.end()
    };
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

//! `zebu log`, `zebu snapshot`, `zebu data`, `zebu purge`: the files of a data directory, Apache's or ours, looked at
//! and cleared away without a server.

mod cut;
pub mod data;
pub mod log;
pub mod purge;
mod show;
pub mod snapshot;
#[cfg(test)]
mod tests;

use crate::store::files::FileError;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use zebu_core::id::Zxid;

/// How a command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// 0: all is well, or done.
    Well,
    /// 1: something is wrong with the files, or they differ.
    Wrong,
}

/// What keeps a command from saying anything: exit code 2.
type Failed = String;

/// Runs a command upon standard output. The exit code, after what went wrong has been said.
fn end(command: &str, work: impl FnOnce(&mut dyn Write) -> Result<Verdict, Failed>) -> ExitCode {
    let mut out = io::BufWriter::new(io::stdout().lock());
    match work(&mut out).and_then(|verdict| flush(&mut out).map(|()| verdict)) {
        Ok(Verdict::Well) => ExitCode::SUCCESS,
        Ok(Verdict::Wrong) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("zebu {command}: {why}");
            ExitCode::from(2)
        }
    }
}

/// A zxid as it is typed: 0x and hexadecimal, decimal, or epoch:counter.
fn zxid(text: &str) -> Result<Zxid, String> {
    let number = match (text.strip_prefix("0x"), text.split_once(':')) {
        (Some(hex), _) => i64::from_str_radix(hex, 16).ok(),
        (None, Some((epoch, counter))) => match (epoch.parse::<i32>(), counter.parse::<u32>()) {
            (Ok(epoch), Ok(counter)) if epoch >= 0 => Some(i64::from(epoch) << 32 | i64::from(counter)),
            _ => None,
        },
        (None, None) => text.parse().ok(),
    };
    let number = number.filter(|number| *number >= 0);
    number.map(Zxid).ok_or_else(|| format!("{text:?} is no zxid: give 0x100000001, 1:1 or 4294967297"))
}

/// The files among `paths`, and those that `list` finds in the folders among them (or in their `version-2`).
fn files_among(
    paths: &[PathBuf],
    what: &str,
    list: impl Fn(&Path) -> Result<Vec<PathBuf>, FileError>,
) -> Result<Vec<PathBuf>, Failed> {
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(path.clone());
            continue;
        }
        let below = path.join("version-2");
        let folder = if below.is_dir() { &below } else { path };
        let files = list(folder).map_err(|e| e.to_string())?;
        if files.is_empty() {
            return Err(format!("{}: there is no {what} in it", folder.display()));
        }
        found.extend(files);
    }
    Ok(found)
}

/// Writes a line to standard output. Whoever closed the pipe (`| head`) has seen enough: `false`.
fn line(out: &mut dyn Write, text: impl std::fmt::Display) -> Result<bool, Failed> {
    match writeln!(out, "{text}") {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(format!("can't write the output: {error}")),
    }
}

/// Hands the rest of the output on.
fn flush(out: &mut dyn Write) -> Result<(), Failed> {
    match out.flush() {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(format!("can't write the output: {error}")),
        _ => Ok(()),
    }
}

/// Progress over so many files, on a terminal only.
fn progress(files: usize) -> ProgressBar {
    let bar = ProgressBar::new(files as u64);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}") {
        bar.set_style(style);
    }
    bar
}

//! What the servers' processes use, by /proc.

use super::error::BenchError;
use nix::unistd::{SysconfVar, sysconf};
use std::fs;

/// The processes of one target.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    /// Their numbers, in the order of the target's hosts.
    pub pids: Vec<i32>,
}

impl Processes {
    /// User and system time of all of them so far, in seconds.
    ///
    /// # Errors
    /// One is gone.
    pub fn cpu_seconds(&self) -> Result<f64, BenchError> {
        let tick = sysconf(SysconfVar::CLK_TCK).ok().flatten().filter(|ticks| *ticks > 0).unwrap_or(100);
        let mut ticks = 0;
        for pid in &self.pids {
            let text = read(*pid, "stat")?;
            ticks += cpu_ticks(&text).ok_or_else(|| odd(*pid, "stat"))?;
        }
        Ok(ticks as f64 / tick as f64)
    }

    /// Resident memory of each, in bytes.
    ///
    /// # Errors
    /// One is gone.
    pub fn resident(&self) -> Result<Vec<u64>, BenchError> {
        let of = |pid: &i32| resident_bytes(&read(*pid, "status")?).ok_or_else(|| odd(*pid, "status"));
        self.pids.iter().map(of).collect()
    }
}

fn read(pid: i32, file: &str) -> Result<String, BenchError> {
    fs::read_to_string(format!("/proc/{pid}/{file}")).map_err(|e| BenchError::Process { pid, why: e.to_string() })
}

fn odd(pid: i32, file: &str) -> BenchError {
    BenchError::Process { pid, why: format!("/proc/{pid}/{file} is not understood") }
}

/// utime and stime of `/proc/PID/stat`. The name in parentheses may hold anything.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let mut fields = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_of_proc() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 123 1000 200";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("7 (a"), None);
        assert_eq!(resident_bytes("Name:\ta\nVmRSS:\t    2048 kB\n"), Some(2 << 20));
        assert_eq!(resident_bytes("Name:\ta\n"), None);
    }

    #[test]
    fn our_own_process_and_one_that_is_not_there() {
        let own = Processes { pids: vec![std::process::id() as i32] };
        assert!(own.resident().is_ok_and(|bytes| bytes[0] > 1 << 20) && own.cpu_seconds().is_ok());
        assert!(matches!(Processes { pids: vec![i32::MAX] }.cpu_seconds(), Err(BenchError::Process { .. })));
    }
}

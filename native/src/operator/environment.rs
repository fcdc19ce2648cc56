//! Where the server runs.

use super::{Operator, version};
use nix::sys::resource::{Resource, getrlimit};

/// Names and values, those of Apache's that mean something without Java, in its order.
pub fn environment() -> Vec<(&'static str, String)> {
    let kernel = |name: &str| std::fs::read_to_string(format!("/proc/sys/kernel/{name}")).unwrap_or_default();
    let var = |name: &str| std::env::var(name).unwrap_or_default();
    let arch = match std::env::consts::ARCH {
        // As Java calls it.
        "x86_64" => "amd64",
        other => other,
    };
    let os = match std::env::consts::OS {
        "linux" => "Linux",
        other => other,
    };
    let mut out = vec![
        ("zookeeper.version", version().into()),
        ("host.name", kernel("hostname").trim().into()),
        ("java.io.tmpdir", std::env::temp_dir().display().to_string()),
        ("os.name", os.into()),
        ("os.arch", arch.into()),
        ("os.version", kernel("osrelease").trim().into()),
        ("user.name", var("USER")),
        ("user.home", var("HOME")),
        ("user.dir", std::env::current_dir().map_or(String::new(), |dir| dir.display().to_string())),
    ];
    if let Some((free, total)) = memory_mib() {
        out.push(("os.memory.free", format!("{free}MB")));
        out.push(("os.memory.max", format!("{total}MB")));
        out.push(("os.memory.total", format!("{total}MB")));
    }
    out
}

/// What the machine has, available and in all: no heap of its own bounds this process.
fn memory_mib() -> Option<(u64, u64)> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kib = |key: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(key))?.trim().strip_suffix(" kB")?.parse().ok()
    };
    Some((kib("MemAvailable:")? >> 10, kib("MemTotal:")? >> 10))
}

/// File descriptors: how many are open, and how many may be. `None` where the system does not tell.
pub fn file_descriptors() -> (Option<usize>, Option<u64>) {
    let open = std::fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    (open, getrlimit(Resource::RLIMIT_NOFILE).map(|(soft, _)| soft).ok())
}

impl Operator {
    /// What Apache has as Java's system properties: where the server runs, and the settings of `zoo.cfg` that are
    /// properties there.
    pub fn system_properties(&self) -> Vec<(String, String)> {
        let here = environment().into_iter().map(|(key, value)| (key.to_string(), value));
        here.chain(self.cfg.properties.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_this_machine_says() {
        let (open, most) = file_descriptors();
        assert!(open.is_some_and(|n| n > 2) && most.is_some_and(|n| n > 2));
        let all = environment();
        let value = |key| all.iter().find(|(k, _)| *k == key).map(|(_, v)| v.clone()).unwrap_or_default();
        assert_eq!(value("zookeeper.version"), version());
        assert!(value("os.memory.total").trim_end_matches("MB").parse::<u64>().is_ok_and(|n| n > 0));
    }
}

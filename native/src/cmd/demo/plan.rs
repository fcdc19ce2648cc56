//! What the demo will start: folders, ports, and the `zoo.cfg` of each server.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::sys::statvfs::statvfs;

/// Space each server is given: its log is preallocated in steps of 64 MiB, and snapshots come on top.
const MIB_FOR_EACH_SERVER: u64 = 128;

/// Client ports, one for each server: `2181-2183`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortRange {
    first: u16,
    last: u16,
}

impl FromStr for PortRange {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no range of 3 to 9 ports such as 2181-2183");
        let (first, last) = text.split_once('-').ok_or_else(wrong)?;
        let port = |part: &str| part.trim().parse::<u16>().ok().filter(|port| *port > 0).ok_or_else(wrong);
        let range = Self { first: port(first)?, last: port(last)? };
        let servers = range.last.checked_sub(range.first).ok_or_else(wrong)?;
        if (2..=8).contains(&servers) { Ok(range) } else { Err(wrong()) }
    }
}

/// The firsts of runs of ports, one for each server.
#[derive(Debug, Clone, Copy)]
pub struct FirstPorts {
    pub quorum: u16,
    pub election: u16,
    pub admin: u16,
}

/// One server of the demo.
#[derive(Debug)]
pub struct ServerPlan {
    pub id: u16,
    pub client: SocketAddr,
    pub dir: PathBuf,
    quorum_port: u16,
    election_port: u16,
    admin_port: u16,
}

impl ServerPlan {
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("zoo.cfg")
    }

    pub fn log_file(&self) -> PathBuf {
        self.dir.join("zebu.log")
    }
}

/// Everything the demo needs to know before it starts anything.
#[derive(Debug)]
pub struct Plan {
    /// Absolute, so that the printed path can be used from anywhere.
    pub data: PathBuf,
    pub http: SocketAddr,
    pub servers: Vec<ServerPlan>,
}

impl Plan {
    /// # Errors
    /// A sentence where the ports overlap or run past 65535, or the folder has no absolute path.
    pub fn new(data: &Path, http: SocketAddr, clients: PortRange, firsts: FirstPorts) -> Result<Self, String> {
        let data = std::path::absolute(data).map_err(|error| format!("{}: {error}", data.display()))?;
        let nth = |first: u16, option: &str, index: u16| {
            first
                .checked_add(index)
                .filter(|_| first > 0)
                .ok_or_else(|| format!("{option} {first} leaves no port for each server"))
        };
        let mut servers = Vec::new();
        for (index, client) in (0..).zip(clients.first..=clients.last) {
            let id = index + 1;
            servers.push(ServerPlan {
                id,
                client: SocketAddr::from((Ipv4Addr::LOCALHOST, client)),
                dir: data.join(format!("server{id}")),
                quorum_port: nth(firsts.quorum, "--quorum-port", index)?,
                election_port: nth(firsts.election, "--election-port", index)?,
                admin_port: nth(firsts.admin, "--admin-port", index)?,
            });
        }
        let plan = Self { data, http, servers };
        let mut seen = std::collections::BTreeMap::new();
        let admin = plan.servers.iter().map(|server| (local(server.admin_port), "--admin-port"));
        for (address, option) in plan.ports().into_iter().chain(admin) {
            if let Some(other) = seen.insert(address.port(), option) {
                return Err(format!("port {} is given twice, by {other} and {option}", address.port()));
            }
        }
        Ok(plan)
    }

    /// What a client is given: `127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183`.
    pub fn connect_string(&self) -> String {
        self.servers.iter().map(|server| server.client.to_string()).collect::<Vec<_>>().join(",")
    }

    /// Where an operator finds each server's commands.
    pub fn admin_pages(&self) -> String {
        let pages = self.servers.iter().map(|server| format!("http://{}/commands", local(server.admin_port)));
        pages.collect::<Vec<_>>().join(" ")
    }

    /// Every address the demo can't do without, with the option that chooses it.
    fn ports(&self) -> Vec<(SocketAddr, &'static str)> {
        let mut ports = vec![(self.http, "--http")];
        for server in &self.servers {
            ports.push((server.client, "--client-ports"));
            ports.push((local(server.quorum_port), "--quorum-port"));
            ports.push((local(server.election_port), "--election-port"));
        }
        ports
    }

    /// # Errors
    /// A sentence that names the first port another program holds, and the option that chooses another.
    pub fn check_ports(&self) -> Result<(), String> {
        for (address, option) in self.ports() {
            TcpListener::bind(address).map_err(|error| explain_port(address, option, &error))?;
        }
        Ok(())
    }

    /// Writes each server's folder with `zoo.cfg` and `myid`; data that is there stays.
    ///
    /// # Errors
    /// A sentence that names the folder, what is wrong with it, and what to do.
    pub fn write(&self) -> Result<(), String> {
        for server in &self.servers {
            fs::create_dir_all(&server.dir).map_err(|error| explain_file(&server.dir, &error))?;
        }
        self.check_space()?;
        for server in &self.servers {
            let files =
                [(server.config_file(), self.zoo_cfg(server)), (server.dir.join("myid"), format!("{}\n", server.id))];
            for (path, text) in files {
                fs::write(&path, text).map_err(|error| explain_file(&path, &error))?;
            }
        }
        Ok(())
    }

    fn check_space(&self) -> Result<(), String> {
        let Ok(space) = statvfs(self.data.as_path()) else { return Ok(()) };
        #[allow(clippy::useless_conversion, reason = "the count has 32 bits on some systems")]
        let free = u64::from(space.blocks_available()).saturating_mul(space.fragment_size()) >> 20;
        let needed = MIB_FOR_EACH_SERVER * self.servers.len() as u64;
        if free < needed {
            return Err(format!(
                "{} has {free} MiB free and the servers need {needed} MiB; free some space, or name another folder with --data DIR",
                self.data.display()
            ));
        }
        Ok(())
    }

    fn zoo_cfg(&self, server: &ServerPlan) -> String {
        let mut text = format!(
            "# Written by `zebu demo` at every start.\n\
             tickTime=2000\ninitLimit=10\nsyncLimit=5\n\
             dataDir={}\nclientPort={}\nclientPortAddress={}\n\
             4lw.commands.whitelist=*\nadmin.serverPort={}\n",
            server.dir.display(),
            server.client.port(),
            server.client.ip(),
            server.admin_port,
        );
        for peer in &self.servers {
            let (id, quorum, election) = (peer.id, peer.quorum_port, peer.election_port);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "server.{id}=127.0.0.1:{quorum}:{election}");
        }
        text
    }
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// Why an address cannot be listened on, and what to do.
pub fn explain_port(address: SocketAddr, option: &str, error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            format!("{address} is taken by another program (perhaps another demo); stop it, or choose with {option}")
        }
        io::ErrorKind::PermissionDenied => {
            format!("{address} needs rights this user lacks; choose a port above 1023 with {option}")
        }
        _ => format!("cannot listen on {address}: {error}; choose another with {option}"),
    }
}

/// Why a file or folder cannot be written, and what to do.
pub fn explain_file(path: &Path, error: &io::Error) -> String {
    let what_to_do = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space, or name another folder with --data DIR"
        }
        _ => "make it writable, or name another folder with --data DIR",
    };
    format!("cannot write {}: {error}; {what_to_do}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(http: u16, clients: &str, quorum: u16, election: u16) -> Result<Plan, String> {
        let firsts = FirstPorts { quorum, election, admin: 8081 };
        Plan::new(Path::new("/tmp/zebu"), local(http), clients.parse()?, firsts)
    }

    #[test]
    fn a_port_range_has_three_to_nine_ports() {
        assert_eq!("2181-2183".parse(), Ok(PortRange { first: 2181, last: 2183 }));
        assert_eq!("65527-65535".parse(), Ok(PortRange { first: 65527, last: 65535 }));
        for wrong in ["2181", "2181-2182", "2183-2181", "2181-2190", "0-2", "a-b", "2181-", "70000-70002", ""] {
            assert!(wrong.parse::<PortRange>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn ports_that_meet_are_refused_by_name() {
        assert!(plan(8080, "2181-2183", 2888, 3888).is_ok());
        let cases = [
            (2182, "2181-2183", 2888, 3888, "port 2182"),
            (8080, "2181-2183", 2179, 3888, "port 2181"),
            (8080, "2181-2183", 3886, 3888, "port 3888"),
            (8080, "2181-2183", 2888, 65534, "--election-port"),
            (8080, "2181-2183", 0, 3888, "--quorum-port"),
            (8082, "2181-2183", 2888, 3888, "--admin-port"),
        ];
        for (http, clients, quorum, election, named) in cases {
            let refused = plan(http, clients, quorum, election);
            assert!(refused.as_ref().is_err_and(|reason| reason.contains(named)), "{named}: {refused:?}");
        }
    }

    #[test]
    fn a_taken_port_is_named_with_its_option() {
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let http = taken.local_addr().unwrap();
        let plan = plan(http.port(), "2181-2183", 2888, 3888).unwrap();
        let reason = plan.check_ports().unwrap_err();
        assert!(reason.contains(&http.to_string()) && reason.contains("--http"), "{reason}");
    }

    #[test]
    fn each_config_names_its_own_port_and_all_servers() {
        let plan = plan(8080, "2181-2183", 2888, 3888).unwrap();
        let text = plan.zoo_cfg(&plan.servers[1]);
        for line in [
            "clientPort=2182",
            "dataDir=/tmp/zebu/server2",
            "admin.serverPort=8082",
            "server.1=127.0.0.1:2888:3888",
            "server.3=127.0.0.1:2890:3890",
        ] {
            assert!(text.lines().any(|have| have == line), "{line} in\n{text}");
        }
        assert_eq!(plan.connect_string(), "127.0.0.1:2181,127.0.0.1:2182,127.0.0.1:2183");
    }

    #[test]
    fn a_file_where_the_folder_should_be_is_one_clear_sentence() {
        let file = std::env::temp_dir().join(format!("zebu-demo-plan-{}.tmp", std::process::id()));
        fs::write(&file, "").unwrap();
        let firsts = FirstPorts { quorum: 2888, election: 3888, admin: 8081 };
        let plan = Plan::new(&file, local(8080), "2181-2183".parse().unwrap(), firsts);
        let reason = plan.unwrap().write().unwrap_err();
        fs::remove_file(&file).unwrap();
        assert!(reason.contains("--data DIR") && !reason.contains('\n'), "{reason}");
    }
}

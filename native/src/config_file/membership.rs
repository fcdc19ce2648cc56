//! Who is a member according to files, and the files that say so once members change (quorum-protocol §11): a dynamic
//! configuration file for each configuration, named by its version; the proposed one beside it; and `zoo.cfg`, which
//! names the file in force.

use super::members::{self, ServerLine};
use super::{ConfigError, Keys, properties};
use crate::store::files::{self, FileError};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use tracing::info;
use zebu_core::config::{Ensemble, Member, Membership};
use zebu_core::id::ServerId;

/// What stands before the version in the name of a dynamic configuration file.
const DYNAMIC: &str = ".dynamic";

/// Who is a member when a server starts.
#[derive(Clone, Debug)]
pub(super) struct Told {
    /// All members, as far as the server itself needs to know them.
    pub servers: BTreeMap<ServerId, ServerLine>,
    /// The configuration in force.
    pub ensemble: Ensemble,
    /// A newer one that was proposed.
    pub proposed: Option<Ensemble>,
}

/// The dynamic file that `zoo.cfg` names, if it names one; the members must not stand in both.
pub(super) fn dynamic_file(file: &Path, keys: &mut Keys<'_>) -> Result<Option<Told>, ConfigError> {
    let Some(entry) = keys.find("dynamicConfigFile").cloned() else { return Ok(None) };
    for prefix in ["server.", "group.", "weight."] {
        if let Some(both) = keys.with_prefix(prefix).first() {
            return Err(keys.wrong(both, "in the file that dynamicConfigFile names; remove the line here"));
        }
    }
    // Apache resolves it against the working directory; beside zoo.cfg it is found from everywhere.
    let path = file.parent().unwrap_or(Path::new("")).join(&entry.value);
    let text = fs::read_to_string(&path).map_err(|error| ConfigError::Unreadable { file: path.clone(), error })?;
    check_sum(&path, &text)?;
    if text.lines().any(|line| line.trim_start().starts_with("version")) {
        let what = "a version does not stand in the file: it is the end of the file's name".into();
        return Err(ConfigError::Syntax { file: path, line: 1, what });
    }
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let version = name.rsplit_once('.').and_then(|(_, hex)| i64::from_str_radix(hex, 16).ok()).unwrap_or(0);
    let ensemble = parse(&path, &text)?.with_version(version);
    let servers = ensemble.members().filter_map(|(id, m)| Some((id, ServerLine::of(m)?))).collect();
    Ok(Some(Told { servers, ensemble, proposed: proposed(file)? }))
}

/// What the first line of a file of ours begins with. To Apache's server it is a comment.
const SUM: &str = "# crc32 ";

/// The same with a checksum in front: one wrong byte can make another configuration of it, a weight of 9 instead of 1.
fn with_sum(lines: &str) -> String {
    let mut crc = flate2::Crc::new();
    crc.update(lines.as_bytes());
    format!("{SUM}{:08x} of what follows; delete this line if you change that\n{lines}", crc.sum())
}

/// Compares a file with its checksum, if it has one: Apache's have none.
fn check_sum(path: &Path, text: &str) -> Result<(), ConfigError> {
    let lines = text.split_once('\n').map_or("", |(_, lines)| lines);
    if text.starts_with(SUM) && text != with_sum(lines) {
        let what = "it is damaged: its checksum is not the one that it was written with. Take the file of another server, or \
                    delete this line if you have changed it yourself";
        return Err(ConfigError::Syntax { file: path.into(), line: 1, what: what.into() });
    }
    Ok(())
}

fn parse(path: &Path, text: &str) -> Result<Ensemble, ConfigError> {
    Ensemble::parse(text).map_err(|e| ConfigError::Syntax { file: path.into(), line: 1, what: e.to_string() })
}

fn proposed(zoo_cfg: &Path) -> Result<Option<Ensemble>, ConfigError> {
    let path = beside(zoo_cfg, &format!("{DYNAMIC}.next"));
    match fs::read_to_string(&path) {
        Ok(text) => check_sum(&path, &text).and_then(|()| parse(&path, &text).map(Some)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ConfigError::Unreadable { file: path, error }),
    }
}

/// The members of `zoo.cfg`'s own lines.
pub(super) fn of_lines(
    file: &Path,
    keys: &mut Keys<'_>,
    servers: BTreeMap<ServerId, ServerLine>,
    changes: bool,
) -> Result<Told, ConfigError> {
    let member = |line: &ServerLine| {
        // Without changes nobody needs to know of the others where they serve clients.
        let client = line.client.as_ref().filter(|_| changes);
        Member { client: client.map(ServerLine::client_text), ..Member::new(line.kind, line.to_string()) }
    };
    let mut ensemble = Ensemble::new(servers.iter().map(|(id, line)| (*id, member(line))).collect());
    let weighted: Vec<_> = ["group.", "weight."].iter().flat_map(|prefix| keys.with_prefix(prefix)).collect();
    if let Some(first) = weighted.first() {
        let lines: String = weighted.iter().map(|entry| format!("{}={}\n", entry.key, entry.value)).collect();
        let text = format!("{}{lines}", ensemble.lines());
        ensemble = Ensemble::parse(&text).map_err(|e| ConfigError::Syntax {
            file: file.into(),
            line: first.line,
            what: e.to_string(),
        })?;
    }
    Ok(Told { servers, ensemble, proposed: if changes { proposed(file)? } else { None } })
}

/// `zoo.cfg` with something behind its name.
fn beside(zoo_cfg: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(zoo_cfg.file_name().unwrap_or_default());
    name.push(suffix);
    zoo_cfg.with_file_name(name)
}

/// The files of a server whose members change.
#[derive(Clone, Debug)]
pub struct MembershipFiles {
    zoo_cfg: PathBuf,
    id: ServerId,
}

impl MembershipFiles {
    /// Those beside `zoo_cfg`, of server `id`.
    pub fn new(zoo_cfg: &Path, id: ServerId) -> MembershipFiles {
        MembershipFiles { zoo_cfg: zoo_cfg.into(), id }
    }

    /// Makes the files say this, durably; whatever a crash leaves says either this or what stood there before, with the
    /// proposal. A server goes on where that fails: a start reads its history too, and whatever is newer there counts.
    ///
    /// # Errors
    /// A file can't be written.
    pub fn write(&self, members: &Membership) -> Result<(), FileError> {
        let next = beside(&self.zoo_cfg, &format!("{DYNAMIC}.next"));
        if let Some(proposed) = &members.proposed {
            files::write_whole(&next, with_sum(&proposed.text()).as_bytes())?;
        }
        let committed = &members.committed;
        if committed.version() != 0 {
            let dynamic = beside(&self.zoo_cfg, &format!("{DYNAMIC}.{:x}", committed.version()));
            if !dynamic.exists() {
                files::write_whole(&dynamic, with_sum(&committed.lines()).as_bytes())?;
            }
            // The last run may have ended between the two.
            if self.name(&dynamic, committed)? {
                info!("members as of version {:x} are in {}", committed.version(), dynamic.display());
            }
        }
        if members.proposed.is_none() && next.exists() {
            files::remove(&next)?;
            files::sync_dir(next.parent().unwrap_or(Path::new(".")))?;
        }
        Ok(())
    }

    /// Rewrites `zoo.cfg` so that it names the file; what has moved into that goes, everything else stays as it is. False
    /// if it does so already.
    fn name(&self, dynamic: &Path, members: &Ensemble) -> Result<bool, FileError> {
        let text = fs::read_to_string(&self.zoo_cfg).map_err(FileError::new("can't read", &self.zoo_cfg))?;
        let has_client = members.member(self.id).is_some_and(|member| member.client.is_some());
        let moved = |key: &str| {
            let key = key.rsplit_once("zookeeper.").map_or(key, |(_, bare)| bare);
            matches!(key, "dynamicConfigFile" | "peerType")
                || ["server.", "group.", "weight."].iter().any(|prefix| key.starts_with(prefix))
                || (has_client && matches!(key, "clientPort" | "clientPortAddress"))
        };
        let mut kept = String::new();
        let mut held_members = false;
        for lines in logical_lines(&text) {
            let entry = properties::parse(&self.zoo_cfg, lines.as_bytes()).ok().and_then(|mut entries| entries.pop());
            match entry {
                Some(entry) if moved(&entry.key) => held_members |= entry.key.starts_with("server."),
                _ => kept.push_str(&lines),
            }
        }
        if held_members {
            files::write_whole(&beside(&self.zoo_cfg, ".bak"), text.as_bytes())?;
        }
        let dynamic = std::path::absolute(dynamic).map_err(FileError::new("can't find", dynamic))?;
        let path = dynamic.display().to_string().replace('\\', "\\\\");
        kept.push_str(&format!("dynamicConfigFile={path}\n"));
        let changed = kept != text;
        if changed {
            files::write_whole(&self.zoo_cfg, kept.as_bytes())?;
        }
        Ok(changed)
    }
}

/// The lines of a properties file, each with those that continue it.
fn logical_lines(text: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut continues = false;
    for line in text.lines() {
        let comment = !continues && line.trim_start().starts_with(['#', '!']);
        match all.last_mut().filter(|_| continues) {
            Some(last) => last.push_str(&format!("{line}\n")),
            None => all.push(format!("{line}\n")),
        }
        continues = !comment && line.bytes().rev().take_while(|b| *b == b'\\').count() % 2 == 1;
    }
    all
}

/// The id's own line, and those of all.
pub fn lines(members: &Membership) -> BTreeMap<ServerId, ServerLine> {
    // The newest configuration that knows a member counts for where it is.
    let all = members.committed.members().chain(members.proposed.iter().flat_map(|e| e.members()));
    all.filter_map(|(id, member)| Some((id, members::ServerLine::of(member)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ensemble(version: i64) -> Ensemble {
        let text = "server.1=h1:1:2:participant;0.0.0.0:2181\nserver.2=h2:1:2:participant;0.0.0.0:2181\n";
        Ensemble::parse(text).expect("valid").with_version(version)
    }

    #[test]
    fn files_are_apaches_and_nothing_else_is_touched() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("zoo.cfg");
        let before = "# mine\ntickTime=2000\nserver.1=h1:1:2\nserver.2=h2:\\\n  1:2\nclientPort=2181\npeerType=observer\ndataDir=/d\n";
        fs::write(&path, before).expect("written");
        let files = MembershipFiles::new(&path, ServerId(1));
        let first = ensemble(0x1_0000_0000);
        files.write(&Membership { committed: ensemble(0), proposed: Some(first.clone()) }).expect("written");
        let read = |name: &str| fs::read_to_string(dir.path().join(name));
        assert_eq!(read("zoo.cfg.dynamic.next").expect("there"), with_sum(&first.text()));
        assert_eq!(read("zoo.cfg").expect("there"), before, "nothing is in force yet");
        files.write(&Membership { committed: first.clone(), proposed: None }).expect("written");
        assert_eq!(read("zoo.cfg.dynamic.100000000").expect("there"), with_sum(&first.lines()));
        let named = format!("dynamicConfigFile={}\n", dir.path().join("zoo.cfg.dynamic.100000000").display());
        assert_eq!(read("zoo.cfg").expect("there"), format!("# mine\ntickTime=2000\ndataDir=/d\n{named}"));
        assert_eq!(read("zoo.cfg.bak").expect("there"), before);
        assert!(read("zoo.cfg.dynamic.next").is_err());
        // Again, after a crash between the two files: the file stands there, nothing names it.
        fs::write(&path, before).expect("written");
        files.write(&Membership { committed: first.clone(), proposed: None }).expect("written");
        assert_eq!(read("zoo.cfg").expect("there"), format!("# mine\ntickTime=2000\ndataDir=/d\n{named}"));
        // The next one: only the line changes, the copy stays.
        files.write(&Membership { committed: ensemble(0x1_0000_0007), proposed: None }).expect("written");
        let text = read("zoo.cfg").expect("there");
        assert!(
            text.ends_with("zoo.cfg.dynamic.100000007\n") && text.matches("dynamicConfigFile").count() == 1,
            "{text}"
        );
        assert_eq!(read("zoo.cfg.bak").expect("there"), before);
    }

    /// Cut anywhere, or with any byte changed, it is refused or says what it said.
    #[test]
    fn a_damaged_file_never_makes_other_members() {
        let dir = tempfile::tempdir().expect("a folder");
        let zoo_cfg = dir.path().join("zoo.cfg");
        let text = "group.1=1\ngroup.2=2\nweight.1=1\nweight.2=1\n";
        let text = format!("{}{text}", ensemble(0).lines());
        let right = Ensemble::parse(&text).expect("valid").with_version(0x1_0000_0007);
        let next = right.clone().with_version(0x1_0000_0009);
        fs::write(&zoo_cfg, "tickTime=2000\n").expect("written");
        let files = MembershipFiles::new(&zoo_cfg, ServerId(1));
        files.write(&Membership { committed: right.clone(), proposed: Some(next.clone()) }).expect("written");
        let entries = properties::parse(&zoo_cfg, &fs::read(&zoo_cfg).expect("read")).expect("valid");
        let told = || dynamic_file(&zoo_cfg, &mut Keys::new(&zoo_cfg, &entries));
        let mut refused = 0;
        for name in ["zoo.cfg.dynamic.100000007", "zoo.cfg.dynamic.next"] {
            let path = dir.path().join(name);
            let good = fs::read(&path).expect("read");
            let cuts = (0..good.len()).map(|length| good[..length].to_vec());
            let flips = (0..8 * good.len()).map(|bit| {
                let mut bad = good.clone();
                bad[bit / 8] ^= 1 << (bit % 8);
                bad
            });
            for bad in cuts.chain(flips) {
                fs::write(&path, &bad).expect("written");
                match told() {
                    Ok(Some(told)) => assert_eq!((told.ensemble, told.proposed), (right.clone(), Some(next.clone()))),
                    Ok(None) => panic!("zoo.cfg names it"),
                    Err(error) => {
                        refused += 1;
                        assert!(error.to_string().contains(name), "{error}");
                    }
                }
            }
            fs::write(&path, &good).expect("written");
        }
        assert!(refused > 1000, "only {refused}");
        // Without the line, as Apache's server writes it, and changed by hand.
        fs::write(dir.path().join("zoo.cfg.dynamic.100000007"), right.lines()).expect("written");
        assert_eq!(told().expect("valid").expect("named").ensemble, right);
    }
}

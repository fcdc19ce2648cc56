//! The names of log and snapshot files: `log.<zxid>` after its first transaction, `snapshot.<zxid>` after the last
//! one it covers, in hexadecimal.

use crate::id::Zxid;
use alloc::format;
use alloc::string::String;

/// How a snapshot file is packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    /// Not at all.
    None,
    /// `.gz`: a gzip stream.
    Gzip,
    /// `.snappy`: the framed stream of snappy-java.
    Snappy,
}

impl Compression {
    /// What a file's name ends with.
    pub const fn suffix(self) -> &'static str {
        match self {
            Compression::None => "",
            Compression::Gzip => ".gz",
            Compression::Snappy => ".snappy",
        }
    }
}

/// A file of `version-2`, by its name. `Ord` puts logs before snapshots, each by zxid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DataFile {
    /// A transaction log and its first transaction.
    Log(Zxid),
    /// A snapshot and the last transaction it covers.
    Snapshot(Zxid, Compression),
}

/// The name of the log that begins with `zxid`.
pub fn log(zxid: Zxid) -> String {
    format!("log.{:x}", zxid.0)
}

/// The name of the snapshot of everything up to `zxid`, packed like that.
pub fn snapshot(zxid: Zxid, compression: Compression) -> String {
    format!("snapshot.{:x}{}", zxid.0, compression.suffix())
}

/// What the file `name` is; `None` for a file of another kind. Leading zeros and capitals, which nobody writes, are
/// accepted as Apache accepts them: a log that is overlooked would be history lost.
pub fn parse(name: &str) -> Option<DataFile> {
    if let Some(hex) = name.strip_prefix("log.") {
        return parse_zxid(hex).map(DataFile::Log);
    }
    let (zxid, compression) = zxid_and_compression(name.strip_prefix("snapshot.")?)?;
    Some(DataFile::Snapshot(zxid, compression))
}

/// What stands behind the first part of a snapshot's name: `1d.gz`, say.
pub fn zxid_and_compression(rest: &str) -> Option<(Zxid, Compression)> {
    let packed = [Compression::Gzip, Compression::Snappy];
    let found = packed.into_iter().find_map(|kind| Some((rest.strip_suffix(kind.suffix())?, kind)));
    let (hex, compression) = found.unwrap_or((rest, Compression::None));
    parse_zxid(hex).map(|zxid| (zxid, compression))
}

fn parse_zxid(hex: &str) -> Option<Zxid> {
    let digits_only = hex.bytes().all(|b| b.is_ascii_hexdigit());
    if digits_only { i64::from_str_radix(hex, 16).ok().map(Zxid) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_zxids() {
        assert_eq!(log(Zxid(0x1_0000_001d)), "log.10000001d");
        assert_eq!(snapshot(Zxid(0), Compression::None), "snapshot.0");
        assert_eq!(snapshot(Zxid(0x1d), Compression::Gzip), "snapshot.1d.gz");
        assert_eq!(snapshot(Zxid(0x1d), Compression::Snappy), "snapshot.1d.snappy");
        for (name, want) in [
            ("log.10000001d", Some(DataFile::Log(Zxid(0x1_0000_001d)))),
            ("log.001D", Some(DataFile::Log(Zxid(0x1d)))),
            ("snapshot.0", Some(DataFile::Snapshot(Zxid(0), Compression::None))),
            ("snapshot.1d.gz", Some(DataFile::Snapshot(Zxid(0x1d), Compression::Gzip))),
            ("snapshot.1d.snappy", Some(DataFile::Snapshot(Zxid(0x1d), Compression::Snappy))),
            ("snapshot.1d.tmp", None),
            ("log.", None),
            ("log.+1", None),
            ("log.-1", None),
            ("log.1 ", None),
            ("log.11111111111111111", None),
            ("currentEpoch", None),
        ] {
            assert_eq!(parse(name), want, "{name}");
        }
        assert!(DataFile::Log(Zxid(9)) < DataFile::Log(Zxid(10)));
    }
}

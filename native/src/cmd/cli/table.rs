//! The commands of the shell: one table gives their flags, their arguments and their help.

use super::words::Word;
use std::fmt;

/// A command's name in the program; the table has what people type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    AddAuth,
    AddWatch,
    Close,
    Config,
    Connect,
    Create,
    Delete,
    DeleteAll,
    DelQuota,
    Get,
    GetAcl,
    GetAllChildrenNumber,
    GetEphemerals,
    Help,
    History,
    ListQuota,
    Ls,
    PrintWatches,
    Quit,
    Reconfig,
    Redo,
    RemoveWatches,
    Set,
    SetAcl,
    SetQuota,
    Stat,
    Sync,
    Version,
    WhoAmI,
}

/// A flag of a command.
#[derive(Debug)]
pub struct Flag {
    /// With its dash.
    pub text: &'static str,
    /// What stands behind it, if anything.
    pub value: Option<&'static str>,
    /// What it does.
    pub help: &'static str,
}

/// A command as people type it.
#[derive(Debug)]
pub struct Command {
    /// Which one.
    pub name: Name,
    /// All its spellings; the first is the usual one.
    pub texts: &'static [&'static str],
    /// Its flags, which may stand anywhere behind the name.
    pub flags: &'static [Flag],
    /// What its arguments are called; those in brackets may be left out.
    pub args: &'static [&'static str],
    /// What it does, and what it prints.
    pub help: &'static str,
}

const fn flag(text: &'static str, help: &'static str) -> Flag {
    Flag { text, value: None, help }
}

const fn value(text: &'static str, value: &'static str, help: &'static str) -> Flag {
    Flag { text, value: Some(value), help }
}

const STAT: Flag = flag("-s", "print the znode's stat too");
const WATCH: Flag = flag("-w", "watch: the next change is printed when it happens");

/// All commands, in alphabetical order.
pub const COMMANDS: &[Command] = &[
    Command {
        name: Name::AddAuth,
        texts: &["addauth"],
        flags: &[],
        args: &["scheme", "[auth]"],
        help: "authenticate, on this and every later connection: addauth digest user:password",
    },
    Command {
        name: Name::AddWatch,
        texts: &["addWatch", "addwatch"],
        flags: &[value("-m", "mode", "PERSISTENT or PERSISTENT_RECURSIVE, which is the default")],
        args: &["path"],
        help: "watch until removed: every change is printed",
    },
    Command { name: Name::Close, texts: &["close"], flags: &[], args: &[], help: "close the session" },
    Command {
        name: Name::Config,
        texts: &["config"],
        flags: &[flag("-c", "print the version and the clients' connection string only"), WATCH, STAT],
        args: &[],
        help: "print the ensemble's configuration",
    },
    Command {
        name: Name::Connect,
        texts: &["connect"],
        flags: &[],
        args: &["[host:port,…/chroot]"],
        help: "close the session and open another, at these servers or the same",
    },
    Command {
        name: Name::Create,
        texts: &["create"],
        flags: &[
            flag("-s", "sequential: a number is put behind the name"),
            flag("-e", "ephemeral: it goes with the session"),
            flag("-c", "container: it goes when its last child has gone"),
            value("-t", "ms", "it goes when it has had no child and no change for this long"),
        ],
        args: &["path", "[data]", "[acl]"],
        help: "create a znode; prints \"Created\" and its path. An acl is scheme:id:perms,… with perms of cdrwa",
    },
    Command {
        name: Name::Delete,
        texts: &["delete"],
        flags: &[value("-v", "version", "only if it has this version")],
        args: &["path"],
        help: "delete a znode without children; prints nothing",
    },
    Command {
        name: Name::DeleteAll,
        texts: &["deleteall"],
        flags: &[value("-b", "size", "so many deletions in one transaction, 1000 by default; 0: one by one")],
        args: &["path"],
        help: "delete a znode and everything below it; prints nothing",
    },
    Command {
        name: Name::DelQuota,
        texts: &["delquota"],
        flags: &[
            flag("-n", "the soft limit of znodes"),
            flag("-b", "the soft limit of bytes"),
            flag("-N", "the hard limit of znodes"),
            flag("-B", "the hard limit of bytes"),
        ],
        args: &["path"],
        help: "take away a quota's limits, or without flags the whole quota",
    },
    Command {
        name: Name::Get,
        texts: &["get"],
        flags: &[STAT, WATCH, flag("-b", "print the data as base64")],
        args: &["path"],
        help: "print a znode's data on a line; null if it has none",
    },
    Command {
        name: Name::GetAcl,
        texts: &["getAcl"],
        flags: &[STAT],
        args: &["path"],
        help: "print a znode's access list, an entry on two lines: 'scheme,'id and : perms",
    },
    Command {
        name: Name::GetAllChildrenNumber,
        texts: &["getAllChildrenNumber"],
        flags: &[],
        args: &["path"],
        help: "print how many znodes there are below a znode",
    },
    Command {
        name: Name::GetEphemerals,
        texts: &["getEphemerals"],
        flags: &[],
        args: &["[path]"],
        help: "print this session's ephemerals whose paths begin so: [/a, /b]",
    },
    Command {
        name: Name::Help,
        texts: &["help"],
        flags: &[],
        args: &["[command]"],
        help: "print all commands, or the flags of one",
    },
    Command { name: Name::History, texts: &["history"], flags: &[], args: &[], help: "print the last commands" },
    Command {
        name: Name::ListQuota,
        texts: &["listquota"],
        flags: &[],
        args: &["path"],
        help: "print a quota's limits and what is used of them",
    },
    Command {
        name: Name::Ls,
        texts: &["ls"],
        flags: &[STAT, WATCH, flag("-R", "print everything below, a path a line")],
        args: &["path"],
        help: "print the names of a znode's children in order: [a, b]",
    },
    Command {
        name: Name::PrintWatches,
        texts: &["printwatches"],
        flags: &[],
        args: &["[on|off]"],
        help: "whether events are printed",
    },
    Command { name: Name::Quit, texts: &["quit", "exit"], flags: &[], args: &[], help: "close the session and leave" },
    Command {
        name: Name::Reconfig,
        texts: &["reconfig"],
        flags: &[
            STAT,
            value("-v", "version", "only if the configuration has this version, in hexadecimal"),
            value("-file", "path", "the new members, as server.N lines of a file"),
            value("-members", "list", "the new members: server.1=host:port:port;port,…"),
            value("-add", "list", "servers that join, in the same form"),
            value("-remove", "ids", "servers that leave: 1,2"),
        ],
        args: &[],
        help: "change the members of the ensemble; prints the new configuration",
    },
    Command {
        name: Name::Redo,
        texts: &["redo"],
        flags: &[],
        args: &["number"],
        help: "do a command of the history again",
    },
    Command {
        name: Name::RemoveWatches,
        texts: &["removewatches"],
        flags: &[
            flag("-c", "watches of children"),
            flag("-d", "watches of data"),
            flag("-p", "persistent ones"),
            flag("-r", "persistent recursive ones"),
            flag("-a", "all of them, which is the default"),
            flag("-l", "forget them here even if no server can be asked"),
        ],
        args: &["path"],
        help: "remove this session's watches of a znode; prints nothing",
    },
    Command {
        name: Name::Set,
        texts: &["set"],
        flags: &[STAT, value("-v", "version", "only if it has this version")],
        args: &["path", "data"],
        help: "set a znode's data; prints nothing",
    },
    Command {
        name: Name::SetAcl,
        texts: &["setAcl"],
        flags: &[
            STAT,
            value("-v", "version", "only if the access list has this version"),
            flag("-R", "of everything below too"),
        ],
        args: &["path", "acl"],
        help: "set a znode's access list; prints nothing. An acl is scheme:id:perms,… with perms of cdrwa",
    },
    Command {
        name: Name::SetQuota,
        texts: &["setquota"],
        flags: &[
            value("-n", "val", "znodes, itself included, by way of a warning"),
            value("-b", "val", "bytes of data by way of a warning"),
            value("-N", "val", "znodes, refused beyond if the servers enforce quotas"),
            value("-B", "val", "bytes of data, refused beyond if the servers enforce quotas"),
        ],
        args: &["path"],
        help: "set limits for a znode and everything below it; prints nothing unless they are exceeded already",
    },
    Command {
        name: Name::Stat,
        texts: &["stat"],
        flags: &[WATCH],
        args: &["path"],
        help: "print a znode's stat, a field a line",
    },
    Command {
        name: Name::Sync,
        texts: &["sync"],
        flags: &[],
        args: &["path"],
        help: "wait until the server has everything that the leader has; prints \"Sync is OK\"",
    },
    Command { name: Name::Version, texts: &["version"], flags: &[], args: &[], help: "print this program's version" },
    Command {
        name: Name::WhoAmI,
        texts: &["whoami"],
        flags: &[],
        args: &[],
        help: "print what this session has authenticated as",
    },
];

/// A command with its flags and arguments, all of them known and none missing.
#[derive(Debug)]
pub struct Parsed {
    /// Which one.
    pub command: &'static Command,
    flags: Vec<(&'static str, String)>,
    args: Vec<String>,
}

/// What is wrong with a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UsageError {
    /// No command of this name.
    Unknown(String),
    /// The command does not know this flag.
    UnknownFlag(&'static str, String),
    /// Nothing stands behind a flag that needs a value.
    NoValue(&'static str, &'static str, &'static str),
    /// An argument is missing.
    Missing(&'static str, &'static str),
    /// More arguments than the command takes.
    TooMuch(&'static str, String),
    /// A flag's value, or an argument, is none.
    Value(String),
}

impl fmt::Display for UsageError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            UsageError::Unknown(text) => write!(f, "Command not found {text}; \"help\" lists all"),
            UsageError::UnknownFlag(command, flag) => {
                write!(f, "{command} has no flag {flag}; usage: {}", usage(command))
            }
            UsageError::NoValue(command, flag, value) => {
                write!(f, "{flag} needs a {value} behind it; usage: {}", usage(command))
            }
            UsageError::Missing(command, what) => write!(f, "{command} needs a {what}; usage: {}", usage(command)),
            UsageError::TooMuch(command, word) => {
                write!(f, "{command} does not know what to do with \"{word}\"; usage: {}", usage(command))
            }
            UsageError::Value(what) => f.write_str(what),
        }
    }
}
impl std::error::Error for UsageError {}

/// The command of this name.
pub fn find(text: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.texts.contains(&text))
}

fn usage(text: &str) -> String {
    find(text).map(Command::usage).unwrap_or_default()
}

impl Command {
    /// Its usual spelling.
    pub fn text(&self) -> &'static str {
        self.texts.first().copied().unwrap_or_default()
    }

    /// Its flags and arguments in a line.
    pub fn usage(&self) -> String {
        let mut usage = String::from(self.text());
        for flag in self.flags {
            match flag.value {
                Some(value) => usage.push_str(&format!(" [{} {value}]", flag.text)),
                None => usage.push_str(&format!(" [{}]", flag.text)),
            }
        }
        for arg in self.args {
            usage.push(' ');
            usage.push_str(arg);
        }
        usage
    }

    /// Everything about it.
    pub fn help(&self) -> String {
        let mut help = format!("{}\n    {}", self.usage(), self.help);
        for flag in self.flags {
            let left = format!("{} {}", flag.text, flag.value.unwrap_or_default());
            help.push_str(&format!("\n    {left:<16}{}", flag.help));
        }
        if self.texts.len() > 1 {
            help.push_str(&format!("\n    also: {}", self.texts[1..].join(", ")));
        }
        help
    }
}

/// All commands in a line each.
pub fn overview() -> String {
    let line = |command: &Command| format!("    {}\n        {}", command.usage(), command.help);
    COMMANDS.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Reads a command's words; `None` for no words at all. Flags may stand anywhere; behind `--` there are none, nor is a
/// quoted word one, nor a negative number. Flags without values may be put together: `-se`.
///
/// # Errors
/// What is wrong, in words for the person who typed it.
pub fn parse(words: &[Word]) -> Result<Option<Parsed>, UsageError> {
    let Some((first, rest)) = words.split_first() else { return Ok(None) };
    let command = find(&first.text).ok_or_else(|| UsageError::Unknown(first.text.clone()))?;
    let name = command.text();
    let (mut flags, mut args) = (Vec::new(), Vec::new());
    let mut flags_end = false;
    let mut rest = rest.iter();
    while let Some(word) = rest.next() {
        let dashed = word.text.strip_prefix('-').and_then(|t| t.chars().next());
        let is_flag = !flags_end && !word.quoted && dashed.is_some_and(|c| !c.is_ascii_digit());
        if !is_flag {
            if args.len() == command.args.len() {
                return Err(UsageError::TooMuch(name, word.text.clone()));
            }
            args.push(word.text.clone());
        } else if word.text == "--" {
            flags_end = true;
        } else if let Some(flag) = command.flags.iter().find(|flag| flag.text == word.text) {
            let value = match flag.value {
                None => String::new(),
                Some(value) => rest.next().ok_or(UsageError::NoValue(name, flag.text, value))?.text.clone(),
            };
            flags.push((flag.text, value));
        } else {
            for letter in word.text.chars().skip(1) {
                let one = |flag: &&Flag| {
                    flag.value.is_none() && flag.text.strip_prefix('-') == Some(letter.encode_utf8(&mut [0; 4]))
                };
                let flag = command.flags.iter().find(one);
                let flag = flag.ok_or_else(|| UsageError::UnknownFlag(name, word.text.clone()))?;
                flags.push((flag.text, String::new()));
            }
        }
    }
    match command.args.get(args.len()) {
        Some(missing) if !missing.starts_with('[') => Err(UsageError::Missing(name, missing)),
        _ => Ok(Some(Parsed { command, flags, args })),
    }
}

impl Parsed {
    /// Whether a flag was given.
    pub fn has(&self, flag: &str) -> bool {
        self.value(flag).is_some()
    }

    /// A flag's value, the last one if it was given more than once.
    pub fn value(&self, flag: &str) -> Option<&str> {
        self.flags.iter().rev().find(|(text, _)| *text == flag).map(|(_, value)| value.as_str())
    }

    /// A flag's value as a number.
    ///
    /// # Errors
    /// It is none.
    pub fn number<T: std::str::FromStr>(&self, flag: &str) -> Result<Option<T>, UsageError> {
        let Some(text) = self.value(flag) else { return Ok(None) };
        let wrong = || UsageError::Value(format!("{flag} needs a whole number, and \"{text}\" is none that fits"));
        text.parse().map(Some).map_err(|_| wrong())
    }

    /// An argument; that a needed one is there is sure.
    pub fn arg(&self, at: usize) -> Option<&str> {
        self.args.get(at).map(String::as_str)
    }

    /// The first argument, empty if there is none.
    pub fn first(&self) -> &str {
        self.arg(0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::split;
    use super::*;

    fn read(line: &str) -> Result<Option<Parsed>, UsageError> {
        parse(&split(line).unwrap())
    }

    #[test]
    fn the_table_is_in_order_and_says_everything() {
        let names: Vec<_> = COMMANDS.iter().map(|c| c.text().to_lowercase()).collect();
        assert!(names.is_sorted(), "{names:?}");
        for command in COMMANDS {
            assert!(!command.help.is_empty() && command.flags.iter().all(|f| f.text.starts_with('-')));
            let needed = command.args.iter().map(|arg| !arg.starts_with('[')).collect::<Vec<_>>();
            assert!(needed.is_sorted_by(|a, b| a >= b), "{}: what may be left out comes last", command.text());
            assert!(overview().contains(&command.usage()) && command.help().contains(command.help));
        }
    }

    #[test]
    fn flags_and_arguments_in_any_order() {
        for (line, command, flags, args) in [
            ("ls /", Name::Ls, vec![], vec!["/"]),
            ("ls -s -w /", Name::Ls, vec![("-s", ""), ("-w", "")], vec!["/"]),
            ("ls /a -R", Name::Ls, vec![("-R", "")], vec!["/a"]),
            ("ls -sw /", Name::Ls, vec![("-s", ""), ("-w", "")], vec!["/"]),
            ("set /a 1 -v 3", Name::Set, vec![("-v", "3")], vec!["/a", "1"]),
            ("set -v -1 /a -5", Name::Set, vec![("-v", "-1")], vec!["/a", "-5"]),
            ("set /a \"-s\"", Name::Set, vec![], vec!["/a", "-s"]),
            ("set /a -- -s", Name::Set, vec![], vec!["/a", "-s"]),
            ("set /a -", Name::Set, vec![], vec!["/a", "-"]),
            ("create -s -e -t 100 /a", Name::Create, vec![("-s", ""), ("-e", ""), ("-t", "100")], vec!["/a"]),
            ("create /a d world:anyone:r", Name::Create, vec![], vec!["/a", "d", "world:anyone:r"]),
            ("addwatch -m PERSISTENT /a", Name::AddWatch, vec![("-m", "PERSISTENT")], vec!["/a"]),
            ("exit", Name::Quit, vec![], vec![]),
            ("reconfig -add a,b -remove 1", Name::Reconfig, vec![("-add", "a,b"), ("-remove", "1")], vec![]),
            ("getEphemerals", Name::GetEphemerals, vec![], vec![]),
        ] {
            let parsed = read(line).unwrap_or_else(|e| panic!("{line}: {e}")).expect(line);
            assert_eq!(parsed.command.name, command, "{line}");
            let seen: Vec<_> = parsed.flags.iter().map(|(flag, value)| (*flag, value.as_str())).collect();
            assert_eq!((seen, parsed.args), (flags, args.into_iter().map(String::from).collect()), "{line}");
        }
        assert!(read("").unwrap().is_none());
    }

    #[test]
    fn wrong_commands_say_what_is_wrong() {
        for (line, want) in [
            ("frobnicate", "Command not found frobnicate"),
            ("LS /", "Command not found LS"),
            ("ls", "ls needs a path; usage: ls [-s] [-w] [-R] path"),
            ("ls -x /", "ls has no flag -x"),
            ("ls -sx /", "ls has no flag -sx"),
            ("ls / /b", "does not know what to do with \"/b\""),
            ("set /a", "set needs a data"),
            ("set /a 1 -v", "-v needs a version behind it"),
            ("create -st /a", "create has no flag -st"),
            ("close now", "does not know what to do with \"now\""),
        ] {
            let error = read(line).expect_err(line).to_string();
            assert!(error.contains(want), "{line}: {error}");
        }
        let parsed = read("set /a 1 -v three").unwrap().unwrap();
        assert_eq!(
            parsed.number::<i32>("-v").unwrap_err().to_string(),
            "-v needs a whole number, and \"three\" is none that fits"
        );
        assert_eq!(parsed.number::<i32>("-s"), Ok(None));
    }
}

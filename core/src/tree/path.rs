//! Paths: what is a valid one, and its parts.
//!
//! A path is kept as the text a client sent, `/` for the root. Rules from `PathUtils` of Apache's server.

use crate::error::ZkError;

/// The root.
pub const ROOT: &str = "/";
/// The server's own subtree; nodes below it are not part of the digest.
pub const ZOOKEEPER: &str = "/zookeeper";
/// Where quotas live.
pub const QUOTA: &str = "/zookeeper/quota";
/// The ensemble's configuration as a znode.
pub const CONFIG: &str = "/zookeeper/config";

/// Whether `path` is one of the built-in nodes, which no client may delete.
pub fn is_special(path: &str) -> bool {
    matches!(path, ROOT | ZOOKEEPER | QUOTA | CONFIG)
}

/// Whether a character may stand in a path: no control characters, no private use, no specials, and none that Java
/// writes as two surrogates (client-protocol §10.1): a Java client could not name such a znode.
const fn is_allowed(c: char) -> bool {
    !matches!(c, '\u{0}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{e000}'..='\u{f8ff}' | '\u{fff0}'..)
}

/// Checks a whole path: absolute, no trailing slash (but for the root), no empty, `.` or `..` component, allowed
/// characters only.
///
/// # Errors
/// [`ZkError::BadArguments`] when a rule is broken.
pub fn validate(path: &str) -> Result<(), ZkError> {
    if path == ROOT {
        return Ok(());
    }
    let rest = path.strip_prefix('/').ok_or(ZkError::BadArguments)?;
    let good = |part: &str| !matches!(part, "" | "." | "..") && part.chars().all(is_allowed);
    if rest.split('/').all(good) { Ok(()) } else { Err(ZkError::BadArguments) }
}

/// The parent and the last component: `/a/b` is `("/a", "b")`, `/a` is `("/", "a")`, `/` is `("/", "")`.
/// `None` when there is no slash at all. Does not validate.
pub fn split(path: &str) -> Option<(&str, &str)> {
    let (parent, name) = path.rsplit_once('/')?;
    Some((if parent.is_empty() { ROOT } else { parent }, name))
}

/// The path, its parent, and so on, up to the root where it has one.
pub fn with_ancestors(path: &str) -> impl Iterator<Item = &str> {
    core::iter::successors(Some(path), |path| if *path == ROOT { None } else { split(path).map(|(parent, _)| parent) })
}

/// The path under which a node is stored: Apache reads the root under the empty path as well.
pub fn key(path: &str) -> &str {
    if path.is_empty() { ROOT } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn validation() {
        let good = ["/", "/a", "/a/b", "/uni\u{e9}", "/...", "/a.b", "/\u{f900}", "/\u{ffef}", "/a b"];
        let bad = [
            "",
            "a",
            "a/b",
            "/a/",
            "//",
            "/a//b",
            "/.",
            "/..",
            "/a/./b",
            "/a/..",
            "/a\u{0}",
            "/\u{1}",
            "/\u{1f}",
            "/\u{7f}",
            "/\u{9f}",
            "/\u{e000}",
            "/\u{f8ff}",
            "/\u{fff0}",
            "/\u{fffd}",
            "/\u{ffff}",
            "/\u{10000}",
            "/\u{1f600}",
            "/\u{10ffff}",
        ];
        for path in good {
            assert_eq!(validate(path), Ok(()), "{path:?}");
        }
        for path in bad {
            assert_eq!(validate(path), Err(ZkError::BadArguments), "{path:?}");
        }
    }

    #[test]
    fn parts() {
        for (path, expected) in [
            ("/a/b", Some(("/a", "b"))),
            ("/a", Some(("/", "a"))),
            ("/", Some(("/", ""))),
            ("/a/", Some(("/a", ""))),
            ("/a//b", Some(("/a/", "b"))),
            ("a", None),
            ("", None),
        ] {
            assert_eq!(split(path), expected, "{path:?}");
        }
        for (path, expected) in [
            ("/a/b", &["/a/b", "/a", "/"][..]),
            ("/", &["/"]),
            ("/a/", &["/a/", "/a", "/"]),
            ("//", &["//", "/"]),
            ("a/b", &["a/b", "a"]),
            ("", &[""]),
        ] {
            assert!(with_ancestors(path).eq(expected.iter().copied()), "{path:?}");
        }
        assert_eq!((key(""), key("/a")), ("/", "/a"));
        assert!(is_special("/zookeeper/config") && !is_special("/zookeeper/quota/a"));
    }
}

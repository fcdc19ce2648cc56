//! JSON as Apache's AdminServer writes it (Jackson's pretty printer): a blank on both sides of a colon, arrays in one
//! line, fields in the order in which they were put in.

use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use serde_json::ser::Formatter;
use std::io::{self, Write};

/// The text.
pub fn text(value: &impl Serialize) -> String {
    let mut out = Vec::new();
    let mut serializer = serde_json::Serializer::with_formatter(&mut out, Jackson::default());
    // What is serialised here has text for keys, and a vector takes everything.
    match value.serialize(&mut serializer) {
        Ok(()) => String::from_utf8_lossy(&out).into_owned(),
        Err(e) => format!("{{\n  \"error\" : {:?}\n}}", e.to_string()),
    }
}

/// An object with these fields in this order.
#[derive(Clone, Debug, PartialEq)]
pub struct Pairs<K, V>(pub Vec<(K, V)>);

impl<K: AsRef<str>, V: Serialize> Serialize for Pairs<K, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key.as_ref(), value)?;
        }
        map.end()
    }
}

#[derive(Default)]
struct Jackson {
    /// Objects around this place; arrays do not count.
    depth: usize,
    /// The object just ended or being ended has fields.
    filled: bool,
}

impl Jackson {
    fn new_line<W: ?Sized + Write>(&self, writer: &mut W) -> io::Result<()> {
        write!(writer, "\n{:width$}", "", width = 2 * self.depth)
    }
}

impl Formatter for Jackson {
    fn begin_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b"[")
    }

    fn end_array<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" ]")
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        writer.write_all(if first { b" " } else { b", " })
    }

    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth += 1;
        self.filled = false;
        writer.write_all(b"{")
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.depth -= 1;
        if self.filled {
            self.new_line(writer)?;
            writer.write_all(b"}")
        } else {
            writer.write_all(b" }")
        }
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        if !first {
            writer.write_all(b",")?;
        }
        self.new_line(writer)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        writer.write_all(b" : ")
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, _: &mut W) -> io::Result<()> {
        self.filled = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_apache_writes_it() {
        #[derive(Serialize)]
        struct Inner {
            zxid: i64,
            empty: Pairs<String, i32>,
        }
        #[derive(Serialize)]
        struct Outer {
            version: &'static str,
            inner: Inner,
            latency: f64,
            list: Vec<Inner>,
            numbers: Vec<i32>,
            none: Vec<i32>,
            error: Option<&'static str>,
        }
        let inner = |zxid| Inner { zxid, empty: Pairs(Vec::new()) };
        let value = Outer {
            version: "3.8 \"x\"",
            inner: inner(4),
            latency: 0.0,
            list: vec![inner(1), inner(2)],
            numbers: vec![1, 2],
            none: Vec::new(),
            error: None,
        };
        let expected = r#"{
  "version" : "3.8 \"x\"",
  "inner" : {
    "zxid" : 4,
    "empty" : { }
  },
  "latency" : 0.0,
  "list" : [ {
    "zxid" : 1,
    "empty" : { }
  }, {
    "zxid" : 2,
    "empty" : { }
  } ],
  "numbers" : [ 1, 2 ],
  "none" : [ ],
  "error" : null
}"#;
        assert_eq!(text(&value), expected);
        assert_eq!(text(&Pairs(vec![("b", 1), ("a", 2)])), "{\n  \"b\" : 1,\n  \"a\" : 2\n}");
    }
}

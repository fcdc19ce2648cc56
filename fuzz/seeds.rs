//! Makes the corpora that fuzzing begins with, under `fuzz/corpus`, from the vectors of Apache's servers.
//!
//! ```text
//! cargo run --manifest-path fuzz/Cargo.toml --example seeds
//! ```

use serde_json::Value;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Where the corpora go, with the number of seeds so far.
struct Corpora {
    home: PathBuf,
    count: usize,
}

impl Corpora {
    fn add(&mut self, target: &str, bytes: &[u8]) -> Result<()> {
        let folder = self.home.join(target);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(format!("seed-{:05}", self.count)), bytes)?;
        self.count += 1;
        Ok(())
    }
}

fn hex(value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().ok_or("hexadecimal text is missing")?;
    let digits = text.as_bytes().chunks(2).map(|pair| Ok(u8::from_str_radix(str::from_utf8(pair)?, 16)?));
    digits.collect()
}

fn json(path: &Path) -> Result<Value> {
    Ok(serde_json::from_slice(&fs::read(path)?)?)
}

/// The payloads of whole frames.
fn payloads(mut bytes: &[u8]) -> Vec<&[u8]> {
    let mut found = Vec::new();
    while let Some((length, rest)) = bytes.split_first_chunk::<4>() {
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0).min(rest.len());
        found.push(&rest[..length]);
        bytes = &rest[length..];
    }
    found
}

fn main() -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = root.join("../core/tests/vectors");
    let mut corpora = Corpora { home: root.join("corpus"), count: 0 };
    client(&mut corpora, &json(&vectors.join("client.json"))?)?;
    for file in fs::read_dir(vectors.join("quorum"))? {
        quorum(&mut corpora, &json(&file?.path())?)?;
    }
    for file in fs::read_dir(vectors.join("txnlog"))? {
        log(&mut corpora, &fs::read(file?.path())?)?;
    }
    for file in fs::read_dir(vectors.join("snapshot"))? {
        let path = file?.path();
        if path.extension().is_some_and(|kind| kind == "gz" || kind == "snappy") {
            continue;
        }
        let file = fs::read(path)?;
        corpora.add("snapshot", &file)?;
        // The body alone: behind the file's header of 16 bytes.
        corpora.add("snapshot", file.get(16..).unwrap_or_default())?;
    }
    texts(&mut corpora)?;
    println!("{} seeds in {}", corpora.count, corpora.home.display());
    Ok(())
}

fn client(corpora: &mut Corpora, listed: &Value) -> Result<()> {
    let mut connect = Vec::new();
    for exchange in listed["exchanges"].as_array().ok_or("no exchanges")? {
        let (sent, received) = (hex(&exchange["sent_hex"])?, hex(&exchange["received_hex"])?);
        let name = exchange["name"].as_str().unwrap_or_default();
        let opcode = payloads(&sent).first().and_then(|frame| frame.get(4..8)).unwrap_or_default().to_vec();
        let greets = name.contains("connect_");
        if greets && connect.is_empty() && sent.len() > 40 {
            connect = sent.clone();
        }
        for frame in payloads(&sent) {
            corpora.add(if greets { "connect" } else { "request" }, frame)?;
        }
        for frame in payloads(&received) {
            if greets {
                corpora.add("connect", frame)?;
            } else {
                corpora.add("response", &[&opcode, frame].concat())?;
            }
        }
        // A connection needs its handshake first.
        corpora.add("link", &if greets { sent } else { [&connect[..], &sent].concat() })?;
    }
    Ok(())
}

fn quorum(corpora: &mut Corpora, capture: &Value) -> Result<()> {
    for event in capture["events"].as_array().ok_or("no events")? {
        let Ok(bytes) = hex(&event["hex"]) else { continue };
        if event["channel"] == "election" {
            corpora.add("election", &bytes)?;
            // Without the length, as a notification is decoded.
            corpora.add("election", bytes.get(4..).unwrap_or_default())?;
            continue;
        }
        for who in [0, 1] {
            corpora.add("quorum", &[&[who, 6], &bytes[..]].concat())?;
        }
        // A proposal's transaction stands behind type, zxid and length.
        if let Some(txn) = bytes.get(16..).filter(|_| event["type"] == "PROPOSAL" || event["type"] == "INFORM") {
            corpora.add("txn", txn)?;
        }
    }
    Ok(())
}

fn log(corpora: &mut Corpora, file: &[u8]) -> Result<()> {
    // Without most of the padding.
    let end = file.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 32);
    corpora.add("txn_log", &file[..end.min(file.len())])?;
    // Records: checksum, length, entry, end mark.
    let mut rest = file.get(16..).unwrap_or_default();
    while let Some(length) = rest.get(8..12).and_then(|length| length.first_chunk::<4>()) {
        let length = usize::try_from(i32::from_be_bytes(*length)).unwrap_or(0);
        match rest.get(12..12 + length) {
            Some(entry) if length > 0 => corpora.add("txn", entry)?,
            _ => break,
        }
        rest = rest.get(13 + length..).unwrap_or_default();
    }
    Ok(())
}

fn texts(corpora: &mut Corpora) -> Result<()> {
    for line in [
        "create -e -s /a \"some data\"",
        "set /a x -v 3",
        "get -w /a",
        "ls -w /",
        "stat -w /a",
        "delete /a -v -1",
        "sync /a",
        "close",
        "multi create /a 1 ; delete /b ; check /c -v 2",
    ] {
        corpora.add("line", line.as_bytes())?;
    }
    for text in [
        "tickTime=2000\ninitLimit: 10\nsyncLimit 5\ndataDir=/var/lib/zookeeper\nserver.1=a:2888:3888;2181\n",
        "# a comment\n! another\n  key\\ with\\=signs = a \\\n   continued line\nunicode=\\u00e9\\t\\\\\n",
        "\u{feff}key=value\r\nempty=\r\n:\n=\n\\",
    ] {
        corpora.add("properties", text.as_bytes())?;
    }
    for text in [
        "Server {\n  org.apache.zookeeper.server.auth.DigestLoginModule required\n  user_super=\"x\"\n  user_b='\\'';\n};\n",
        "// one\n/* two */ Client { a.b.C optional debug=true; x.Krb5LoginModule required keyTab=\"/k\"; }; Other { };",
    ] {
        corpora.add("jaas", text.as_bytes())?;
    }
    for text in [
        "zk1:2181,zk2,[::1]:2182/app/a",
        "count=5,bytes=100=;byteHardLimit=200;countHardLimit=10",
        "10.0.0.0/8",
        "::1/64",
        "user:hash=",
        "CN=me, OU=\"a, b\"+O=c\\,d,C=#0401ff",
        "me/host@REALM",
        "/zookeeper/config",
        "/a/../b",
    ] {
        corpora.add("texts", text.as_bytes())?;
    }
    for token in [
        "username=\"bob\",realm=\"zk-sasl-md5\",nonce=\"BwcHBwcHBwcHBwcHBwcHBw==\",nc=00000001,cnonce=\"c\",\
         digest-uri=\"zookeeper/zk-sasl-md5\",maxbuf=65536,response=00112233445566778899aabbccddeeff,qop=auth,charset=utf-8",
        "realm=\"zk-sasl-md5\",nonce=\"n\\\"o\",charset=utf-8,algorithm=md5-sess",
        "rspauth=00112233445566778899aabbccddeeff",
    ] {
        corpora.add("sasl", token.as_bytes())?;
    }
    Ok(())
}

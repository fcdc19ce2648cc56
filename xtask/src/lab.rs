//! `cargo xtask lab`: the browser's program and page, built into `dist/`.
//!
//! The wasm goes through wasm-bindgen's library, so that nothing has to be installed and its version is the one in
//! `Cargo.lock`. Program and styles carry a hash of their content in their names and may be cached for ever; every file
//! has a `.gz` and a `.br` beside it for servers that send files as they are.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs;
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::page::{Asset, Page, base_name};
use crate::run::Line;
use crate::{cargo, root, run, setup, target};

const TARGET: &str = "wasm32-unknown-unknown";
const PROFILE: &str = "web";
const LIMIT: Duration = Duration::from_secs(1800);

/// Kinds that are compressed already.
const PACKED: [&str; 5] = ["woff2", "png", "jpg", "webp", "gz"];

/// Files by the name they have in `dist/`.
type Files = BTreeMap<String, Vec<u8>>;

/// A built lab.
pub struct Lab {
    dir: PathBuf,
    sizes: Vec<Size>,
}

/// Bytes of one file as it is and as it is sent.
pub struct Size {
    pub name: String,
    pub plain: usize,
    pub gzip: usize,
    pub brotli: usize,
}

impl Lab {
    /// Bytes a browser loads when the server compresses with gzip and the page asks for every file. The licences that
    /// lie beside the fonts are there for people.
    pub fn gzip_bytes(&self) -> usize {
        self.sizes.iter().filter(|size| !size.name.ends_with(".txt")).map(|size| size.gzip).sum()
    }
}

impl fmt::Display for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<44} {:>9} {:>9} {:>9}", "bytes", "plain", "gzip", "brotli")?;
        for size in &self.sizes {
            writeln!(f, "{:<44} {:>9} {:>9} {:>9}", size.name, size.plain, size.gzip, size.brotli)?;
        }
        let total = |part: fn(&Size) -> usize| self.sizes.iter().map(part).sum::<usize>();
        let (plain, gzip, brotli) = (total(|s| s.plain), total(|s| s.gzip), total(|s| s.brotli));
        writeln!(f, "{:<44} {plain:>9} {gzip:>9} {brotli:>9}", "together")?;
        write!(f, "The lab is in {}: any web host can serve that folder.", self.dir.display())
    }
}

/// Builds the lab.
///
/// # Errors
/// A tool is missing or fails, or a file cannot be read or written: the message says which and what to do.
pub fn build() -> Result<Lab> {
    let line = Line::start("lab");
    let lab = build_quietly(&line)?;
    line.end(&format!("{} bytes with gzip", lab.gzip_bytes()));
    Ok(lab)
}

/// As [`build`], under a line of progress that the caller owns.
///
/// # Errors
/// As [`build`].
pub fn build_quietly(line: &Line) -> Result<Lab> {
    setup::rust_target(TARGET, line)?;
    let mut compile = cargo();
    compile.args(["build", "--package", "zebu-web", "--profile", PROFILE, "--target", TARGET]);
    run::must(&mut compile, line, LIMIT)?;

    line.show("joining program and page");
    let files = collect(&target().join(TARGET).join(PROFILE).join("zebu-web.wasm"))?;
    line.show("compressing");
    let dir = root().join("dist");
    let (files, sizes) = compress(files, &dir)?;
    publish(&dir, &files)?;
    Ok(Lab { dir, sizes })
}

/// Everything the page needs, by the name it has in `dist/`.
fn collect(wasm: &Path) -> Result<Files> {
    let mut files = BTreeMap::new();
    let loader = program(wasm, &mut files)?;
    let source = root().join("static");
    let text = crate::read_text(&source.join("index.html"))?;
    let page = Page::parse(&text)?;
    let mut styles = BTreeMap::new();
    for asset in page.assets() {
        match asset {
            Asset::Program => {}
            Asset::Style(href) => {
                let text = lean_style(&crate::read_text(&source.join(href))?);
                let bytes = without_indentation(&text).into_bytes();
                let name = hashed(base_name(href), &bytes);
                styles.insert(href.clone(), name.clone());
                files.insert(name, bytes);
            }
            Asset::Icon(href) | Asset::File(href) => {
                files.insert(base_name(href).to_owned(), read(&source.join(href))?);
            }
            Asset::Folder(href) => {
                let folder = source.join(href);
                for name in walk(&folder)? {
                    files.insert(format!("{}/{name}", base_name(href)), read(&folder.join(&name))?);
                }
            }
        }
    }
    files.insert("index.html".to_owned(), page.render(&styles, &loader).into_bytes());
    Ok(files)
}

/// Runs wasm-bindgen; returns the tags that load its result.
fn program(wasm: &Path, files: &mut Files) -> Result<String> {
    let out = target().join("lab");
    let mut bindgen = Bindgen::new();
    bindgen.input_path(wasm).out_name("app").typescript(false).remove_name_section(true).remove_producers_section(true);
    bindgen
        .web(true)
        .and_then(|bindgen| bindgen.generate(&out))
        .context("wasm-bindgen cannot read the compiled lab")?;

    let code = read(&out.join("app_bg.wasm"))?;
    // The generated glue has no string that goes over lines.
    let script = without_indentation(&crate::read_text(&out.join("app.js"))?).into_bytes();
    let (code_name, script_name) = (hashed("app_bg.wasm", &code), hashed("app.js", &script));
    files.insert(code_name.clone(), code);
    files.insert(script_name.clone(), script);
    Ok(format!(
        "<link rel=\"modulepreload\" href=\"./{script_name}\">\n    \
         <link rel=\"preload\" href=\"./{code_name}\" as=\"fetch\" type=\"application/wasm\" crossorigin>\n    \
         <script type=\"module\">import init from './{script_name}'; \
         init({{ module_or_path: './{code_name}' }});</script>"
    ))
}

/// A stylesheet without its comments, and without blanks beside braces and semicolons and behind colons, which nobody who
/// loads it reads. It has no strings with any of these.
fn lean_style(css: &str) -> String {
    let mut left = css;
    let mut kept = String::with_capacity(css.len());
    while let Some((before, comment)) = left.split_once("/*") {
        kept.push_str(before);
        left = comment.split_once("*/").map_or("", |(_, behind)| behind);
    }
    kept.push_str(left);
    let mut lean = String::with_capacity(kept.len());
    for part in kept.split_inclusive(['{', '}', ';']) {
        lean.push_str(part.trim_start());
        if part.ends_with(['{', '}']) {
            let brace = lean.pop();
            lean.truncate(lean.trim_end().len());
            lean.extend(brace);
        }
    }
    lean.replace(": ", ":")
}

/// The lines without what they begin with of blanks, and without empty ones.
fn without_indentation(text: &str) -> String {
    text.lines().map(str::trim_start).filter(|line| !line.is_empty()).fold(String::new(), |all, line| all + line + "\n")
}

/// `app.js` becomes `app.<16 hex digits of its content>.js`.
fn hashed(name: &str, bytes: &[u8]) -> String {
    let hash: String = Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    match name.rsplit_once('.') {
        Some((stem, extension)) => format!("{stem}.{hash}.{extension}"),
        None => format!("{name}.{hash}"),
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// The paths of all files under a folder, relative to it, with `/` between the parts.
fn walk(dir: &Path) -> Result<Vec<String>> {
    let unreadable = || format!("cannot read the folder {}", dir.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(dir).with_context(unreadable)? {
        let path = entry.with_context(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            names.extend(walk(&path)?.into_iter().map(|inner| format!("{name}/{inner}")));
        } else {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Adds the compressed siblings. Those of a file that `dist/` has already are taken from there.
fn compress(plain: Files, dist: &Path) -> Result<(Files, Vec<Size>)> {
    let mut files = BTreeMap::new();
    let mut sizes = Vec::new();
    for (name, bytes) in plain {
        let mut size = Size { name: name.clone(), plain: bytes.len(), gzip: bytes.len(), brotli: bytes.len() };
        if !PACKED.iter().any(|kind| name.rsplit('.').next() == Some(kind)) {
            let known = fs::read(dist.join(&name)).is_ok_and(|known| known == bytes);
            let sibling = |kind| if known { fs::read(dist.join(format!("{name}.{kind}"))).ok() } else { None };
            let gzip = sibling("gz").map_or_else(|| gzip(&bytes), Ok)?;
            let brotli = sibling("br").map_or_else(|| brotli(&bytes), Ok)?;
            (size.gzip, size.brotli) = (gzip.len(), brotli.len());
            files.insert(format!("{name}.gz"), gzip);
            files.insert(format!("{name}.br"), brotli);
        }
        files.insert(name, bytes);
        sizes.push(size);
    }
    Ok((files, sizes))
}

/// Zopfli finds a twentieth less than the usual gzip does at its best; more iterations than one find next to nothing.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>> {
    let options = zopfli::Options { iteration_count: NonZeroU64::MIN, ..Default::default() };
    let mut out = Vec::new();
    zopfli::compress(options, zopfli::Format::Gzip, bytes, &mut out).context("gzip")?;
    Ok(out)
}

fn brotli(bytes: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let parameters = brotli::enc::BrotliEncoderParams { quality: 11, lgwin: 22, ..Default::default() };
    brotli::BrotliCompress(&mut std::io::Cursor::new(bytes), &mut out, &parameters).context("brotli")?;
    Ok(out)
}

/// Makes `dist/` hold exactly these files. What has not changed is left alone, so that the server that embeds the folder
/// is not compiled again for nothing; the page is written last, when all it names is there.
fn publish(dir: &Path, files: &Files) -> Result<()> {
    let mut old: BTreeSet<String> = if dir.is_dir() { walk(dir)?.into_iter().collect() } else { BTreeSet::new() };
    let (page, others): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| name.starts_with("index.html"));
    for (name, bytes) in others.into_iter().chain(page) {
        let path = dir.join(name);
        old.remove(name);
        if fs::read(&path).is_ok_and(|there| there == *bytes) {
            continue;
        }
        let parent = path.parent().unwrap_or(dir);
        fs::create_dir_all(parent).with_context(|| format!("cannot make the folder {}", parent.display()))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
    }
    for name in old {
        fs::remove_file(dir.join(&name)).with_context(|| format!("cannot remove the old dist/{name}"))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_reads_is_left_out() {
        for (css, kept) in [
            ("a { b: c; }", "a{b:c;}"),
            ("/* one */a/* two\n three */ { }", "a{}"),
            ("a { } /* without an end", "a{}"),
            ("a b { c: d e;\n  f: g }\nh {}", "a b{c:d e;f:g}h{}"),
        ] {
            assert_eq!(lean_style(css), kept);
        }
        assert_eq!(without_indentation("a {\n    b;\n\n  c \n}"), "a {\nb;\nc \n}\n");
    }

    #[test]
    fn a_name_carries_the_hash_of_its_content() {
        // SHA-256 of nothing starts with e3b0c44298fc1c14.
        assert_eq!(hashed("app.js", b""), "app.e3b0c44298fc1c14.js");
        assert_ne!(hashed("app.js", b"a"), hashed("app.js", b"b"));
    }

    #[test]
    fn dist_holds_exactly_what_was_built() {
        let dir = target().join(format!("test-publish-{}", std::process::id()));
        let files = |names: &[&str]| names.iter().map(|name| (name.to_string(), name.as_bytes().to_vec())).collect();
        publish(&dir, &files(&["index.html", "a.js", "texts/en.json"])).unwrap();
        publish(&dir, &files(&["index.html", "b.js"])).unwrap();
        let names = walk(&dir).unwrap();
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(names, ["b.js", "index.html"]);
    }

    #[test]
    fn packed_kinds_have_no_siblings_and_others_shrink() {
        let text = vec![b'a'; 10_000];
        let plain = BTreeMap::from([("a.txt".to_owned(), text.clone()), ("a.woff2".to_owned(), text)]);
        let (files, sizes) = compress(plain, Path::new("nowhere")).unwrap();
        assert_eq!(files.keys().map(String::as_str).collect::<Vec<_>>(), ["a.txt", "a.txt.br", "a.txt.gz", "a.woff2"]);
        assert!(sizes[0].gzip < 100 && sizes[0].brotli < 100 && sizes[1].gzip == 10_000);
    }
}

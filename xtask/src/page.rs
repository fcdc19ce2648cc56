//! Reads `static/index.html`, the one page source of both builders.
//!
//! What trunk reads from `data-trunk` links, this reads too: which files belong to the page. In the built page those
//! links are replaced by what the browser needs.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

/// What a `data-trunk` link asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asset {
    /// The program: its loader goes here.
    Program,
    /// A style sheet, linked under a name with its content hash.
    Style(String),
    /// An icon, linked under its own name.
    Icon(String),
    /// A file beside the page.
    File(String),
    /// A folder beside the page.
    Folder(String),
}

/// The links of a page, each with its place in the text.
#[derive(Debug)]
pub struct Page<'a> {
    text: &'a str,
    links: Vec<(usize, usize, Asset)>,
}

impl<'a> Page<'a> {
    /// # Errors
    /// A `data-trunk` link of a kind that is not known here, or that names no file; or no program, or more than one.
    pub fn parse(text: &'a str) -> Result<Self> {
        let mut links = Vec::new();
        let mut from = 0;
        while let Some(start) = text.get(from..).and_then(|rest| rest.find("<link")).map(|at| from + at) {
            let Some(length) = text.get(start..).and_then(|rest| rest.find('>')) else {
                bail!("static/index.html: a <link that never ends");
            };
            from = start + length + 1;
            let tag = text.get(start + "<link".len()..from - 1).unwrap_or_default();
            if let Some(asset) = asset(tag)? {
                links.push((start, from, asset));
            }
        }
        let programs = links.iter().filter(|(_, _, asset)| *asset == Asset::Program).count();
        if programs != 1 {
            bail!("static/index.html has {programs} links with data-trunk rel=\"rust\" and needs one");
        }
        Ok(Self { text, links })
    }

    pub fn assets(&self) -> impl Iterator<Item = &Asset> {
        self.links.iter().map(|(_, _, asset)| asset)
    }

    /// The page for the browser: `style_names` gives the built name of each style sheet, `loader` is put where the
    /// program was linked.
    pub fn render(&self, style_names: &BTreeMap<String, String>, loader: &str) -> String {
        let mut out = String::with_capacity(self.text.len() + loader.len());
        let mut from = 0;
        for (start, end, asset) in &self.links {
            out.push_str(&self.text[from..*start]);
            from = *end;
            match asset {
                Asset::Program => out.push_str(loader),
                Asset::Style(href) => {
                    let name = style_names.get(href).unwrap_or(href);
                    out.push_str(&format!("<link rel=\"stylesheet\" href=\"./{name}\">"));
                }
                Asset::Icon(href) => out.push_str(&format!("<link rel=\"icon\" href=\"./{}\">", base_name(href))),
                Asset::File(_) | Asset::Folder(_) => {
                    let gone = rest_of_lonely_line(self.text, *start, *end);
                    if gone > 0 {
                        out.truncate(out.trim_end_matches([' ', '\t']).len());
                    }
                    from += gone;
                }
            }
        }
        out.push_str(&self.text[from..]);
        out
    }
}

/// The name under which a linked file or folder lies beside the page.
pub fn base_name(href: &str) -> &str {
    href.trim_end_matches('/').rsplit('/').next().unwrap_or(href)
}

/// How much after a link that leaves nothing behind goes with it: the line's end, when the link is alone on its line.
fn rest_of_lonely_line(text: &str, start: usize, end: usize) -> usize {
    let alone = text[..start].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
    let rest = text[end..].split_inclusive('\n').next().unwrap_or_default();
    if alone && rest.trim().is_empty() { rest.len() } else { 0 }
}

fn asset(tag: &str) -> Result<Option<Asset>> {
    let attributes = attributes(tag);
    if !attributes.contains_key("data-trunk") {
        return Ok(None);
    }
    let href = match attributes.get("href") {
        Some(href) if !href.is_empty() => href.clone(),
        _ => bail!("static/index.html: a data-trunk link without href"),
    };
    let rel = attributes.get("rel").map(String::as_str).unwrap_or_default();
    Ok(Some(match rel {
        "rust" => Asset::Program,
        "css" => Asset::Style(href),
        "icon" => Asset::Icon(href),
        "copy-file" => Asset::File(href),
        "copy-dir" => Asset::Folder(href),
        _ => bail!("static/index.html: data-trunk rel={rel:?} is not known to `cargo xtask lab`"),
    }))
}

/// The attributes of a tag: `name`, `name=value` or `name="value"`.
fn attributes(tag: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut rest = tag.trim_start();
    while !rest.is_empty() {
        let name_end = rest.find(|c: char| c == '=' || c.is_whitespace()).unwrap_or(rest.len());
        let (name, after) = rest.split_at(name_end);
        let after_equals = after.trim_start().strip_prefix('=').map(str::trim_start);
        let (value, next) = match after_equals {
            None => ("", after),
            Some(after) => match after.chars().next().filter(|quote| matches!(quote, '"' | '\'')) {
                Some(quote) => after[1..].split_once(quote).unwrap_or((&after[1..], "")),
                None => after.split_once(char::is_whitespace).unwrap_or((after, "")),
            },
        };
        if !name.is_empty() && name != "/" {
            found.insert(name.to_ascii_lowercase(), value.to_owned());
        }
        rest = next.trim_start();
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "<head>\n  <link rel=\"icon\" href=\"data:,\">\n  \
        <link data-trunk rel=\"css\" href=\"style.css\">\n  <link data-trunk rel='copy-dir' href=\"texts/\" />\n  \
        <link data-trunk rel=\"rust\" href=\"../web/Cargo.toml\">\n</head>\n";

    #[test]
    fn trunks_links_become_what_the_browser_needs() {
        let page = Page::parse(PAGE).unwrap();
        let assets: Vec<_> = page.assets().cloned().collect();
        assert_eq!(assets, [Asset::Style("style.css".into()), Asset::Folder("texts/".into()), Asset::Program]);
        let names = BTreeMap::from([("style.css".to_owned(), "style.0.css".to_owned())]);
        let built = page.render(&names, "<script></script>");
        assert_eq!(
            built,
            "<head>\n  <link rel=\"icon\" href=\"data:,\">\n  <link rel=\"stylesheet\" href=\"./style.0.css\">\n  \
             <script></script>\n</head>\n"
        );
    }

    #[test]
    fn a_page_without_a_program_or_with_an_unknown_link_is_refused() {
        let cases = [
            ("<head></head>", "has 0 links"),
            ("<link data-trunk rel=rust href=a><link data-trunk rel=rust href=b>", "has 2 links"),
            ("<link data-trunk rel=\"sass\" href=\"a.scss\">", "sass"),
            ("<link data-trunk rel=\"css\">", "without href"),
            ("<link data-trunk rel=\"css\"", "never ends"),
        ];
        for (text, reason) in cases {
            let error = Page::parse(text).err().map(|error| error.to_string());
            assert!(error.as_ref().is_some_and(|error| error.contains(reason)), "{text}: {error:?}");
        }
    }

    #[test]
    fn attributes_with_and_without_quotes_are_read() {
        let found = attributes(" data-trunk rel=rust href = \"a b\" title='c>d' /");
        let expected = [("data-trunk", ""), ("href", "a b"), ("rel", "rust"), ("title", "c>d")];
        assert_eq!(found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect::<Vec<_>>(), expected);
    }
}

//! Texts in English and Chinese. The page never contains a sentence of its own: everything comes from
//! `static/texts/{en,zh}.json`, so that the language can change at any moment.

use std::rc::Rc;
use zebu_core::collections::BTreeMap;
use zebu_core::id::ServerId;

/// The languages of the lab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    /// English.
    En,
    /// Chinese, simplified characters.
    Zh,
}

impl Lang {
    /// From a language tag such as `zh-CN`; English for all that is not Chinese.
    pub fn from_tag(tag: &str) -> Lang {
        if tag.to_ascii_lowercase().starts_with("zh") { Lang::Zh } else { Lang::En }
    }

    /// The tag for the page's `lang`.
    pub fn tag(self) -> &'static str {
        match self {
            Lang::En => "en",
            Lang::Zh => "zh-CN",
        }
    }

    /// The other language.
    pub fn other(self) -> Lang {
        match self {
            Lang::En => Lang::Zh,
            Lang::Zh => Lang::En,
        }
    }

    /// Its texts, in the order of [`KEYS`].
    fn source(self) -> &'static str {
        match self {
            Lang::En => include_str!(concat!(env!("OUT_DIR"), "/en.txt")),
            Lang::Zh => include_str!(concat!(env!("OUT_DIR"), "/zh.txt")),
        }
    }
}

/// The keys of all texts, each a line.
static KEYS: &str = include_str!(concat!(env!("OUT_DIR"), "/keys.txt"));

/// All texts of one language.
#[derive(Debug)]
pub struct Texts {
    /// Which language.
    pub lang: Lang,
    table: BTreeMap<&'static str, &'static str>,
}

impl PartialEq for Texts {
    /// A language's texts never change, so the language says it all.
    fn eq(&self, other: &Texts) -> bool {
        self.lang == other.lang
    }
}

impl Texts {
    /// The texts of `lang`.
    pub fn load(lang: Lang) -> Rc<Texts> {
        Rc::new(Texts { lang, table: KEYS.split('\n').zip(lang.source().split('\n')).collect() })
    }

    /// Whether there is a text `key`.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// The text `key`; the key itself where there is none, so that a gap is seen and nothing breaks.
    pub fn t(&self, key: &str) -> String {
        self.table.get(key).map_or(key, |text| text).to_string()
    }

    /// The text `key` with `{name}` replaced by values.
    pub fn fill(&self, key: &str, values: &[(&str, &dyn std::fmt::Display)]) -> String {
        let mut text = self.t(key);
        for (name, value) in values {
            text = text.replace(&format!("{{{name}}}"), &value.to_string());
        }
        text
    }

    /// `servers 1, 2 and 3`.
    pub fn servers(&self, list: &[ServerId]) -> String {
        let key = if list.len() == 1 { "list.server" } else { "list.servers" };
        self.fill(key, &[("list", &self.ids(list))])
    }

    /// `1, 2 and 3`.
    pub fn ids(&self, list: &[ServerId]) -> String {
        let ids: Vec<String> = list.iter().map(ServerId::to_string).collect();
        match ids.split_last() {
            None => "–".to_string(),
            Some((only, [])) => only.clone(),
            Some((last, before)) => {
                format!("{}{}{last}", before.join(&self.t("list.comma")), self.t("list.and"))
            }
        }
    }

    /// A length of time for people: `240 ms`, `2.1 s`.
    pub fn duration(&self, micros: u64) -> String {
        if micros < 1_000_000 {
            let ms = micros as f64 / 1000.0;
            let n = if ms < 10.0 { format!("{ms:.1}") } else { format!("{ms:.0}") };
            self.fill("time.ms", &[("n", &n)])
        } else {
            self.fill("time.s", &[("n", &format!("{:.1}", micros as f64 / 1e6))])
        }
    }
}

/// The first letter as a capital, for a sentence that begins with a list.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        // Texts that have capitals are English.
        Some(first) => std::iter::once(first.to_ascii_uppercase()).chain(chars).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::collections::BTreeSet;

    fn holes(text: &str) -> BTreeSet<&str> {
        text.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect()
    }

    #[test]
    fn both_languages_have_the_same_keys_and_holes() {
        let (en, zh) = (Texts::load(Lang::En), Texts::load(Lang::Zh));
        let keys = |t: &Texts| t.table.keys().copied().collect::<Vec<_>>();
        assert_eq!(keys(&en), keys(&zh));
        for (key, text) in &en.table {
            assert!(!text.trim().is_empty(), "{key} is empty");
            assert_eq!(holes(text), holes(zh.table[key]), "{key}");
        }
    }

    #[test]
    fn every_key_in_the_sources_exists() {
        let en = Texts::load(Lang::En);
        let mut seen = 0;
        let mut stack = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src"))];
        while let Some(path) = stack.pop() {
            if path.is_dir() {
                stack.extend(std::fs::read_dir(&path).unwrap().map(|e| e.unwrap().path()));
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap_or("");
            for call in [".t(\"", ".fill(\"", "key(\""] {
                for part in source.split(call).skip(1) {
                    let key = part.split('"').next().unwrap();
                    assert!(en.has(key), "{} uses {key}", path.display());
                    seen += 1;
                }
            }
        }
        assert!(seen > 100, "the search found only {seen} keys");
    }

    #[test]
    fn lists_and_durations() {
        let (en, zh) = (Texts::load(Lang::En), Texts::load(Lang::Zh));
        let ids = |n: i64| (1..=n).map(ServerId).collect::<Vec<_>>();
        assert_eq!(en.servers(&ids(3)), "servers 1, 2 and 3");
        assert_eq!(en.servers(&ids(1)), "server 1");
        assert_eq!(zh.ids(&ids(2)), "1、2");
        assert_eq!(en.duration(2_140_000), "2.1 s");
        assert_eq!(en.duration(8_300), "8.3 ms");
        assert_eq!(zh.duration(240_000), "240 毫秒");
        assert_eq!(en.t("no.such.key"), "no.such.key");
    }

    #[test]
    fn the_language_follows_the_tag() {
        for (tag, lang) in
            [("zh-CN", Lang::Zh), ("ZH", Lang::Zh), ("en-GB", Lang::En), ("de", Lang::En), ("", Lang::En)]
        {
            assert_eq!(Lang::from_tag(tag), lang, "{tag}");
        }
    }
}

//! The field's terms inside of a text, so that each can be explained where it stands.

use crate::i18n::{Lang, Texts};

/// A term: its key, and how it is written in English and in Chinese.
struct Term {
    key: &'static str,
    en: &'static [&'static str],
    zh: &'static [&'static str],
}

const fn term(key: &'static str, en: &'static [&'static str], zh: &'static [&'static str]) -> Term {
    Term { key, en, zh }
}

/// All terms; `gl.<key>` is the explanation.
const TERMS: &[Term] = &[
    term("ensemble", &["ensemble"], &["集群"]),
    term("leader", &["leader", "leads", "leading"], &["领导者", "领导"]),
    term("follower", &["follower", "followers", "follows", "follow"], &["跟随者", "跟随"]),
    term("observer", &["observer", "observers"], &["观察者"]),
    term("looking", &["looking", "looks for a leader"], &["寻找 Leader", "寻找领导者"]),
    term("election", &["election", "elects", "elect", "elected"], &["选举", "当选"]),
    term("vote", &["vote", "votes", "voting"], &["选票", "投票"]),
    term("round", &["round"], &["轮次", "轮"]),
    term("epoch", &["epoch", "epochs"], &["纪元"]),
    term("zxid", &["zxid", "zxids"], &["zxid", "事务编号"]),
    term("znode", &["znode", "znodes"], &["数据节点", "znode", "节点"]),
    term("ephemeral", &["ephemeral", "ephemerals"], &["临时节点", "临时"]),
    term("sequential", &["sequential"], &["顺序节点"]),
    term("partition", &["partition", "cut"], &["网络分区", "断开"]),
    term("heartbeat", &["heartbeat", "heartbeats", "ping", "pings"], &["心跳"]),
    term("quorum", &["quorum", "majority", "more than half"], &["法定多数", "过半数", "过半", "多数派", "多数"]),
    term("minority", &["minority"], &["少数派"]),
    term("proposal", &["proposal", "proposals", "proposes", "proposed"], &["提案", "提出"]),
    term("ack", &["acknowledgement", "acknowledgements", "ACK", "acknowledge", "acknowledges"], &["确认", "ACK"]),
    term("commit", &["commit", "commits", "committed"], &["提交"]),
    term("broadcast", &["broadcast"], &["广播"]),
    term("discovery", &["discovery"], &["发现阶段", "发现"]),
    term("synchronisation", &["synchronisation"], &["同步阶段", "同步"]),
    term("log", &["log", "logs", "logged"], &["事务日志", "日志"]),
    term("snapshot", &["snapshot", "snapshots"], &["数据快照", "快照"]),
    term("session", &["session", "sessions"], &["会话"]),
    term("expiry", &["expired", "expires", "expiry"], &["过期"]),
    term("watch", &["watch", "watches", "watching"], &["监听"]),
    term("split-brain", &["split brain"], &["脑裂"]),
    term("invariant", &["invariant", "rule", "rules"], &["不变量", "规则"]),
    term("transaction", &["transaction", "transactions"], &["事务"]),
    term("diff", &["DIFF"], &["DIFF"]),
    term("trunc", &["TRUNC"], &["TRUNC"]),
    term("snap", &["SNAP"], &["SNAP"]),
    term("newleader", &["NEWLEADER"], &["NEWLEADER"]),
    term("sync", &["sync"], &["sync"]),
    term("inform", &["INFORM"], &["INFORM"]),
];

/// A piece of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// What is written.
    pub text: String,
    /// The term it is, as the last part of its key.
    pub term: Option<&'static str>,
}

/// A text in pieces: each term stands alone at its first occurrence.
pub fn parts(lang: Lang, text: &str) -> Vec<Part> {
    let mut parts: Vec<Part> = Vec::new();
    let mut plain = String::new();
    let mut seen: Vec<&str> = Vec::new();
    let mut rest = text;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let found = if lang == Lang::En && before.is_ascii_alphanumeric() { None } else { longest(lang, rest) };
        match found.filter(|(key, _)| !seen.contains(key)) {
            Some((key, len)) => {
                if !plain.is_empty() {
                    parts.push(Part { text: std::mem::take(&mut plain), term: None });
                }
                let (word, after) = rest.split_at(len);
                parts.push(Part { text: word.to_string(), term: Some(key) });
                seen.push(key);
                before = word.chars().next_back().unwrap_or(' ');
                rest = after;
            }
            None => {
                plain.push(first);
                before = first;
                rest = rest.get(first.len_utf8()..).unwrap_or("");
            }
        }
    }
    if !plain.is_empty() {
        parts.push(Part { text: plain, term: None });
    }
    parts
}

/// The longest term at the beginning of a text, and its length.
fn longest(lang: Lang, text: &str) -> Option<(&'static str, usize)> {
    let fits = |form: &str| {
        let head = text.get(..form.len()).is_some_and(|head| head.eq_ignore_ascii_case(form));
        let after = text.get(form.len()..).and_then(|rest| rest.chars().next());
        head && (lang == Lang::Zh || after.is_none_or(|c| !c.is_ascii_alphanumeric()))
    };
    TERMS
        .iter()
        .flat_map(|t| {
            let forms = if lang == Lang::En { t.en } else { t.zh };
            forms.iter().filter(|form| fits(form)).map(move |form| (t.key, form.len()))
        })
        .max_by_key(|(_, len)| *len)
}

/// A term's explanation.
pub fn explanation(t: &Texts, term: &str) -> String {
    t.t(&format!("gl.{term}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(lang: Lang, text: &str) -> Vec<&'static str> {
        parts(lang, text).into_iter().filter_map(|p| p.term).collect()
    }

    #[test]
    fn terms_are_found_once_as_whole_words_and_nothing_is_lost() {
        let text = "Server 3 leads epoch 1: the leader waits for a quorum. Catalogue, logs.";
        assert_eq!(terms(Lang::En, text), ["leader", "epoch", "quorum", "log"]);
        assert_eq!(parts(Lang::En, text).iter().map(|p| p.text.as_str()).collect::<String>(), text);
        let text = "服务器 3 领导纪元 1，领导者等待过半数确认。";
        assert_eq!(terms(Lang::Zh, text), ["leader", "epoch", "quorum", "ack"]);
        assert_eq!(parts(Lang::Zh, text).iter().map(|p| p.text.as_str()).collect::<String>(), text);
    }

    #[test]
    fn the_longest_form_wins() {
        assert_eq!(parts(Lang::Zh, "事务日志")[0].text, "事务日志");
        assert_eq!(terms(Lang::En, "a split brain"), ["split-brain"]);
        assert!(terms(Lang::En, "").is_empty());
    }

    #[test]
    fn every_term_resolves_in_both_languages() {
        for lang in [Lang::En, Lang::Zh] {
            let t = Texts::load(lang);
            for term in TERMS {
                assert!(t.has(&format!("gl.{}", term.key)), "{} has no explanation", term.key);
                assert!(!term.en.is_empty() && !term.zh.is_empty());
            }
        }
    }
}

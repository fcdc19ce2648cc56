//! Recipes in the reader's words: what they tell, where they stand, what was done to their clients.

use crate::i18n::Texts;
use zebu_core::recipe::{Event, Kind, Loss, State};
use zebu_core::sim::command::{ClientId, Command};

/// A recipe's name.
pub fn kind(t: &Texts, kind: Kind) -> String {
    t.t(match kind {
        Kind::Config => "rc.config",
        Kind::Naming => "rc.naming",
        Kind::Member => "rc.member",
        Kind::Members => "rc.members",
        Kind::Election => "rc.election",
        Kind::Lock => "rc.lock",
        Kind::QueueLock => "rc.queue-lock",
        Kind::ReadLock => "rc.read-lock",
        Kind::WriteLock => "rc.write-lock",
        Kind::Producer => "rc.producer",
        Kind::Consumer => "rc.consumer",
        Kind::Barrier => "rc.barrier",
        Kind::DoubleBarrier => "rc.double-barrier",
        Kind::Collector => "rc.collector",
        Kind::Assigner => "rc.assigner",
    })
}

/// Where it stands.
pub fn state(t: &Texts, state: State) -> String {
    t.t(match state {
        State::Away => "rc.state.away",
        State::Trying => "rc.state.trying",
        State::Waiting => "rc.state.waiting",
        State::Holding => "rc.state.holding",
        State::Unsure => "rc.state.unsure",
        State::Watching => "rc.state.watching",
        State::Idle => "rc.state.idle",
        State::Leaving => "rc.state.leaving",
        State::Over => "rc.state.over",
        State::Failed => "rc.state.failed",
    })
}

/// The most characters of a name that end in a number; sequential ones differ at their end alone.
const NAME: usize = 18;

/// Of a long name that ends in a number, beginning and end.
pub fn short(name: &str) -> String {
    let count = name.chars().count();
    if count <= NAME || !name.ends_with(|c: char| c.is_ascii_digit()) {
        return name.into();
    }
    name.chars().take(5).chain(['…']).chain(name.chars().skip(count - 6)).collect()
}

fn list(t: &Texts, names: &[String]) -> String {
    if names.is_empty() { t.t("rc.nobody") } else { names.join(&t.t("list.comma")) }
}

/// What a recipe told its application, and what that means.
pub fn told(t: &Texts, c: ClientId, recipe: Kind, event: &Event) -> (String, String) {
    let name = kind(t, recipe);
    let says = |key: &str, why: &str| (t.fill(key, &[("c", &c), ("recipe", &name)]), t.t(why));
    match event {
        Event::Waiting { behind } => {
            let why = match recipe {
                Kind::Lock | Kind::Election => "rc.ev.waiting.herd",
                Kind::ReadLock => "rc.ev.waiting.reader",
                Kind::QueueLock | Kind::WriteLock => "rc.ev.waiting.queue",
                _ => "rc.ev.waiting.why",
            };
            (t.fill("rc.ev.waiting", &[("c", &c), ("recipe", &name), ("behind", &short(behind))]), t.t(why))
        }
        Event::Acquired { token, .. } => (
            t.fill("rc.ev.acquired", &[("c", &c), ("recipe", &name)]),
            t.fill("rc.ev.acquired.why", &[("token", token)]),
        ),
        Event::Released => says("rc.ev.released", "rc.ev.released.why"),
        Event::Lost(Loss::Expired) => says("rc.ev.lost", "rc.ev.lost.expired"),
        Event::Lost(Loss::Silence) => says("rc.ev.lost", "rc.ev.lost.silence"),
        Event::Lost(Loss::Deleted) => says("rc.ev.lost", "rc.ev.lost.deleted"),
        Event::Lost(Loss::Closed) => says("rc.ev.lost", "rc.ev.lost.closed"),
        Event::Suspended => says("rc.ev.suspended", "rc.ev.suspended.why"),
        Event::Resumed => says("rc.ev.resumed", "rc.ev.resumed.why"),
        Event::Value { data: Some(data), version } => (
            t.fill("rc.ev.value", &[("c", &c), ("value", &String::from_utf8_lossy(data))]),
            t.fill("rc.ev.value.why", &[("version", version)]),
        ),
        Event::Value { data: None, .. } => says("rc.ev.novalue", "rc.ev.novalue.why"),
        Event::Named { id } => (t.fill("rc.ev.named", &[("c", &c), ("id", id)]), t.t("rc.ev.named.why")),
        Event::Members { names } => {
            (t.fill("rc.ev.members", &[("c", &c), ("names", &list(t, names))]), t.t("rc.ev.members.why"))
        }
        Event::Put { item } => (t.fill("rc.ev.put", &[("c", &c), ("item", item)]), t.t("rc.ev.put.why")),
        Event::Item { item, data } => (
            t.fill("rc.ev.item", &[("c", &c), ("item", item), ("data", &String::from_utf8_lossy(data))]),
            t.t("rc.ev.item.why"),
        ),
        Event::Done { item } => (t.fill("rc.ev.done", &[("c", &c), ("item", item)]), t.t("rc.ev.done.why")),
        Event::Entered => says("rc.ev.entered", "rc.ev.entered.why"),
        Event::Left => says("rc.ev.left", "rc.ev.left.why"),
        Event::Assigned { sources } => {
            (t.fill("rc.ev.assigned", &[("c", &c), ("sources", &list(t, sources))]), t.t("rc.ev.assigned.why"))
        }
        Event::Given { collector, sources } => (
            t.fill("rc.ev.given", &[("c", &c), ("collector", collector), ("sources", &list(t, sources))]),
            t.t("rc.ev.given.why"),
        ),
        Event::Failed { error } => {
            (t.fill("rc.ev.failed", &[("c", &c), ("recipe", &name)]), t.t(&format!("zk.{error:?}")))
        }
    }
}

/// What a button of this kind did; nothing for other commands.
pub fn command(t: &Texts, command: &Command) -> Option<(String, String)> {
    Some(match command {
        Command::RunRecipe { client: c, line } => (t.fill("rc.run", &[("c", c), ("line", line)]), String::new()),
        Command::TellRecipe { client: c, line } => (t.fill("rc.tell", &[("c", c), ("line", line)]), String::new()),
        Command::CutClient { client: c } => (t.fill("rc.cut", &[("c", c)]), t.t("rc.cut.why")),
        Command::HealClient { client: c } => (t.fill("rc.heal", &[("c", c)]), String::new()),
        Command::PauseClient { client: c } => (t.fill("rc.pause", &[("c", c)]), t.t("rc.pause.why")),
        Command::ResumeClient { client: c } => (t.fill("rc.resume", &[("c", c)]), t.t("rc.resume.why")),
        _ => return None,
    })
}

/// The key of an error's text.
pub fn error_key(code: &str) -> Option<&'static str> {
    Some(match code {
        "client-frozen" => "rc.err.client-frozen",
        "client-not-frozen" => "rc.err.client-not-frozen",
        "client-cut" => "rc.err.client-cut",
        "client-not-cut" => "rc.err.client-not-cut",
        "recipe-runs" => "rc.err.runs",
        "no-recipe" => "rc.err.none",
        "recipe-unknown" => "rc.err.unknown",
        "recipe-path-missing" => "rc.err.path-missing",
        "recipe-not-a-path" => "rc.err.not-a-path",
        "recipe-hold-missing" => "rc.err.hold-missing",
        "recipe-count-missing" => "rc.err.count-missing",
        "recipe-too-much" => "rc.err.too-much",
        "recipe-not-a-name" => "rc.err.not-a-name",
        "recipe-unknown-order" => "rc.err.order",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use zebu_core::error::ZkError;
    use zebu_core::id::Zxid;

    #[test]
    fn everything_has_words() {
        for lang in [Lang::En, Lang::Zh] {
            let t = Texts::load(lang);
            let text = || String::from("x");
            let mut events = vec![
                Event::Waiting { behind: text() },
                Event::Acquired { node: text(), token: Zxid(1) },
                Event::Released,
                Event::Suspended,
                Event::Resumed,
                Event::Value { data: Some(text().into()), version: 1 },
                Event::Value { data: None, version: 1 },
                Event::Named { id: text() },
                Event::Members { names: Vec::new() },
                Event::Put { item: text() },
                Event::Item { item: text(), data: text().into() },
                Event::Done { item: text() },
                Event::Entered,
                Event::Left,
                Event::Assigned { sources: vec![text()] },
                Event::Given { collector: text(), sources: vec![text()] },
                Event::Failed { error: ZkError::NoAuth },
            ];
            events.extend([Loss::Expired, Loss::Silence, Loss::Deleted, Loss::Closed].map(Event::Lost));
            for event in events {
                for recipe in Kind::ALL {
                    let (what, why) = told(&t, ClientId(0), recipe, &event);
                    for words in [what, why] {
                        let known = !words.is_empty() && !words.contains("rc.") && !words.contains('{');
                        assert!(known, "{event:?}: {words}");
                    }
                }
            }
        }
    }
}

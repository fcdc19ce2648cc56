//! Runs as files, and runs that were searched for.

use crate::captions::rule_key;
use crate::i18n::{Lang, Texts};
use crate::record;
use crate::search::Search;
use crate::store::State;
use zebu_core::scenario::Text;

impl State {
    /// A search has ended: what it found is opened, at its first press.
    pub(super) fn open_found(&mut self, search: &Search) {
        let tried = search.tried().to_string();
        let Some(found) = search.best().cloned() else { return self.tell("see.search.none", vec![("n", tried)]) };
        let broken = found.spec.broken.map_or("setup.rule.none", rule_key);
        self.begin(found.spec, None);
        self.player.set_playing(false);
        let first = found.commands.first().map_or(0, |(at, _)| *at);
        for (at, command) in found.commands {
            while self.timeline.moment() < at && self.timeline.step().is_some() {}
            // It was accepted in the search, in the very same run.
            if let Err(e) = self.timeline.command(command) {
                return self.refuse(&e);
            }
        }
        while self.timeline.moment() < found.end && self.timeline.step().is_some() {}
        self.seek(first);
        let rule = self.texts.t(&format!("check.{}", found.rule.name()));
        let (n, how) = (found.events.to_string(), self.texts.t(broken));
        self.tell("see.search.found", vec![("n", n), ("rule", rule), ("tried", tried), ("how", how)]);
    }

    pub(super) fn record(&mut self) {
        if self.lesson.is_some() {
            return self.tell("see.record.free", Vec::new());
        }
        let now = self.timeline.moment();
        let Some(from) = self.desk.recording.take() else {
            self.desk.recording = Some(now);
            return;
        };
        let both = |key: &str| {
            let text = |lang| Texts::load(lang).t(key);
            Text { en: text(Lang::En), zh: text(Lang::Zh) }
        };
        let commands = self.timeline.commands();
        let (title, note) = (both("see.record.title"), both("see.record.note"));
        let scenario = record::scenario(&self.spec, commands, from, now, title, note);
        match serde_json::to_string_pretty(&scenario) {
            Ok(text) => self.file = Some(("my-run.json".into(), text)),
            Err(e) => self.tell("see.file.wrong", vec![("what", e.to_string())]),
        }
    }
}

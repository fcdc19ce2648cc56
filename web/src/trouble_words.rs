//! The finer faults in the reader's words.

use crate::i18n::Texts;
use crate::next::place;
use zebu_core::sim::trouble::{MessageAct, MessageRule, TimerAct, Trouble};

/// What a button of this kind did, and what it means.
pub fn words(t: &Texts, trouble: &Trouble) -> (String, String) {
    match trouble {
        Trouble::Unsteady { from, to, jitter_ms, loss_percent, copy_percent } => (
            t.fill(
                "tr.unsteady",
                &[("a", from), ("b", to), ("jitter", jitter_ms), ("loss", loss_percent), ("copies", copy_percent)],
            ),
            t.t("tr.unsteady.why"),
        ),
        Trouble::Message { act, .. } => (t.fill("tr.message", &[("act", &self::act(t, *act))]), act_why(t, *act)),
        Trouble::NextMessage(rule) => (self::rule(t, rule), t.t("tr.rule.why")),
        Trouble::ForgetRules => (t.t("tr.forget"), String::new()),
        Trouble::Timer { server, act: TimerAct::Fire } => {
            (t.fill("tr.timer.fire", &[("s", server)]), t.t("tr.timer.fire.why"))
        }
        Trouble::Timer { server, act: TimerAct::Stretch { millis } } => {
            (t.fill("tr.timer.stretch", &[("s", server), ("ms", millis)]), t.t("tr.timer.stretch.why"))
        }
        Trouble::Timer { server, act: TimerAct::Align { with } } => {
            (t.fill("tr.timer.align", &[("s", server), ("other", with)]), String::new())
        }
        Trouble::LoseTail { server } => (t.fill("tr.tail", &[("s", server)]), t.t("tr.tail.why")),
        Trouble::DiskFull { server, full: true } => (t.fill("tr.full", &[("s", server)]), t.t("tr.full.why")),
        Trouble::DiskFull { server, full: false } => (t.fill("tr.room", &[("s", server)]), String::new()),
        Trouble::ClockJump { server, millis } if *millis >= 0 => {
            (t.fill("tr.clock.ahead", &[("s", server), ("ms", millis)]), t.t("tr.clock.why"))
        }
        Trouble::ClockJump { server, millis } => {
            (t.fill("tr.clock.back", &[("s", server), ("ms", &millis.unsigned_abs())]), t.t("tr.clock.back.why"))
        }
        Trouble::ClockRate { server, percent } => {
            (t.fill("tr.clock.rate", &[("s", server), ("n", percent)]), t.t("tr.clock.why"))
        }
        Trouble::Chaos { seed } => (t.fill("tr.chaos", &[("seed", seed)]), t.t("tr.chaos.why")),
        Trouble::Calm => (t.t("tr.calm"), String::new()),
    }
}

/// What is done to a message, as a button says it.
pub fn act(t: &Texts, act: MessageAct) -> String {
    match act {
        MessageAct::Drop => t.t("tr.act.drop"),
        MessageAct::Duplicate => t.t("tr.act.duplicate"),
        MessageAct::Hold => t.t("tr.act.hold"),
        MessageAct::Release => t.t("tr.act.release"),
        MessageAct::Delay { millis } => t.fill("tr.act.delay", &[("ms", &millis)]),
        MessageAct::Now => t.t("tr.act.now"),
    }
}

/// What that means on a connection.
pub fn act_why(t: &Texts, act: MessageAct) -> String {
    t.t(match act {
        MessageAct::Drop => "tr.act.drop.why",
        MessageAct::Duplicate => "tr.act.duplicate.why",
        MessageAct::Hold | MessageAct::Delay { .. } => "tr.act.hold.why",
        MessageAct::Release | MessageAct::Now => "tr.act.release.why",
    })
}

/// A rule that waits for its message.
pub fn rule(t: &Texts, rule: &MessageRule) -> String {
    let kind = rule.kind.clone().unwrap_or_else(|| t.t("tr.any"));
    let what = match &rule.with {
        Some(with) => format!("{kind} {with}"),
        None => kind,
    };
    let end = |end| match end {
        Some(end) => place(t, end),
        None => t.t("tr.anybody"),
    };
    t.fill("tr.rule", &[("act", &act(t, rule.act)), ("what", &what), ("from", &end(rule.from)), ("to", &end(rule.to))])
}

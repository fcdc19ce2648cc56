//! One server in full: everything the core knows about it. What changed with the last event is underlined.

use crate::captions::phase_key;
use crate::compare_words;
use crate::components::{Send, ballots, members, power, state_key};
use crate::i18n::Texts;
use crate::next::deadline_key;
use crate::scene::ballots::Board;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::id::{ServerId, SessionId};
use zebu_core::sim::view::{ServerView, Shown};
use zebu_core::status::TimerKind;
use zebu_core::time::Instant;
use zebu_core::wire::notification::Vote;

/// One server.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The server.
    pub server: ServerView,
    /// Znodes that differ from the leader's, and the leader; `None` if there is nobody to compare with.
    pub differs: Option<(usize, ServerId)>,
    /// Who owns which session, for those that belong to a client of this world.
    pub owners: Vec<(SessionId, String)>,
    /// Simulated time.
    pub now: Instant,
    /// Where actions go.
    pub send: Send,
}

/// A fact: the part it belongs to, its key, its value. Rows that only tick down are not marked as changed.
#[derive(Clone, Debug, PartialEq)]
struct Fact {
    part: &'static str,
    key: &'static str,
    value: String,
    ticks: bool,
}

/// The most entries of a part that are listed.
const LISTED: usize = 8;

/// See [`Props`].
#[component]
pub fn Inspector(props: &Props) -> Html {
    let Props { texts: t, server: s, now, send, .. } = props;
    let facts = facts(props);
    let before = use_mut_ref(|| (ServerId::NONE, Vec::<Fact>::new(), Vec::<bool>::new()));
    let changed: Vec<bool> = {
        let mut before = before.borrow_mut();
        if before.0 != s.id {
            *before = (s.id, facts.clone(), vec![false; facts.len()]);
        } else if before.1 != facts {
            let marks = news(&before.1, &facts);
            *before = (s.id, facts.clone(), marks);
        }
        before.2.clone()
    };
    let mut parts: Vec<&'static str> = facts.iter().map(|f| f.part).collect();
    parts.dedup();
    html! {
        <section class="inspect-pane" aria-label={t.fill("tab.inspect", &[("id", &s.id)])} data-testid="inspector">
            <div class="power-row">
                { power(t, s.id, s.shown, s.paused, true, send) }
            </div>
            { for parts.into_iter().map(|part| html! {
                <>
                <h3>{ t.t(part) }</h3>
                <dl class="facts">
                    { for facts.iter().zip(&changed).filter(|(f, _)| f.part == part).map(|(f, new)| html! {
                        <><dt>{ t.t(f.key) }</dt><dd class={classes!(new.then_some("new"))} data-fact={f.key}>{ &f.value }</dd></>
                    }) }
                </dl>
                if part == "see.part.sessions" { { sessions(props, *now) } }
                if part == "see.part.proposals" { { meters(t, s) } }
                </>
            }) }
            { board(t, s) }
        </section>
    }
}

/// Which facts are new: not there before, with this value, under this key.
fn news(before: &[Fact], now: &[Fact]) -> Vec<bool> {
    now.iter().map(|f| !f.ticks && !before.iter().any(|b| b.key == f.key && b.value == f.value)).collect()
}

fn facts(props: &Props) -> Vec<Fact> {
    let Props { texts: t, server: s, differs, now, .. } = props;
    let mut facts: Vec<Fact> = Vec::new();
    let mut say = |part, key, value: String| facts.push(Fact { part, key, value, ticks: false });
    let yes_no = |b: bool| t.t(if b { "inspect.yes" } else { "inspect.no" });

    let numbered = s.model.as_ref().is_some_and(|m| m.badge.is_some());
    let role = if numbered { "md.part" } else { "see.part.role" };
    let mut state = t.t(state_key(s.shown));
    if s.paused {
        state = format!("{state} · {}", t.t("state.paused"));
    }
    let up = s.shown != Shown::Down;
    // A compared protocol has its own words for what a server is that runs.
    if s.model.is_none() || s.paused || !up {
        let own = s.model.is_some() && up;
        say(role, "inspect.state", if own { t.t("state.paused") } else { state });
    }
    if let Some(phase) = s.phase {
        say(role, "inspect.phase", t.t(phase_key(phase)));
    }
    if let Some(model) = &s.model {
        for (key, value) in compare_words::rows(t, model) {
            say(role, key, value);
        }
        if numbered {
            return facts;
        }
    }
    if s.model.is_none() {
        say(role, "inspect.epochs", format!("{} / {}", s.accepted, s.current));
    }
    if let Some(leader) = s.leader.filter(|l| up && *l != s.id) {
        say(role, "inspect.leader", t.fill("place.server", &[("id", &leader)]));
    }
    if up {
        say(role, "inspect.serving", yes_no(s.serving));
        if s.round > 0 {
            say(role, "inspect.round", s.round.to_string());
        }
        if let Some(vote) = s.vote.filter(|v| v.leader != ServerId::NONE) {
            say(role, "inspect.vote", show(&vote));
        }
    }

    let history = "see.part.history";
    say(history, "inspect.logged", s.logged.to_string());
    say(history, "inspect.synced", s.synced.to_string());
    say(history, "inspect.committed", s.committed.to_string());
    if let (Some(first), Some(last)) = (s.log.first(), s.log.last()) {
        say(history, "see.log", t.fill("see.log.value", &[("a", &first.zxid), ("b", &last.zxid), ("n", &s.log.len())]));
    }

    if s.model.is_some() {
        return facts;
    }

    // Leader-only facts are not shown on others.
    if s.shown == Shown::Leading {
        let part = "see.part.proposals";
        say(part, "see.learners", t.ids(&s.inside.learners));
        say(part, "inspect.outstanding", s.outstanding.len().to_string());
    }

    let disk = "see.part.disk";
    let d = &s.inside.disk;
    for (first, last, n) in d.logs.iter().rev().take(LISTED) {
        let name = format!("log.{:x}", first.0);
        say(
            disk,
            "see.disk.log",
            t.fill("see.disk.log.value", &[("name", &name), ("a", first), ("b", last), ("n", n)]),
        );
    }
    for snapshot in d.snapshots.iter().rev().take(LISTED) {
        let name = format!("snapshot.{:x}", snapshot.0);
        say(disk, "see.disk.snapshot", t.fill("see.disk.snapshot.value", &[("name", &name), ("z", snapshot)]));
    }
    let unsynced = if d.unsynced.is_empty() {
        t.t("see.disk.nothing")
    } else {
        let list = d.unsynced.iter().take(LISTED).cloned().collect::<Vec<_>>().join(", ");
        t.fill("see.disk.unsynced.value", &[("list", &list), ("n", &d.syncing)])
    };
    say(disk, "see.disk.unsynced", unsynced);
    if let Some(read) = d.read {
        let text = t.fill("see.disk.read.value", &[("z", &read.snapshot), ("n", &read.replayed), ("last", &read.last)]);
        say(disk, "see.disk.read", text);
    }

    if let Some(known) = &s.inside.members {
        let part = "mc.title";
        say(part, "mc.version", known.committed.version.to_string());
        say(part, "mc.force", members::config(t, &known.committed));
        if let Some(proposed) = &known.proposed {
            say(part, "mc.open", format!("{} · {}", proposed.version, members::config(t, proposed)));
        }
    }

    if up {
        let tree = "see.part.tree";
        say(tree, "see.znodes", s.tree.len().to_string());
        let watched: Vec<String> = s
            .tree
            .iter()
            .filter(|z| z.watches > 0)
            .take(LISTED)
            .map(|z| format!("{} ({})", z.path, z.watches))
            .collect();
        let none = || t.t("see.disk.nothing");
        say(tree, "see.watches", if watched.is_empty() { none() } else { watched.join(", ") });
        let difference = match differs {
            Some((0, leader)) => t.fill("tree.same", &[("id", leader)]),
            Some((n, leader)) => t.fill("tree.differs", &[("n", n), ("id", leader)]),
            None => t.t("tree.nobody"),
        };
        if s.shown != Shown::Leading {
            say(tree, "see.difference", difference);
        }
        say(tree, "inspect.digest", format!("{:016x}", s.tree_digest));

        for timer in &s.inside.timers {
            let left = t.duration(timer.at.0.saturating_sub(now.0));
            let whole = t.duration(u64::try_from(timer.whole.as_micros()).unwrap_or(u64::MAX));
            let value = t.fill("see.timer.value", &[("left", &left), ("whole", &whole)]);
            facts.push(Fact { part: "see.part.clocks", key: timer_key(timer.what), value, ticks: true });
        }
        if let Some((at, what)) = s.deadline {
            let left = t.duration(at.0.saturating_sub(now.0));
            let value = t.fill("inspect.deadline.value", &[("what", &t.t(deadline_key(what))), ("time", &left)]);
            facts.push(Fact { part: "see.part.clocks", key: "inspect.deadline", value, ticks: true });
        }
        let count = s.sessions.len().to_string();
        facts.push(Fact { part: "see.part.sessions", key: "see.sessions", value: count, ticks: false });
    }
    facts
}

fn timer_key(what: TimerKind) -> &'static str {
    match what {
        TimerKind::Votes => "see.timer.votes",
        TimerKind::Finalize => "see.timer.finalize",
        TimerKind::Join => "see.timer.join",
        TimerKind::Tick => "see.timer.tick",
        TimerKind::LeaderSilent => "see.timer.leader-silent",
        TimerKind::QuorumSilent => "see.timer.quorum-silent",
        TimerKind::Redial => "see.timer.redial",
    }
}

fn show(vote: &Vote) -> String {
    format!("({}, {}, {})", vote.epoch, vote.zxid, vote.leader)
}

/// Sessions with what is left of them: only a leader counts that down.
fn sessions(props: &Props, now: Instant) -> Html {
    let Props { texts: t, server: s, owners, .. } = props;
    html! {
        <ul class="session-bars">
            { for s.sessions.iter().take(LISTED).map(|session| {
                let owner = owners.iter().find(|(id, _)| *id == session.id).map(|(_, name)| t.fill("place.client", &[("id", name)]));
                let name = owner.unwrap_or_else(|| session.id.to_string());
                let ephemerals = s.tree.iter().filter(|z| z.owner == Some(session.id)).count();
                let left = session.expires.map(|at| at.0.saturating_sub(now.0));
                let share = left.map(|left| left as f64 / (f64::from(session.timeout_ms.max(1)) * 1000.0)).map(|x| x.clamp(0.0, 1.0));
                html! {
                    <li key={session.id.0} data-session={session.id.to_string()}>
                        <span>{ name }{ " · " }{ t.fill("see.session.ephemerals", &[("n", &ephemerals)]) }</span>
                        <span class="mono">{ match left {
                            Some(left) => t.fill("see.session.left", &[("time", &t.duration(left))]),
                            None => t.fill("see.session.timeout", &[("ms", &session.timeout_ms)]),
                        } }</span>
                        if let Some(share) = share { <i class={classes!("bar", (share < 0.4).then_some("low"))} style={format!("--share:{share:.2}")}></i> }
                    </li>
                }
            }) }
        </ul>
    }
}

/// Proposals that are not committed yet, with their acknowledgements.
fn meters(t: &Texts, s: &ServerView) -> Html {
    html! {
        <ul class="meters">
            { for s.outstanding.iter().take(LISTED).map(|(zxid, by)| html! {
                <li key={zxid.0}><b class="mono">{ zxid.to_string() }</b>
                    <span class="cells" aria-hidden="true">{ for (0..s.quorum).map(|i| html! { <i class={classes!((i < by.len()).then_some("on"))}></i> }) }</span>
                    <span>{ t.fill("inspect.acks", &[("z", zxid), ("by", &t.ids(by)), ("have", &by.len()), ("need", &s.quorum)]) }</span></li>
            }) }
        </ul>
    }
}

/// The votes this server has heard of in this round, its own among them.
fn board(t: &Texts, s: &ServerView) -> Html {
    if s.shown != Shown::Looking {
        return html! {};
    }
    let own = s.vote.map(|v| (s.id, v));
    let heard = s.ballots.iter().copied().filter(|(v, _)| *v != s.id).chain(own);
    let votes = heard.filter(|(_, v)| v.leader != ServerId::NONE).map(|(voter, vote)| (voter, vote, false)).collect();
    match Board::of(votes, s.quorum) {
        Some(board) => html! { <><h3>{ t.t("inspect.ballots") }</h3>{ ballots::table(t, &board) }</> },
        None => html! {},
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use crate::scene::sample::five;

    fn props(index: usize) -> Props {
        let server = five().servers.swap_remove(index);
        let texts = Texts::load(Lang::En);
        Props { texts, server, differs: None, owners: Vec::new(), now: Instant(0), send: Callback::noop() }
    }

    #[test]
    fn what_only_a_leader_knows_is_not_shown_on_others() {
        let has = |index: usize| facts(&props(index)).iter().any(|f| f.part == "see.part.proposals");
        assert!(has(2) && !has(0));
    }

    #[test]
    fn what_changed_is_marked_and_what_only_ticks_is_not() {
        let before = props(0);
        let mut after = props(0);
        after.server.committed = crate::scene::sample::zxid(2, 1);
        after.server.deadline = Some((Instant(7), zebu_core::status::Deadline::Tick));
        let (old, new) = (facts(&before), facts(&after));
        let marks = news(&old, &new);
        let keys: Vec<&str> = new.iter().zip(marks).filter(|(_, m)| *m).map(|(f, _)| f.key).collect();
        assert_eq!(keys, ["inspect.committed"]);
    }

    #[test]
    fn every_part_and_key_has_words() {
        let t = Texts::load(Lang::Zh);
        for index in 0..5 {
            for fact in facts(&props(index)) {
                assert!(t.has(fact.part) && t.has(fact.key), "{fact:?}");
            }
        }
    }
}

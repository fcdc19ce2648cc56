//! One server in full: what changed with the last event is underlined.

use crate::captions::{decided, phase_key};
use crate::components::{Send, power, state_key};
use crate::i18n::Texts;
use crate::next::deadline_key;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::note::Decider;
use zebu_core::sim::view::{ServerView, Shown};
use zebu_core::time::Instant;
use zebu_core::wire::notification::Vote;

/// One server.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The server.
    pub server: ServerView,
    /// Simulated time.
    pub now: Instant,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn Inspector(props: &Props) -> Html {
    let Props { texts: t, server: s, now, send } = props;
    let rows = rows(t, s, *now);
    let before = use_mut_ref(|| (ServerId::NONE, Vec::new(), Vec::<bool>::new()));
    let changed: Vec<bool> = {
        let mut before = before.borrow_mut();
        if before.0 != s.id || before.1.len() != rows.len() {
            *before = (s.id, rows.clone(), vec![false; rows.len()]);
        } else if before.1 != rows {
            let marks = rows.iter().zip(&before.1).map(|(a, b)| a != b && a.0 != "inspect.deadline").collect();
            *before = (s.id, rows.clone(), marks);
        }
        before.2.clone()
    };
    html! {
        <section class="inspect-pane" aria-label={t.fill("tab.inspect", &[("id", &s.id)])}>
            <div class="power-row">
                { power(t, s.id, s.shown, s.paused, true, send) }
            </div>
            <dl class="facts">
                { for rows.iter().zip(changed).map(|((key, value), new)| html! {
                    <><dt>{ t.t(key) }</dt><dd class={classes!(new.then_some("new"))}>{ value }</dd></>
                }) }
            </dl>
            { ballots(t, s) }
        </section>
    }
}

fn rows(t: &Texts, s: &ServerView, now: Instant) -> Vec<(&'static str, String)> {
    let yes_no = |b: bool| t.t(if b { "inspect.yes" } else { "inspect.no" });
    let mut state = t.t(state_key(s.shown));
    if s.paused {
        state = format!("{state} · {}", t.t("state.paused"));
    }
    let mut rows = vec![("inspect.state", state)];
    if let Some(phase) = s.phase {
        rows.push(("inspect.phase", t.t(phase_key(phase))));
    }
    rows.push(("inspect.epochs", format!("{} / {}", s.accepted, s.current)));
    rows.push(("inspect.logged", s.logged.to_string()));
    rows.push(("inspect.synced", s.synced.to_string()));
    rows.push(("inspect.committed", s.committed.to_string()));
    if s.snapshot.0 > 0 {
        rows.push(("inspect.snapshot", s.snapshot.to_string()));
    }
    if s.shown == Shown::Down {
        return rows;
    }
    if let Some(leader) = s.leader.filter(|l| *l != s.id) {
        rows.push(("inspect.leader", t.fill("place.server", &[("id", &leader)])));
    }
    rows.push(("inspect.serving", yes_no(s.serving)));
    if s.round > 0 {
        rows.push(("inspect.round", s.round.to_string()));
    }
    if let Some(vote) = s.vote.filter(|v| v.leader != ServerId::NONE) {
        rows.push(("inspect.vote", show(&vote)));
    }
    for (zxid, by) in s.outstanding.iter().take(4) {
        let text = t.fill("inspect.acks", &[("z", zxid), ("by", &t.ids(by)), ("have", &by.len()), ("need", &s.quorum)]);
        rows.push(("inspect.outstanding", text));
    }
    for session in s.sessions.iter().take(6) {
        let text = match session.expires {
            Some(at) => {
                t.fill("inspect.expires", &[("id", &session.id), ("time", &t.duration(at.0.saturating_sub(now.0)))])
            }
            None => session.id.to_string(),
        };
        rows.push(("inspect.sessions", text));
    }
    if let Some((at, what)) = s.deadline {
        let left = t.duration(at.0.saturating_sub(now.0));
        rows.push((
            "inspect.deadline",
            t.fill("inspect.deadline.value", &[("what", &t.t(deadline_key(what))), ("time", &left)]),
        ));
    }
    rows.push(("inspect.digest", format!("{:016x}", s.tree_digest)));
    rows
}

fn show(vote: &Vote) -> String {
    format!("({}, {}, {})", vote.epoch, vote.zxid, vote.leader)
}

/// The ballot board: who votes for whom, and what decides.
fn ballots(t: &Texts, s: &ServerView) -> Html {
    if s.shown != Shown::Looking {
        return html! {};
    }
    let own = s.vote.map(|v| (s.id, v));
    let mut votes: Vec<(ServerId, Vote)> = s.ballots.iter().copied().filter(|(v, _)| *v != s.id).chain(own).collect();
    votes.retain(|(_, v)| v.leader != ServerId::NONE);
    votes.sort_unstable_by_key(|(voter, _)| *voter);
    let mut ranked: Vec<Vote> = votes.iter().map(|(_, v)| *v).collect();
    ranked.sort_unstable_by(|a, b| b.cmp(a));
    ranked.dedup();
    let best = ranked.first().copied();
    let why = match ranked.as_slice() {
        [best, next, ..] => Some(decided(t, Decider::between(best, next), best, next)),
        _ => None,
    };
    html! {
        <div class="ballots">
            <h3>{ t.t("inspect.ballots") }</h3>
            <table>
                <thead><tr>
                    <th>{ t.t("inspect.ballots.voter") }</th><th>{ t.t("inspect.ballots.vote") }</th>
                    <th>{ t.t("twin.epoch") }</th><th>{ "zxid" }</th>
                </tr></thead>
                <tbody>
                    { for votes.iter().map(|(voter, vote)| html! {
                        <tr class={classes!((Some(*vote) == best).then_some("best"))}>
                            <td>{ voter.to_string() }</td><td>{ vote.leader.to_string() }</td>
                            <td>{ vote.epoch.to_string() }</td><td>{ vote.zxid.to_string() }</td>
                        </tr>
                    }) }
                </tbody>
            </table>
            if let Some(why) = why {
                <p class="because">{ t.fill("inspect.ballots.best", &[("why", &why)]) }</p>
            }
        </div>
    }
}

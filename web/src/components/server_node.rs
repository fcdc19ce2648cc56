//! One server on the stage: role by shape and word, epoch by colour and number.

use crate::captions::phase_key;
use crate::compare_words;
use crate::components::{Send, opens};
use crate::i18n::Texts;
use crate::scene::layout::{Layout, Side};
use crate::scene::stage::Server;
use crate::store::Target;
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::note::PhaseName;
use zebu_core::sim::view::Shown;
use zebu_core::status::TimerKind;

/// A server and what is needed to draw it.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// The server.
    pub server: Server,
    /// Radius of its disc.
    pub radius: f64,
    /// Size of its words.
    pub text: f64,
    /// It is the selected one.
    pub selected: bool,
    /// Where actions go.
    pub send: Send,
}

/// The two lines beside a disc.
pub fn label(t: &Texts, s: &Server, layout: &Layout) -> Html {
    let Layout { radius, text, compact, .. } = layout;
    let logged = if *compact { "stage.logged.short" } else { "stage.logged" };
    let committed = if *compact { "stage.committed.short" } else { "stage.committed" };
    let votes = if *compact { "stage.votes.short" } else { "stage.votes" };
    let (first, second) = if let (Some((_, have, need)), Some((new, of))) = (s.acks, s.joint) {
        (
            t.fill("stage.acks.old", &[("have", &have), ("need", &need)]),
            t.fill("stage.acks.new", &[("have", &new), ("need", &of)]),
        )
    } else if let Some((zxid, have, need)) = s.acks {
        (
            t.fill("stage.acks", &[("z", &zxid), ("have", &have), ("need", &need)]),
            t.fill(committed, &[("z", &s.committed)]),
        )
    } else if let Some((leader, _)) = s.votes_for {
        (t.fill(votes, &[("id", &leader)]), t.fill(logged, &[("z", &s.logged)]))
    } else {
        (t.fill(logged, &[("z", &s.logged)]), t.fill(committed, &[("z", &s.committed)]))
    };
    let (first, second) = match s.model.as_ref().filter(|m| m.badge.is_some()) {
        Some(model) => compare_words::beside(t, model, s.acks, *compact),
        None => (first, second),
    };
    let strong = s.acks.is_some() || s.votes_for.is_some() || s.model.is_some();
    let (x, y, anchor) = match layout.side(s.at) {
        Side::Left => (-radius * layout.reach(), text * 0.1, "end"),
        Side::Right => (radius * layout.reach(), text * 0.1 - layout.raised(s.at), "start"),
        Side::Below => (0.0, radius + text * 1.75, "middle"),
    };
    html! {
        <g key={s.id.0} class={classes!("label", (s.shown == Shown::Down).then_some("faint"))}
            transform={format!("translate({:.1} {:.1})", s.at.x + x, s.at.y + y)} aria-hidden="true">
            <text class={classes!("mono", strong.then_some("strong"))} text-anchor={anchor} y={(-text * 0.3).to_string()}
                font-size={text.to_string()}>{ first }</text>
            <text class="mono" text-anchor={anchor} y={(text * 1.0).to_string()} font-size={text.to_string()}>
                { second }
            </text>
        </g>
    }
}

/// The disc with everything on it.
#[component]
pub fn ServerDisc(props: &Props) -> Html {
    let Props { texts: t, server: s, radius: r, text, selected, send, .. } = props;
    let r = *r;
    let id = s.id;
    let word = match (s.shown, s.follows) {
        (Shown::Looking, _) => t.t("state.looking"),
        (Shown::Following, Some(l)) => t.fill("state.follows", &[("id", &l)]),
        (Shown::Following, None) => t.t("state.following"),
        (Shown::Leading, _) => t.t("state.LEADING"),
        (Shown::Observing, Some(l)) => t.fill("state.observes", &[("id", &l)]),
        (Shown::Observing, None) => t.t("state.observing"),
        (Shown::Down, _) => t.t("state.down"),
    };
    let word = match &s.model {
        Some(model) if s.shown != Shown::Down => compare_words::role(t, model),
        _ => word,
    };
    let leads = s.shown == Shown::Leading;
    let crowned = leads && s.model.as_ref().is_none_or(|m| m.crown);
    let down = s.shown == Shown::Down;
    let second = if s.paused { Some(t.t("state.paused")) } else { s.phase.map(|p| t.t(phase_on_a_disc(p))) };
    // The name says what is written on the disc, in that order.
    let state = second.as_ref().map_or_else(|| word.clone(), |second| format!("{word} {second}"));
    let name = t.fill(
        "stage.server.label",
        &[("id", &id), ("state", &state), ("epoch", &s.epoch), ("logged", &s.logged), ("committed", &s.committed)],
    );
    let name = match &s.model {
        Some(model) => compare_words::label(t, id, model, &word),
        None => name,
    };
    let (onclick, onkeydown) = opens(Target::Server(id), send);
    let shape = if s.observer {
        "observer"
    } else if s.shown == Shown::Looking {
        "looking"
    } else {
        "voter"
    };
    let badge = match s.model.as_ref().and_then(|m| m.badge.as_ref()) {
        // Where words are large for their disc, neighbours' badges would meet.
        Some(badge) if r < 40.0 || *text > r * 0.35 => compare_words::short_fact(t, badge),
        Some(badge) => compare_words::fact(t, badge),
        None => t.fill("stage.epoch", &[("n", &s.epoch)]),
    };
    let badge_width = width_of(&badge) * text * 0.58 + text * 1.1;
    let crown = r / 64.0;
    html! {
        <g class={classes!("server", s.colour, shape, leads.then_some("leads"), down.then_some("down"),
                s.paused.then_some("paused"), selected.then_some("selected"), s.spoken.then_some("spoken"))}
            transform={format!("translate({:.1} {:.1})", s.at.x, s.at.y)}
            role="button" tabindex="0" aria-label={name} aria-haspopup="true" data-id={id.to_string()}
            {onclick} {onkeydown}>
            <circle class="halo" r={(r * 1.24).min(r + 15.0).to_string()}/>
            if leads {
                <circle class="second-ring" r={(r * 1.14).to_string()}/>
                if crowned {
                <path class={if s.reigns { "crown" } else { "crown hollow" }}
                    transform={format!("translate(0 {:.1}) scale({:.3})", -r * 1.2, crown)}
                    d="M-24 0l-4-22 13 10 9-18 6 0 9 18 13-10-4 22z"/>
                }
            }
            <circle class="ring" r={r.to_string()}/>
            { clock(t, s, r, *text) }
            if let Some(side) = s.lit { <circle class={classes!("lit-ring", side.class())} r={(r + 22.0).to_string()}/> }
            if down {
                <path class="crossed" d={format!("M{0:.1} {0:.1}L{1:.1} {1:.1}M{0:.1} {1:.1}L{1:.1} {0:.1}", -r * 0.68, r * 0.68)}/>
            }
            <text class="number" text-anchor="middle" y={(-r * 0.02).to_string()} font-size={(r * 0.66).to_string()}>
                { id.to_string() }
            </text>
            { " " }
            <text class="word" text-anchor="middle" y={(r * 0.36).to_string()} font-size={(if *text >= 24.0 { (r * 0.285).max(24.0) } else { (r * 0.285).max(11.0).max(text * 0.8) }).to_string()}>
                { word }
            </text>
            { " " }
            if let Some(second) = second {
                <text class="second" text-anchor="middle" y={(r * 0.62).to_string()}
                    font-size={(if *text >= 24.0 { 24.0 } else { (r * 0.2).max(9.0) }).to_string()}>{ second }</text>
            }
            if s.paused {
                <path class="bars" d={format!("M{0:.1} {1:.1}v{2:.1}M{3:.1} {1:.1}v{2:.1}", r * 0.78, -r * 1.06, r * 0.42, r * 0.98)}/>
            }
            { " " }
            <g class={classes!("badge", (s.colour == "e0").then_some("hollow"))} transform={format!("translate(0 {:.1})", r)}>
                <rect x={(-badge_width / 2.0).to_string()} y={(-text * 0.72).to_string()} width={badge_width.to_string()}
                    height={(text * 1.44).to_string()} rx={(text * 0.72).to_string()}/>
                <text text-anchor="middle" y={(text * 0.3).to_string()} font-size={(if *text >= 24.0 { 24.0 } else { text * 0.86 }).to_string()}>{ badge }</text>
            </g>
        </g>
    }
}

/// A phase's name where there is little room.
fn phase_on_a_disc(phase: PhaseName) -> &'static str {
    if phase == PhaseName::Synchronization { "phase.synchronization.short" } else { phase_key(phase) }
}

/// The arc of the clock that matters: what is left of it, from the top, clockwise.
fn clock(t: &Texts, s: &Server, r: f64, text: f64) -> Html {
    // A patience that is wound up again all the time would only look like a second ring.
    let Some(clock) = s.clock.filter(|c| c.share < 0.78 || matches!(c.what, TimerKind::Votes | TimerKind::Finalize))
    else {
        return html! {};
    };
    let radius = r * if s.shown == Shown::Leading { 1.24 } else { 1.12 };
    // In steps that the eye can tell apart, so that a disc is not drawn anew for less.
    let share = (clock.share * 48.0).round() / 48.0 * 100.0;
    let key = match clock.what {
        TimerKind::Votes => "see.clock.votes",
        TimerKind::Finalize => "see.clock.finalize",
        TimerKind::Join => "see.clock.join",
        TimerKind::LeaderSilent | TimerKind::QuorumSilent => "see.clock.silent",
        TimerKind::Tick | TimerKind::Redial => return html! {},
    };
    let tenths = format!("{:.1}", clock.left as f64 / 1e6);
    let words = t.fill(key, &[("time", &t.fill("time.s", &[("n", &tenths)]))]);
    html! {
        <g aria-hidden="true" class={classes!("clock", clock.urgent.then_some("urgent"))} data-clock={format!("{share:.0}")}>
            <circle r={format!("{radius:.1}")} pathLength="100" stroke-dasharray={format!("{share:.1} 100")} transform="rotate(-90)"/>
            if clock.urgent {
                <text x={format!("{:.1}", radius * 0.74)} y={format!("{:.1}", -radius * 0.8)} font-size={format!("{:.1}", text * 0.9)}>{ words }</text>
            }
        </g>
    }
}

/// Width in characters; Chinese ones count almost double.
fn width_of(text: &str) -> f64 {
    text.chars().map(|c| if c.is_ascii() { 1.0 } else { 1.75 }).sum()
}

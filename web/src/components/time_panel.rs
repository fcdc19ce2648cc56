//! What belongs to time beside the slider: lines, bookmarks, run until, what comes next, a look at another moment.

use crate::captions;
use crate::components::{Do, Send, icons};
use crate::goals::Goal;
use crate::i18n::Texts;
use crate::lines::LineView;
use crate::next;
use crate::phases::Turn;
use crate::scene::palette::epoch_class;
use crate::scene::stage::Stage;
use crate::share::Bookmark;
use crate::store::Action;
use crate::store::time::TimeAction;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;
use zebu_core::id::{Epoch, ServerId, Zxid};
use zebu_core::sim::trouble::Upcoming;
use zebu_core::sim::view::{Flight, Shown, WorldView};
use zebu_core::trace::TraceEvent;

/// What a line is called: the command that made it.
fn line_words(t: &Texts, line: &LineView) -> String {
    if line.parent.is_none() {
        return t.t("tt.line.first");
    }
    let Some(command) = &line.what else { return t.t("tt.line.undone") };
    let event = TraceEvent::Command { command: command.clone() };
    captions::caption(t, &event, 0).map_or_else(|| command.to_string(), |c| c.text)
}

/// A line with its number.
pub fn line_name(t: &Texts, line: &LineView) -> String {
    t.fill("tt.line", &[("n", &line.id), ("what", &line_words(t, line))])
}

/// The lines of the run, where there is more than one: each a button, as long as it is.
pub fn lines(t: &Texts, lines: &[LineView], place: impl Fn(u64) -> f32, send: &Send) -> Html {
    if lines.len() < 2 {
        return html! {};
    }
    let longest = lines.iter().map(|l| l.length.max(place(l.from))).fold(1.0, f32::max);
    html! {
        <ol class="lines" aria-label={t.t("tt.lines")} data-testid="lines">
            { for lines.iter().map(|line| {
                let words = line_words(t, line);
                let (from, to) = (place(line.from) / longest * 100.0, line.length / longest * 100.0);
                let style = format!("margin-left:{from:.1}%;width:{:.1}%", (to - from).max(2.0));
                let label = t.fill("tt.line.label", &[("n", &line.id), ("from", &line.from), ("end", &line.end), ("what", &words)]);
                html! {
                    <li key={line.id}><Do class={classes!("line", line.current.then_some("current"))} {label} pressed={Some(line.current)}
                        action={Action::Time(TimeAction::Line(line.id))} send={send.clone()}>
                        <span class="line-bar" {style}></span><span class="line-name">{ line_name(t, line) }</span>
                    </Do>
                    if !line.current {
                        <Do class="tiny compare" label={t.fill("tl.open", &[("n", &line.id)])} action={Action::Time(TimeAction::Compare(line.id))} send={send.clone()}>
                            { t.t("tl.open.short") }
                        </Do>
                    }
                    </li>
                }
            }) }
        </ol>
    }
}

/// What comes next: each a button that runs until it.
pub fn future(t: &Texts, upcoming: &[Upcoming], flights: &[Flight], now: u64, send: &Send) -> Html {
    html! {
        <div class="future" role="group" aria-label={t.t("tt.future.title")} data-testid="future">
            <span class="future-name">{ t.t("tt.future") }</span>
            <ol>
                { for upcoming.iter().enumerate().map(|(i, coming)| {
                    let words = next::upcoming(t, coming, flights);
                    let wait = t.duration(coming.event.at.0.saturating_sub(now));
                    let label = format!("{}, {wait}", t.fill("tt.future.run", &[("what", &words)]));
                    let goal = match coming.message {
                        Some(id) => Goal::Message(id),
                        None => Goal::Passed(coming.event.at),
                    };
                    html! {
                        <li key={i}><Do class={classes!("coming", coming.event.quiet.then_some("quiet"))} {label} send={send.clone()}
                            action={Action::Time(TimeAction::Until(goal))}><b>{ words }</b>{ " " }<span>{ wait }</span></Do></li>
                    }
                }) }
            </ol>
        </div>
    }
}

/// Run until, bookmarks, undo: behind one button.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// All servers.
    pub servers: Vec<ServerId>,
    /// The epoch that a new leader has to pass.
    pub epoch: Epoch,
    /// Named moments.
    pub bookmarks: Vec<Bookmark>,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn TimeMenu(props: &Props) -> Html {
    let Props { texts: t, servers, epoch, bookmarks, send } = props;
    let (zxid, server) = (use_node_ref(), use_node_ref());
    let until = |key: &str, goal: Goal| {
        html! { <Do class="small" label={t.t(key)} action={Action::Time(TimeAction::Until(goal))} send={send.clone()}/> }
    };
    let onsubmit = {
        let (send, zxid, server) = (send.clone(), zxid.clone(), server.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            let text = zxid.cast::<HtmlInputElement>().map(|i| i.value()).unwrap_or_default();
            let at = server.cast::<HtmlSelectElement>().and_then(|s| s.value().parse().ok()).unwrap_or(1);
            send.emit(match zxid_of(&text) {
                Some(zxid) => Action::Time(TimeAction::Until(Goal::Committed(zxid, ServerId(at)))),
                None => Action::Time(TimeAction::NoZxid(text)),
            });
        })
    };
    html! {
        <details class="time-menu">
            <summary class="btn">{ t.t("tt.until") }</summary>
            <div class="time-panel">
                <h2>{ t.t("tt.until") }</h2>
                <div class="fault-buttons">
                    { until("tt.until.leader", Goal::Leader(*epoch)) }
                    { until("tt.until.reply", Goal::Reply) }
                    { until("tt.until.broken", Goal::Broken) }
                </div>
                <form class="until-zxid" {onsubmit}>
                    <input ref={zxid} type="text" placeholder="1:4" size="6" maxlength="24" aria-label={t.t("tt.until.zxid.label")}/>
                    <span>{ t.t("tt.until.zxid") }</span>
                    <select ref={server} aria-label={t.t("tt.until.server.label")}>
                        { for servers.iter().enumerate().map(|(i, s)| html! { <option value={s.to_string()} selected={i == 0}>{ s.to_string() }</option> }) }
                    </select>
                    <button type="submit" class="btn small">{ t.t("tt.until.go") }</button>
                </form>
                <h2>{ t.t("tt.marks") }</h2>
                if bookmarks.is_empty() { <p class="quiet small">{ t.t("tt.marks.none") }</p> }
                <ol class="bookmarks" data-testid="bookmarks">
                    { for bookmarks.iter().enumerate().map(|(i, mark)| bookmark(t, i, mark, send)) }
                </ol>
                <div class="fault-buttons">
                    <Do class="small" label={t.t("tt.mark")} title={t.t("tt.mark.title")} action={Action::Time(TimeAction::Mark)} send={send.clone()}/>
                    <Do class="small" label={t.t("tt.undo")} title={t.t("tt.undo.title")} action={Action::Time(TimeAction::Undo)} send={send.clone()}/>
                </div>
            </div>
        </details>
    }
}

fn bookmark(t: &Texts, index: usize, mark: &Bookmark, send: &Send) -> Html {
    let onchange = send.reform(move |e: Event| {
        let name = e.target_dyn_into::<HtmlInputElement>().map(|i| i.value()).unwrap_or_default();
        Action::Time(TimeAction::Rename(index, name))
    });
    html! {
        <li key={index}>
            <Do class="tiny" label={t.fill("tt.mark.go", &[("n", &mark.moment)])} action={Action::Time(TimeAction::GoMark(index))} send={send.clone()}>
                { mark.moment.to_string() }
            </Do>
            <input type="text" value={mark.name.clone()} maxlength="80" aria-label={t.fill("tt.mark.name", &[("n", &mark.moment)])} {onchange}/>
            <Do class="tiny" label={t.fill("tt.mark.drop", &[("n", &mark.moment)])} action={Action::Time(TimeAction::Unmark(index))} send={send.clone()}>
                { icons::close() }
            </Do>
        </li>
    }
}

/// `epoch:counter`.
fn zxid_of(text: &str) -> Option<Zxid> {
    let (epoch, counter) = text.trim().split_once(':')?;
    Some(Zxid::new(Epoch(epoch.trim().parse().ok()?), counter.trim().parse().ok()?))
}

/// The turns at which a step stopped, in words.
pub fn stopped(t: &Texts, turns: &[Turn]) -> Option<String> {
    let names: Vec<String> = turns.iter().map(|turn| t.t(turn.text_key())).collect();
    let mut unique = names.clone();
    unique.dedup();
    (!names.is_empty()).then(|| t.fill("tt.stopped", &[("what", &unique.join(", "))]))
}

/// A small picture of another moment; `share` says where over the timeline it stands, 0 to 1.
pub fn preview(t: &Texts, moment: u64, view: &WorldView, share: f32) -> Html {
    // Laid out like a stage of its own and shown at a third of that size.
    const SIZE: (f64, f64) = (760.0, 500.0);
    let stage = Stage::new(view, SIZE.0, SIZE.1);
    let time = t.fill("time.s", &[("n", &format!("{:.2}", view.at.0 as f64 / 1e6))]);
    html! {
        <figure class="preview" style={format!("left:{:.1}%", share.clamp(0.0, 1.0) * 100.0)} data-testid="preview">
            <svg viewBox={format!("0 0 {} {}", SIZE.0, SIZE.1)} aria-hidden="true">
                { for view.links.iter().filter(|l| l.cut).filter_map(|l| {
                    let (a, b) = (stage.layout.server(l.from)?, stage.layout.server(l.to)?);
                    Some(html! { <path class="mini-cut" d={format!("M{:.0} {:.0}L{:.0} {:.0}", a.x, a.y, b.x, b.y)}/> })
                }) }
                { for view.servers.iter().filter_map(|s| {
                    let at = stage.layout.server(s.id)?;
                    let kind = match s.shown {
                        Shown::Down => "down",
                        Shown::Looking => "looking",
                        Shown::Leading => "leading",
                        Shown::Following | Shown::Observing => "following",
                    };
                    Some(html! {
                        <g class={classes!("mini", kind, epoch_class(s.epoch))}>
                            <circle cx={format!("{:.0}", at.x)} cy={format!("{:.0}", at.y)} r="46"/>
                            <text x={format!("{:.0}", at.x)} y={format!("{:.0}", at.y + 16.0)} text-anchor="middle">{ s.id.to_string() }</text>
                        </g>
                    })
                }) }
            </svg>
            <figcaption>{ t.fill("tt.preview", &[("n", &moment), ("time", &time)]) }</figcaption>
        </figure>
    }
}

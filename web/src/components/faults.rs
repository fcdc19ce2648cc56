//! The finer faults: the selected server's disk, clock and timer, messages under way, rules for the next one, chaos.

use crate::components::{Do, Send};
use crate::i18n::Texts;
use crate::scene::packets::short_kind;
use crate::store::{Action, Target};
use crate::trouble_words;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;
use zebu_core::id::ServerId;
use zebu_core::sim::command::Command;
use zebu_core::sim::trouble::{MessageAct, MessageRule, TimerAct, Trouble, Troubles};
use zebu_core::sim::view::{Flight, Place};

/// Kinds that a rule can wait for, as they are called in traces.
const KINDS: [&str; 14] = [
    "VOTE",
    "FOLLOWERINFO",
    "LEADERINFO",
    "ACKEPOCH",
    "DIFF",
    "TRUNC",
    "SNAP",
    "NEWLEADER",
    "UPTODATE",
    "REQUEST",
    "PROPOSAL",
    "ACK",
    "COMMIT",
    "INFORM",
];

/// Messages that are listed.
const MESSAGES: usize = 14;

/// The pane.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// All servers.
    pub servers: Vec<ServerId>,
    /// The one whose disk, clock and timer are meant.
    pub selected: ServerId,
    /// What was done already.
    pub troubles: Rc<Troubles>,
    /// Messages under way, while the show stands still.
    pub messages: Vec<Flight>,
    /// Where actions go.
    pub send: Send,
}

/// A button that does one of the faults.
fn button(label: String, trouble: Trouble, send: &Send) -> Html {
    html! { <Do class="small" {label} action={Action::Do(Command::Trouble(trouble))} send={send.clone()}/> }
}

/// See [`Props`].
#[component]
pub fn Faults(props: &Props) -> Html {
    let Props { texts: t, selected, send, .. } = props;
    html! {
        <section class="faults-pane" aria-labelledby="faults-title" data-testid="faults">
            <h2 id="faults-title">{ t.t("fl.title") }</h2>
            { state(props) }
            <details><summary>{ t.fill("fl.server", &[("id", selected)]) }</summary>{ server(props) }</details>
            <details><summary>{ t.t("fl.messages") }</summary>{ messages(props) }</details>
            <details><summary>{ t.t("fl.next") }</summary><RuleForm texts={t.clone()} servers={props.servers.clone()} send={send.clone()}/></details>
            <details><summary>{ t.t("fl.chaos") }</summary><ChaosForm texts={t.clone()} running={props.troubles.chaos} send={send.clone()}/></details>
        </section>
    }
}

/// What was done already, as text.
fn state(props: &Props) -> Html {
    let Props { texts: t, troubles, send, .. } = props;
    let mut lines: Vec<String> = Vec::new();
    for l in &troubles.links {
        lines.push(t.fill(
            "fl.state.link",
            &[
                ("a", &l.from),
                ("b", &l.to),
                ("jitter", &l.jitter_ms),
                ("loss", &l.loss_percent),
                ("copies", &l.copy_percent),
                ("resent", &l.resent),
            ],
        ));
    }
    for s in &troubles.servers {
        let mut parts: Vec<String> = Vec::new();
        if s.disk_ms > 0 {
            parts.push(t.fill("fl.state.disk", &[("ms", &s.disk_ms)]));
        }
        for (on, key) in [(s.full, "fl.state.full"), (s.fails, "fl.state.fails"), (s.loses_tail, "fl.state.tail")] {
            if on {
                parts.push(t.t(key));
            }
        }
        if s.ahead_us.abs() >= 1000 {
            parts.push(t.fill("fl.state.ahead", &[("ms", &(s.ahead_us / 1000))]));
        }
        if s.clock_percent != 100 {
            parts.push(t.fill("fl.state.rate", &[("n", &s.clock_percent)]));
        }
        if s.stretched_ms > 0 {
            parts.push(t.fill("fl.state.late", &[("ms", &s.stretched_ms)]));
        }
        lines.push(format!("{}: {}", s.server, parts.join(", ")));
    }
    if !troubles.held.is_empty() {
        lines.push(t.fill("fl.state.held", &[("n", &troubles.held.len())]));
    }
    lines.extend(troubles.rules.iter().map(|rule| trouble_words::rule(t, rule)));
    html! {
        <>
            if let Some(seed) = troubles.chaos {
                <p class="chaos-on" role="status" data-testid="chaos">{ t.fill("fl.state.chaos", &[("seed", &seed)]) }</p>
            }
            if !lines.is_empty() {
                <ul class="fault-state small" data-testid="fault-state">{ for lines.iter().map(|line| html! { <li>{ line }</li> }) }</ul>
            }
            if !troubles.rules.is_empty() {
                { button(t.t("fl.forget"), Trouble::ForgetRules, send) }
            }
        </>
    }
}

fn server(props: &Props) -> Html {
    let Props { texts: t, servers, selected, troubles, send, .. } = props;
    let server = *selected;
    let state = troubles.servers.iter().find(|s| s.server == server);
    let (slow, full) = (state.is_some_and(|s| s.disk_ms > 0), state.is_some_and(|s| s.full));
    let label = |key: &str| t.t(key);
    let slow_label = if slow { label("fl.disk.normal") } else { label("fl.disk.slow") };
    let slow_action = Action::Do(Command::DiskDelay { server, millis: if slow { 0 } else { 300 } });
    let full_label = if full { label("fl.disk.room") } else { label("fl.disk.full") };
    let timer = |act| Trouble::Timer { server, act };
    html! {
        <div class="fault-buttons">
            <Do class="small" label={slow_label} action={slow_action} send={send.clone()}/>
            { button(label("fl.disk.tail"), Trouble::LoseTail { server }, send) }
            { button(full_label, Trouble::DiskFull { server, full: !full }, send) }
            <Do class="small" label={label("fl.disk.fail")} action={Action::Do(Command::DiskFail { server })} send={send.clone()}/>
            { button(label("fl.clock.ahead"), Trouble::ClockJump { server, millis: 2000 }, send) }
            { button(label("fl.clock.back"), Trouble::ClockJump { server, millis: -2000 }, send) }
            { button(label("fl.clock.fast"), Trouble::ClockRate { server, percent: 200 }, send) }
            { button(label("fl.clock.slow"), Trouble::ClockRate { server, percent: 50 }, send) }
            { button(label("fl.clock.right"), Trouble::ClockRate { server, percent: 100 }, send) }
            { button(label("fl.timer.now"), timer(TimerAct::Fire), send) }
            { button(label("fl.timer.late"), timer(TimerAct::Stretch { millis: 500 }), send) }
            { for servers.iter().filter(|s| **s != server).map(|with| {
                button(t.fill("fl.timer.with", &[("id", with)]), timer(TimerAct::Align { with: *with }), send)
            }) }
        </div>
    }
}

/// A message in a few words.
pub fn message_name(f: &Flight) -> String {
    let end = |place: Place| match place {
        Place::Server(id) => id.to_string(),
        Place::Client(id) => id.to_string(),
    };
    format!("{} {} · {} → {}", short_kind(&f.kind), f.label, end(f.from), end(f.to)).replace("  ", " ")
}

fn messages(props: &Props) -> Html {
    let Props { texts: t, troubles, messages, send, .. } = props;
    if messages.is_empty() {
        return html! { <p class="quiet small">{ t.t("fl.messages.none") }</p> };
    }
    html! {
        <ul class="message-list" data-testid="messages">
            { for messages.iter().take(MESSAGES).map(|f| {
                let held = troubles.held.contains(&f.id);
                let open = Action::Menu(Some(Target::Message(f.id)));
                let label = t.fill("fl.message", &[("what", &message_name(f))]);
                html! {
                    <li key={f.id}><Do class={classes!("small", held.then_some("held"))} {label} action={open} send={send.clone()}>
                        <span class="mono">{ message_name(f) }</span>
                        if held { <span class="quiet">{ t.t("fl.message.held") }</span> }
                    </Do></li>
                }
            }) }
        </ul>
    }
}

/// The menu of a message.
pub fn message_menu(t: &Texts, f: &Flight, held: bool, send: &Send) -> Html {
    let one = |act: MessageAct| {
        let label = trouble_words::act(t, act);
        let trouble = Trouble::Message { id: f.id, act };
        html! {
            <Do {label} action={Action::Do(Command::Trouble(trouble))} send={send.clone()}
                title={trouble_words::act_why(t, act)}/>
        }
    };
    html! {
        <>
            { one(if held { MessageAct::Release } else { MessageAct::Hold }) }
            { one(MessageAct::Now) }
            { one(MessageAct::Delay { millis: 200 }) }
            { one(MessageAct::Duplicate) }
            { one(MessageAct::Drop) }
            <p class="quiet small menu-why">{ t.t("tr.act.drop.why") }</p>
        </>
    }
}

/// A form for a rule.
#[derive(Properties, PartialEq)]
pub struct RuleProps {
    /// Texts.
    pub texts: Rc<Texts>,
    /// All servers.
    pub servers: Vec<ServerId>,
    /// Where actions go.
    pub send: Send,
}

/// See [`RuleProps`].
#[component]
pub fn RuleForm(props: &RuleProps) -> Html {
    let RuleProps { texts: t, servers, send } = props;
    let (act, kind, from, to) = (use_node_ref(), use_node_ref(), use_node_ref(), use_node_ref());
    let onsubmit = {
        let (send, act, kind, from, to) = (send.clone(), act.clone(), kind.clone(), from.clone(), to.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            let value = |node: &NodeRef| node.cast::<HtmlSelectElement>().map(|s| s.value()).unwrap_or_default();
            let end = |node: &NodeRef| value(node).parse().ok().map(|n| Place::Server(ServerId(n)));
            let act = match value(&act).as_str() {
                "hold" => MessageAct::Hold,
                "delay" => MessageAct::Delay { millis: 200 },
                "duplicate" => MessageAct::Duplicate,
                _ => MessageAct::Drop,
            };
            let kind = Some(value(&kind)).filter(|k| !k.is_empty());
            let rule = MessageRule { kind, from: end(&from), to: end(&to), with: None, act };
            send.emit(Action::Do(Command::Trouble(Trouble::NextMessage(rule))));
        })
    };
    let acts = [
        ("drop", MessageAct::Drop),
        ("hold", MessageAct::Hold),
        ("delay", MessageAct::Delay { millis: 200 }),
        ("duplicate", MessageAct::Duplicate),
    ];
    let end = |node: &NodeRef, name: String| {
        html! {
            <label>{ name.clone() }<select ref={node.clone()} aria-label={name}>
                <option value="" selected=true>{ t.t("tr.anybody") }</option>
                { for servers.iter().map(|s| html! { <option value={s.to_string()}>{ s.to_string() }</option> }) }
            </select></label>
        }
    };
    html! {
        <form class="rule-form" {onsubmit}>
            <label>{ t.t("fl.rule.act") }<select ref={act} aria-label={t.t("fl.rule.act")}>
                { for acts.iter().enumerate().map(|(i, (name, act))| html! { <option value={*name} selected={i == 0}>{ trouble_words::act(t, *act) }</option> }) }
            </select></label>
            <label>{ t.t("fl.rule.kind") }<select ref={kind} aria-label={t.t("fl.rule.kind")}>
                <option value="">{ t.t("tr.any") }</option>
                { for KINDS.iter().map(|k| html! { <option value={*k} selected={*k == "COMMIT"}>{ short_kind(k) }</option> }) }
            </select></label>
            { end(&from, t.t("fl.rule.from")) }
            { end(&to, t.t("fl.rule.to")) }
            <button type="submit" class="btn small">{ t.t("fl.rule.add") }</button>
        </form>
    }
}

/// A form for chaos.
#[derive(Properties, PartialEq)]
pub struct ChaosProps {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Its seed, while it goes on.
    pub running: Option<u64>,
    /// Where actions go.
    pub send: Send,
}

/// See [`ChaosProps`].
#[component]
pub fn ChaosForm(props: &ChaosProps) -> Html {
    let ChaosProps { texts: t, running, send } = props;
    let seed = use_node_ref();
    let onsubmit = {
        let (send, seed) = (send.clone(), seed.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            let text = seed.cast::<HtmlInputElement>().map(|i| i.value()).unwrap_or_default();
            let seed = crate::components::setup::seed_of(&text);
            send.emit(Action::Do(Command::Trouble(Trouble::Chaos { seed })));
        })
    };
    html! {
        <form class="rule-form" {onsubmit}>
            <label>{ t.t("setup.seed") }<input ref={seed} type="text" aria-label={t.t("fl.chaos.seed")} inputmode="numeric" maxlength="24"
                value={running.unwrap_or(1).to_string()}/></label>
            <button type="submit" class="btn small">{ t.t("fl.chaos.start") }</button>
            if running.is_some() {
                { button(t.t("fl.chaos.stop"), Trouble::Calm, send) }
            }
        </form>
    }
}

/// The numbers of a link, to be changed.
#[derive(Properties, PartialEq)]
pub struct LinkProps {
    /// Texts.
    pub texts: Rc<Texts>,
    /// Its ends.
    pub ends: (ServerId, ServerId),
    /// What it has now: extra latency, jitter, loss, copies.
    pub now: [u32; 4],
    /// Where actions go.
    pub send: Send,
}

/// See [`LinkProps`].
#[component]
pub fn LinkForm(props: &LinkProps) -> Html {
    let LinkProps { texts: t, ends: (a, b), now, send } = props;
    let (a, b) = (*a, *b);
    let fields = [use_node_ref(), use_node_ref(), use_node_ref(), use_node_ref()];
    let way = use_node_ref();
    let delay = now[0];
    let onsubmit = {
        let (send, fields, way) = (send.clone(), fields.clone(), way.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            let value = |node: &NodeRef| node.cast::<HtmlInputElement>().map(|i| i.value()).unwrap_or_default();
            // What is no number is refused like one that is too large.
            let number = |node: &NodeRef| value(node).trim().parse::<u32>().unwrap_or(u32::MAX);
            let [millis, jitter_ms, loss_percent, copy_percent] = [0, 1, 2, 3].map(|i| number(&fields[i]));
            let way = way.cast::<HtmlSelectElement>().map(|s| s.value()).unwrap_or_default();
            let ways: &[(ServerId, ServerId)] = match way.as_str() {
                "forth" => &[(a, b)],
                "back" => &[(b, a)],
                _ => &[(a, b), (b, a)],
            };
            for (from, to) in ways.iter().copied() {
                if millis != delay {
                    send.emit(Action::Do(Command::Delay { from, to, millis: millis.min(600_000) }));
                }
                let unsteady = Trouble::Unsteady { from, to, jitter_ms, loss_percent, copy_percent };
                send.emit(Action::Do(Command::Trouble(unsteady)));
            }
            send.emit(Action::Menu(None));
        })
    };
    let names = ["fl.link.delay", "fl.link.jitter", "fl.link.loss", "fl.link.copies"].map(|key| t.t(key));
    html! {
        <form class="rule-form" {onsubmit}>
            { for names.iter().zip(&fields).zip(now).map(|((name, field), n)| html! {
                <label>{ name }<input ref={field.clone()} type="number" min="0" max="10000" aria-label={name.clone()} value={n.to_string()}/></label>
            }) }
            <label>{ t.t("fl.link.way") }<select ref={way} aria-label={t.t("fl.link.way")}>
                <option value="both" selected=true>{ format!("{a} ⇄ {b}") }</option>
                <option value="forth">{ format!("{a} → {b}") }</option>
                <option value="back">{ format!("{b} → {a}") }</option>
            </select></label>
            <button type="submit" class="btn small">{ t.t("fl.link.set") }</button>
        </form>
    }
}

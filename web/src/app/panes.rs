//! The panes around the stage: what of the state each of them shows.

use super::App;
use crate::captions::{self};
use crate::components::clients::Clients;
use crate::components::event_list::EventList;
use crate::components::faults::Faults;
use crate::components::figures::{self, Figures};
use crate::components::inspector::Inspector;
use crate::components::ledger::Ledger;
use crate::components::links::Links;
use crate::components::members::Members;
use crate::components::spacetime::SpaceTime;
use crate::components::time_panel::{self};
use crate::components::timeline_bar::{TimelineBar, model};
use crate::components::tree_panel::TreePanel;
use crate::components::{ballots, caption, checks, controls, model_panel};
use crate::desk::Centre;
use crate::next;
use crate::parts::Part;
use crate::scene::ballots::Board;
use crate::scene::ledger::Ledger as LedgerModel;
use crate::scene::legend::Legend as LegendModel;
use crate::scene::spacetime::{Diagram, TEXT};
use crate::scene::tree::{Difference, TreeModel};
use crate::store::{Action, Tab};
use std::rc::Rc;
use yew::prelude::*;
use zebu_core::config::MemberKind;
use zebu_core::id::{ServerId, SessionId};
use zebu_core::sim::check::Rule;
use zebu_core::sim::view::Shown;
use zebu_core::trace::TraceEvent;

/// Landmarks that the list offers.
const LANDMARKS: usize = 40;

impl App {
    /// What the leader has left of each session: microseconds, and of how many.
    fn left_of_sessions(&self) -> Vec<(SessionId, u64, u64)> {
        let view = &self.state.view;
        let leader = view.servers.iter().filter(|s| s.shown == Shown::Leading && s.serving).max_by_key(|s| s.epoch);
        let sessions = leader.into_iter().flat_map(|s| &s.sessions);
        let left = sessions.filter_map(|session| {
            let left = session.expires?.since(view.at).as_micros();
            let of = u64::try_from(session.timeout_ms).unwrap_or(0) * 1000;
            Some((session.id, u64::try_from(left).unwrap_or(u64::MAX).min(of), of))
        });
        left.collect()
    }

    /// Who is a member, as the leader knows it, where that may change.
    fn members(&self) -> Html {
        let s = &self.state;
        let leads = s.view.servers.iter().filter(|v| v.shown == Shown::Leading && v.serving).max_by_key(|v| v.epoch);
        let known = leads.into_iter().chain(&s.view.servers).find_map(|v| v.inside.members.clone());
        let Some(members) = known else { return html! {} };
        html! { <Members texts={s.texts.clone()} servers={s.servers()} {members} send={self.send.clone()}/> }
    }

    pub(super) fn left(&self) -> Html {
        let s = &self.state;
        let voters =
            s.view.servers.iter().filter(|v| v.kind == MemberKind::Participant).map(|v| v.id).collect::<Vec<_>>();
        html! {
            <aside class="left">
                <Clients texts={s.texts.clone()} clients={s.view.clients.clone()} servers={s.servers()} free={s.free_client()}
                    left={self.left_of_sessions()} recipes={s.spec().protocol.is_zookeeper()} send={self.send.clone()}/>
                <Links texts={s.texts.clone()} servers={s.servers()} voters={voters} links={s.view.links.clone()} lasso={s.lasso} send={self.send.clone()}/>
                { self.members() }
                <Faults texts={s.texts.clone()} servers={s.servers()} selected={s.selected} troubles={s.time.troubles.clone()}
                    messages={self.messages()} send={self.send.clone()}/>
            </aside>
        }
    }

    pub(super) fn right(&self, scenario: Option<crate::components::caption::Lesson>) -> Html {
        let s = &self.state;
        let t = &s.texts;
        let (events, figures) = (s.tab == Tab::Events, s.tab == Tab::Figures);
        let tab = |tab: Tab, name: String, on: bool| {
            html! {
                <button type="button" role="tab" aria-selected={on.to_string()} class={classes!("tab", on.then_some("on"))}
                    onclick={self.send.reform(move |_| Action::Show(tab))}>{ name }</button>
            }
        };
        let pane = || {
            html! {
                <>
                <div class="tabs" role="tablist">
                    { tab(Tab::Inspect, t.fill("tab.inspect", &[("id", &s.selected)]), !events && !figures) }
                    { tab(Tab::Events, t.t("tab.events"), events) }
                    { tab(Tab::Figures, t.t("see.figures"), figures) }
                </div>
                <div class="pane" role="tabpanel">
                    if events {
                        <EventList texts={t.clone()} entries={self.entries()} now={s.timeline().moment()} need={self.need()} send={self.send.clone()}/>
                    } else if figures {
                        <Figures texts={t.clone()} counts={s.timeline().history().flow().counts(s.timeline().moment())}
                            writes={figures::listed(s.timeline().history().flow().writes(s.timeline().moment()))}/>
                    } else if let Some(server) = s.view.servers.iter().find(|v| v.id == s.selected) {
                        <Inspector texts={t.clone()} server={server.clone()} differs={self.differs()} owners={self.owners()} now={s.view.at} send={self.send.clone()}/>
                    }
                </div>
                </>
            }
        };
        html! {
            <aside class="right">
                { caption::view(&caption::Props { texts: t.clone(), words: self.words(), lesson: scenario, send: self.send.clone() }) }
                { self.parts.show(Part::Pane, pane) }
                { checks::view(&checks::Props {
                    texts: t.clone(),
                    checks: s.view.checks.clone(),
                    diverged: s
                        .timeline()
                        .diverged()
                        .map(|n| t.fill("check.replay.broken", &[("n", &n), ("seed", &s.spec().seed)])),
                    moments: self.violations(),
                    send: self.send.clone(),
                }) }
            </aside>
        }
    }

    pub(super) fn foot(&self) -> Html {
        let s = &self.state;
        let t = &s.texts;
        let (now, frontier) = (s.timeline().moment(), s.timeline().frontier());
        let time = format!("{:.2}", s.view.at.0 as f64 / 1e6);
        let time = t.fill("time.s", &[("n", &time)]);
        let landmarks: Vec<(u64, String)> = s
            .timeline()
            .history()
            .landmarks()
            .rev()
            .take(LANDMARKS)
            .filter_map(|e| {
                let words = captions::caption(t, &e.what, self.need())?;
                Some((e.event, format!("{:.2} · {}", e.at.0 as f64 / 1e6, words.text)))
            })
            .collect();
        let next = next::text(t, &s.view).unwrap_or_else(|| t.t("play.nothing"));
        let due = s.view.next.as_ref().map(|n| t.duration(n.at.0.saturating_sub(s.view.at.0)));
        html! {
            <footer class="foot">
                { controls::view(&controls::Props {
                    texts: t.clone(),
                    playing: s.player().is_playing(),
                    speed: s.player().speed_text(),
                    past: now > 0,
                    send: self.send.clone(),
                }) }
                <TimelineBar texts={t.clone()} model={model(s.timeline().history(), &s.servers(), s.spec().protocol.is_zookeeper(), (now, frontier), &self.bookmarks())} {now} {frontier}
                    time={time.clone()} {landmarks} under={self.lines()} beside={self.time_menu()} preview={self.preview()} send={self.send.clone()}/>
                <div class="status">
                    <p class="mono">{ time }{ " · " }{ t.fill("play.event", &[("n", &now), ("all", &frontier)]) }</p>
                    <p class="next-event"><span>{ t.t("play.next") }{ ": " }</span>{ next }
                        if let Some(due) = due { <span class="due">{ " · " }{ t.fill("play.in", &[("time", &due)]) }</span> }
                    </p>
                    if let Some(stopped) = time_panel::stopped(t, s.stopped_at()) {
                        <p class="small" role="status" data-testid="stopped">{ stopped }</p>
                    } else if now < frontier {
                        <p class="quiet small">{ t.t("play.undone") }</p>
                    }
                </div>
                { time_panel::future(t, &s.time.upcoming, &s.view.flights, s.view.at.0, &self.send) }
            </footer>
        }
    }

    pub(super) fn phone_tabs(&self) -> Html {
        let t = &self.state.texts;
        let tabs = [
            (Tab::Ledger, t.t("tab.ledger")),
            (Tab::Inspect, t.fill("tab.inspect", &[("id", &self.state.selected)])),
            (Tab::Clients, t.t("tab.clients")),
            (Tab::Faults, t.t("tab.faults")),
            (Tab::Tree, t.t(if self.state.spec().protocol.is_zookeeper() { "tab.tree" } else { "md.servers" })),
            (Tab::Events, t.t("tab.events")),
            (Tab::Figures, t.t("see.figures")),
        ];
        html! {
            <nav class="phone-tabs">
                { for tabs.into_iter().map(|(tab, name)| html! {
                    <button type="button" class={classes!("tab", (self.state.tab == tab).then_some("on"))}
                        aria-pressed={(self.state.tab == tab).to_string()} onclick={self.send.reform(move |_| Action::Show(tab))}>{ name }</button>
                }) }
            </nav>
        }
    }

    fn tree(&self) -> Html {
        let s = &self.state;
        if let Some(board) = Board::new(&s.view) {
            return ballots::pane(&s.texts, &board);
        }
        if s.view.servers.iter().any(|v| v.model.is_some()) {
            return model_panel::view(&s.texts, &s.view);
        }
        let Some(tree) = self.tree_model() else { return html! {} };
        let send = self.send.clone();
        let leads = s.view.servers.iter().any(|v| v.id == s.selected && v.shown == Shown::Leading);
        html! { <TreePanel texts={s.texts.clone()} {tree} {leads} {send}/> }
    }

    pub(super) fn lower(&self) -> Html {
        let s = &self.state;
        html! {
            <div class="lower">
                <Ledger texts={s.texts.clone()} ledger={Rc::new(self.ledger())} selected={s.selected} fold={s.desk.fold} send={self.send.clone()}/>
                { self.tree() }
            </div>
        }
    }

    /// The znodes of the selected server, made once for a picture.
    fn tree_model(&self) -> Option<Rc<TreeModel>> {
        let s = &self.state;
        let mut known = self.tree.borrow_mut();
        match &*known {
            Some((view, id, tree)) if Rc::ptr_eq(view, &s.view) && *id == s.selected => tree.clone(),
            _ => {
                let tree = TreeModel::new(&s.view, s.selected).map(Rc::new);
                *known = Some((s.view.clone(), s.selected, tree.clone()));
                tree
            }
        }
    }

    fn ledger(&self) -> LedgerModel {
        LedgerModel::new(&self.state.view, self.state.desk.columns, self.state.desk.fold)
    }

    pub(super) fn legend(&self) -> LegendModel {
        let view = &self.state.view;
        LegendModel::new(&self.stage, &view.flights, &self.ledger(), self.tree_model().as_deref())
    }

    pub(super) fn spacetime(&self) -> Html {
        let s = &self.state;
        if s.desk.centre != Centre::SpaceTime {
            return html! {};
        }
        let (history, now) = (s.timeline().history(), s.timeline().moment());
        let light = s.desk.pick.map(|p| history.flow().light(p.place, p.moment));
        let text = match s.size.0 {
            _ if s.stage_mode => 24.0,
            width if width > 1000.0 => TEXT * 1.25,
            _ => TEXT,
        };
        let window = (s.size.1 - 92.0, text);
        let diagram = Diagram::new(&s.view, history.flow(), history.entries(), now, window, light.as_ref());
        html! {
            <SpaceTime texts={s.texts.clone()} diagram={Rc::new(diagram)} pick={s.desk.pick} need={self.need()} send={self.send.clone()}/>
        }
    }

    /// How many znodes of the selected server differ from the leader's, and the leader.
    fn differs(&self) -> Option<(usize, ServerId)> {
        let tree = self.tree_model()?;
        let different = tree.lines.iter().filter(|l| l.difference != Difference::Same).count();
        Some((different, tree.leader?))
    }

    fn owners(&self) -> Vec<(SessionId, String)> {
        self.state.view.clients.iter().filter_map(|c| Some((c.session?, c.id.to_string()))).collect()
    }

    /// Which rule was broken at which moment, as far as played.
    fn violations(&self) -> Vec<(Rule, u64)> {
        if self.state.view.checks.iter().all(|c| c.broken.is_none()) {
            return Vec::new();
        }
        let landmarks = self.state.timeline().history().landmarks();
        landmarks
            .filter_map(|e| match &*e.what {
                TraceEvent::Violation { rule, .. } => Some((*rule, e.event)),
                _ => None,
            })
            .collect()
    }
}

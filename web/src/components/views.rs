//! How the middle of the page is looked at: stage or space-time, how the servers stand, the legend.

use crate::components::{Do, Send};
use crate::desk::{Centre, Choose, Desk};
use crate::i18n::Texts;
use crate::scene::layout::Geometry;
use crate::store::Action;
use web_sys::HtmlSelectElement;
use yew::prelude::*;

/// The switches.
pub fn view(t: &Texts, desk: &Desk, stage_mode: bool, searching: Option<u32>, send: &Send) -> Html {
    let geometry = {
        let send = send.clone();
        Callback::from(move |e: Event| {
            let chosen = e.target_dyn_into::<HtmlSelectElement>().and_then(|s| Geometry::named(&s.value()));
            if let Some(geometry) = chosen {
                send.emit(Action::Desk(Choose::Geometry(geometry)));
            }
        })
    };
    let centre = |centre: Centre, name: String| {
        html! {
            <Do class="tiny" label={name} action={Action::Desk(Choose::Centre(centre))} send={send.clone()} pressed={desk.centre == centre}/>
        }
    };
    html! {
        <div class="views" role="group" aria-label={t.t("see.views")}>
            { centre(Centre::Stage, t.t("see.stage")) }
            { centre(Centre::SpaceTime, t.t("see.spacetime")) }
            if desk.centre == Centre::Stage {
                <select class="tiny" onchange={geometry} aria-label={t.t("see.geometry")}>
                    { for Geometry::ALL.iter().map(|g| html! {
                        <option value={g.name()} selected={*g == desk.geometry}>{ t.t(geometry_key(*g)) }</option>
                    }) }
                </select>
            }
            if !desk.moved.is_empty() {
                <Do class="tiny" label={t.t("see.tidy")} action={Action::Desk(Choose::Tidy)} send={send.clone()}/>
            }
            <Do class="tiny" label={t.t("see.legend")} action={Action::Desk(Choose::Legend)} send={send.clone()} pressed={desk.legend}
                title={format!("{} (l)", t.t("see.legend"))}/>
            <Do class="tiny wide-only" label={t.t("see.notes")} action={Action::Notes} send={send.clone()}/>
            if stage_mode {
                <Do class="tiny exit" label={t.t("see.stage.leave")} action={Action::StageMode} send={send.clone()} title={format!("{} (s)", t.t("see.stage.leave"))}/>
            }
            if let Some(n) = searching { <p class="searching" role="status">{ t.fill("see.search.running", &[("n", &n)]) }</p> }
        </div>
    }
}

fn geometry_key(g: Geometry) -> &'static str {
    match g {
        Geometry::Ring => "see.geometry.ring",
        Geometry::Row => "see.geometry.row",
        Geometry::Centres => "see.geometry.centres",
    }
}

//! Play, pause, step, speed.

use crate::components::{Do, Send, icons};
use crate::i18n::Texts;
use crate::store::Action;
use std::rc::Rc;
use yew::prelude::*;

/// The transport.
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// It plays.
    pub playing: bool,
    /// The speed as text.
    pub speed: String,
    /// There is something before this moment.
    pub past: bool,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
pub fn view(props: &Props) -> Html {
    let Props { texts: t, playing, speed, past, send } = props;
    html! {
        <div class="transport" role="group">
            <Do class="round" label={t.t("play.back")} action={Action::StepBack} send={send.clone()} disabled={!past}
                title={format!("{} (←)", t.t("play.back"))}>{ icons::back() }</Do>
            if *playing {
                <Do class="round primary" label={t.t("play.pause")} action={Action::Pause} send={send.clone()}
                    title={format!("{} (␣)", t.t("play.pause"))}>{ icons::pause() }</Do>
            } else {
                <Do class="round primary" label={t.t("play.play")} action={Action::Play} send={send.clone()}
                    title={format!("{} (␣)", t.t("play.play"))}>{ icons::play() }</Do>
            }
            <Do class="round" label={t.t("play.step")} action={Action::Step} send={send.clone()}
                title={format!("{} (→)", t.t("play.step"))}>{ icons::step() }</Do>
            <Do class="round" label={t.t("play.turn")} action={Action::NextTurn} send={send.clone()}
                title={t.t("play.turn.title")}>{ icons::turn() }</Do>
            <span class="speed">
                <Do class="tiny" label={t.t("play.slower")} action={Action::Faster(-1)} send={send.clone()}
                    title={format!("{} ([)", t.t("play.slower"))}>{ "−" }</Do>
                <output aria-label={t.fill("play.speed", &[("speed", speed)])}>{ speed }</output>
                <Do class="tiny" label={t.t("play.faster")} action={Action::Faster(1)} send={send.clone()}
                    title={format!("{} (])", t.t("play.faster"))}>{ "+" }</Do>
            </span>
        </div>
    }
}

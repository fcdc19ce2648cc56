//! The legend: the signs that are on the screen now, and no others.

use crate::components::{Do, Send, icons};
use crate::desk::Choose;
use crate::i18n::Texts;
use crate::scene::legend::{Glyph, Legend as Model};
use crate::store::Action;
use std::rc::Rc;
use yew::prelude::*;

/// The legend.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What is on the screen.
    pub legend: Model,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn Legend(props: &Props) -> Html {
    let Props { texts: t, legend, send } = props;
    html! {
        <section class="legend-box" data-testid="legend" aria-label={t.t("see.legend")}>
            <div class="legend-head">
                <h2>{ t.t("see.legend") }</h2>
                <Do class="icon-only tiny" label={t.t("see.legend.close")} action={Action::Desk(Choose::Legend)} send={send.clone()}>{ icons::close() }</Do>
            </div>
            <ul>
                { for legend.glyphs.iter().map(|g| html! {
                    <li key={g.key()} data-glyph={g.key()}>{ sample(*g) }<span>{ t.t(&text_key(*g)) }</span></li>
                }) }
                { for legend.kinds.iter().map(|kind| {
                    let key = format!("msg.{kind}");
                    let text = if t.has(&key) { t.t(&key) } else { t.t("msg.other") };
                    html! { <li key={kind.clone()} data-kind={kind.clone()}><b class="mono kind">{ kind }</b><span>{ text }</span></li> }
                }) }
            </ul>
        </section>
    }
}

fn text_key(g: Glyph) -> String {
    match g {
        Glyph::Stamp(stamp) => stamp.key().to_string(),
        other => format!("lg.{}", other.key()),
    }
}

/// The sign itself, small.
fn sample(g: Glyph) -> Html {
    if let Glyph::Stamp(stamp) = g {
        return html! { <i class={classes!("swatch", stamp.class())} aria-hidden="true"></i> };
    }
    let inside = match g {
        Glyph::Leader => {
            html! { <><circle class="a" cx="18" cy="14" r="8"/><circle class="a thin" cx="18" cy="14" r="11"/><path class="f" d="M13 3l2 3 3-4 3 4 2-3-1 5h-8z" transform="translate(0 -2)"/></> }
        }
        Glyph::HollowCrown => {
            html! { <><circle class="a" cx="18" cy="15" r="8"/><path class="a thin" d="M12 5l3 3 3-4 3 4 3-3-1 5h-10z" transform="translate(0 -3)"/></> }
        }
        Glyph::Follower => html! { <circle class="a" cx="18" cy="12" r="8"/> },
        Glyph::Looking => html! { <circle class="a dots" cx="18" cy="12" r="8"/> },
        Glyph::Observer => html! { <circle class="a dash" cx="18" cy="12" r="8"/> },
        Glyph::Down => {
            html! { <><circle class="a thin" cx="18" cy="12" r="8"/><path class="a" d="M13 7l10 10m0 -10l-10 10"/></> }
        }
        Glyph::Paused => html! { <path class="c" d="M14 6v12M22 6v12"/> },
        Glyph::Epoch => {
            html! { <><rect class="f e2" x="4" y="5" width="28" height="14" rx="7"/><text x="18" y="16" text-anchor="middle" class="on">{ "2" }</text></> }
        }
        Glyph::Clock => html! { <path class="c" d="M18 3a9 9 0 1 1 -9 9" fill="none"/> },
        Glyph::Reign => html! { <path class="a e2" d="M3 12H33"/> },
        Glyph::Cut => html! { <><path class="c thin dots" d="M3 12H33"/><path class="c" d="M14 8l8 8m0 -8l-8 8"/></> },
        Glyph::OneWay => {
            html! { <><path class="c thin dots" d="M3 12H33"/><path class="c" d="M10 8l8 8m0 -8l-8 8M24 7l6 5-6 5"/></> }
        }
        Glyph::Slow => html! { <path class="a dash" d="M3 12H33"/> },
        Glyph::Request => html! { <rect class="f" x="5" y="5" width="26" height="14" rx="7"/> },
        Glyph::Reply => html! { <rect class="a" x="5" y="5" width="26" height="14" rx="7"/> },
        Glyph::Heartbeat => html! { <circle class="f soft" cx="18" cy="12" r="3.5"/> },
        Glyph::Lost => {
            html! { <><rect class="a thin" x="5" y="5" width="26" height="14" rx="7"/><path class="c" d="M13 7l10 10m0 -10l-10 10"/></> }
        }
        Glyph::Client => {
            html! { <><rect class="a thin" x="9" y="3" width="18" height="18" rx="5"/><text x="18" y="16" text-anchor="middle">{ "A" }</text></> }
        }
        Glyph::Holder => {
            html! { <><rect class="f" x="9" y="3" width="18" height="18" rx="5"/><text class="on" x="18" y="16" text-anchor="middle">{ "A" }</text></> }
        }
        Glyph::Meter => {
            html! { <><rect class="f" x="4" y="8" width="8" height="8"/><rect class="f" x="14" y="8" width="8" height="8"/><rect class="a thin" x="24" y="8" width="8" height="8"/></> }
        }
        Glyph::Different => html! { <text x="18" y="17" text-anchor="middle">{ "≠" }</text> },
        Glyph::Watched => {
            html! { <><path class="a thin" d="M6 12s4-6 12-6 12 6 12 6-4 6-12 6-12-6-12-6z"/><circle class="f" cx="18" cy="12" r="3"/></> }
        }
        Glyph::Lit => {
            html! { <><circle class="a" cx="18" cy="12" r="6"/><circle class="a thin dash" cx="18" cy="12" r="10"/></> }
        }
        Glyph::Stamp(_) => html! {},
    };
    html! { <svg class="glyph" viewBox="0 0 36 24" width="36" height="24" aria-hidden="true">{ inside }</svg> }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;
    use crate::scene::ledger::Stamp;

    #[test]
    fn every_sign_has_its_words() {
        let t = Texts::load(Lang::En);
        for glyph in Glyph::PLAIN.into_iter().chain(Stamp::ALL.map(Glyph::Stamp)) {
            assert!(t.has(&text_key(glyph)), "{}", text_key(glyph));
        }
        for kind in ["VOTE", "PROP", "ACK", "COMMIT", "NEWLEADER", "UPTODATE", "DIFF", "SNAP", "TRUNC", "ACKEPOCH"] {
            assert!(t.has(&format!("msg.{kind}")), "{kind}");
        }
    }
}

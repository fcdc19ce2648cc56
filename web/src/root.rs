//! Which page stands behind an address: the lab, or the comparison of five protocols.

use crate::app::App;
use crate::browser;
use crate::components::compare_page::ComparePage;
use gloo_events::EventListener;
use yew::prelude::*;

/// The address of the comparison.
pub const COMPARE: &str = "/compare";

/// The page.
#[component]
pub fn Root() -> Html {
    let compares = use_state(|| is_comparison(&browser::hash()));
    {
        let compares = compares.clone();
        use_effect_with((), move |()| {
            let listener: Option<EventListener> =
                browser::on_hash(Callback::from(move |hash: String| compares.set(is_comparison(&hash))));
            move || drop(listener)
        });
    }
    if *compares {
        html! { <ComparePage/> }
    } else {
        html! { <App/> }
    }
}

fn is_comparison(hash: &str) -> bool {
    let path = hash.strip_prefix('#').unwrap_or(hash);
    path.split('?').next().is_some_and(|path| path.trim_end_matches('/') == COMPARE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_comparison_has_an_address_of_its_own() {
        for hash in ["#/compare", "#/compare/", "/compare?x=1"] {
            assert!(is_comparison(hash), "{hash}");
        }
        for hash in ["", "#/", "#/s/compare", "#/compared", "#/?compare"] {
            assert!(!is_comparison(hash), "{hash}");
        }
    }
}

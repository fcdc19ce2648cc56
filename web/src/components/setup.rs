//! The ensemble's make-up: how many servers, which seed, which rule broken.

use crate::captions::rule_key;
use crate::compare_words::{self, PROTOCOLS};
use crate::components::Send;
use crate::components::help::Frame;
use crate::i18n::Texts;
use crate::route::{OBSERVERS, SERVERS};
use crate::store::Action;
use std::rc::Rc;
use web_sys::{HtmlInputElement, HtmlSelectElement};
use yew::prelude::*;
use zebu_core::config::BrokenRule;
use zebu_core::sim::WorldSpec;

const RULES: [(&str, BrokenRule); 4] = [
    ("quorum", BrokenRule::CommitWithoutQuorum),
    ("sync", BrokenRule::AckBeforeSync),
    ("epoch", BrokenRule::IgnoreEpoch),
    ("members", BrokenRule::OldQuorumOnly),
];

/// The form.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// What the world is made of now.
    pub spec: WorldSpec,
    /// Where actions go.
    pub send: Send,
}

/// See [`Props`].
#[component]
pub fn Setup(props: &Props) -> Html {
    let Props { texts: t, spec, send } = props;
    let (servers, observers, seed, rule) = (use_node_ref(), use_node_ref(), use_node_ref(), use_node_ref());
    let (protocol, reconfig) = (use_node_ref(), use_node_ref());
    let onsubmit = {
        let (send, servers, observers, seed, rule) =
            (send.clone(), servers.clone(), observers.clone(), seed.clone(), rule.clone());
        let (protocol, reconfig) = (protocol.clone(), reconfig.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            let value = |node: &NodeRef| node.cast::<HtmlInputElement>().map(|i| i.value()).unwrap_or_default();
            let chosen = rule.cast::<HtmlSelectElement>().map(|s| s.value()).unwrap_or_default();
            let run = protocol.cast::<HtmlSelectElement>().map(|s| s.value()).unwrap_or_default();
            send.emit(Action::Setup {
                protocol: PROTOCOLS.iter().find(|(name, _)| *name == run).map(|(_, p)| *p).unwrap_or_default(),
                // What is no number is refused like one out of range.
                servers: value(&servers).trim().parse().unwrap_or(0),
                observers: value(&observers).trim().parse().unwrap_or(u32::MAX),
                seed: seed_of(&value(&seed)),
                broken: RULES.iter().find(|(name, _)| *name == chosen).map(|(_, rule)| *rule),
                reconfig: reconfig.cast::<HtmlInputElement>().is_some_and(|i| i.checked()),
            });
        })
    };
    let another = {
        let seed = seed.clone();
        Callback::from(move |_: MouseEvent| {
            if let Some(input) = seed.cast::<HtmlInputElement>() {
                // Chance from outside enters here only, as a number that is shown.
                input.set_value(&format!("{:.0}", js_sys::Math::random() * 1e6));
            }
        })
    };
    html! {
        <Frame texts={t.clone()} title={t.t("head.setup")} send={send.clone()}>
            <form class="setup" {onsubmit}>
                <label>{ t.t("cmp.protocol") }
                    <select ref={protocol} data-testid="protocol">
                        { for PROTOCOLS.iter().map(|(name, protocol)| html! {
                            <option value={*name} selected={spec.protocol == *protocol}>{ compare_words::protocol(t, *protocol) }</option>
                        }) }
                    </select>
                </label>
                <p class="quiet small">{ t.t("cmp.note") }</p>
                <label>{ t.t("setup.servers") }
                    <input type="number" ref={servers} min={SERVERS.0.to_string()} max={SERVERS.1.to_string()} value={spec.servers.to_string()}/>
                </label>
                <label>{ t.t("setup.observers") }
                    <input type="number" ref={observers} min="0" max={OBSERVERS.to_string()} value={spec.observers.to_string()}/>
                </label>
                <label class="check"><input type="checkbox" ref={reconfig} checked={spec.reconfig}/>{ t.t("mc.setup") }</label>
                <label>{ t.t("setup.seed") }
                    <span class="with-button">
                        <input type="text" inputmode="numeric" ref={seed} value={spec.seed.to_string()} maxlength="24"/>
                        <button type="button" class="btn" onclick={another}>{ t.t("setup.random") }</button>
                    </span>
                </label>
                <p class="quiet small">{ t.t("setup.seed.hint") }</p>
                <label>{ t.t("setup.rule") }
                    <select ref={rule}>
                        <option value="" selected={spec.broken.is_none()}>{ t.t("setup.rule.none") }</option>
                        { for RULES.iter().map(|(name, rule)| html! {
                            <option value={*name} selected={spec.broken == Some(*rule)}>{ t.t(rule_key(*rule)) }</option>
                        }) }
                    </select>
                </label>
                <button type="submit" class="btn primary">{ t.t("setup.apply") }</button>
                <button type="button" class="btn" onclick={send.reform(|_: MouseEvent| Action::Search)} title={t.t("see.search.hint")}>{ t.t("see.search") }</button>
            </form>
        </Frame>
    }
}

/// The seed of what was typed: a number is itself, any other text stands for a number made of it.
pub fn seed_of(text: &str) -> u64 {
    let text = text.trim();
    text.parse().unwrap_or_else(|_| {
        text.bytes().fold(0xcbf2_9ce4_8422_2325, |h: u64, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rule_that_can_be_broken_is_offered() {
        // A new rule does not compile here until it is counted.
        let place = |rule: BrokenRule| match rule {
            BrokenRule::CommitWithoutQuorum => 0,
            BrokenRule::AckBeforeSync => 1,
            BrokenRule::IgnoreEpoch => 2,
            BrokenRule::OldQuorumOnly => 3,
        };
        assert_eq!(RULES.map(|(_, rule)| place(rule)), [0, 1, 2, 3]);
    }

    #[test]
    fn any_text_is_a_seed_and_a_number_is_itself() {
        assert_eq!(seed_of(" 42 "), 42);
        assert_ne!(seed_of("zebra"), seed_of("zebu"));
        assert_eq!(seed_of("zebu"), seed_of("zebu"));
    }
}

//! Who is a member: what is in force, and a change of it. Only where the world lets members change.

use crate::components::{Do, Send};
use crate::i18n::Texts;
use crate::store::Action;
use std::rc::Rc;
use wasm_bindgen::JsCast;
use web_sys::HtmlSelectElement;
use yew::prelude::*;
use zebu_core::config::MemberKind;
use zebu_core::id::ServerId;
use zebu_core::sim::command::Command;
use zebu_core::sim::view::{ConfigView, MembersView};

/// The pane.
#[derive(Properties, PartialEq)]
pub struct Props {
    /// Texts.
    pub texts: Rc<Texts>,
    /// All servers, members or not.
    pub servers: Vec<ServerId>,
    /// As whoever leads, or else the first server, knows it.
    pub members: MembersView,
    /// Where actions go.
    pub send: Send,
}

/// A configuration in words.
pub fn config(t: &Texts, c: &ConfigView) -> String {
    let list = |ids: &[ServerId]| ids.iter().map(ServerId::to_string).collect::<Vec<_>>().join(", ");
    let votes = t.fill("mc.votes", &[("voters", &list(&c.voters)), ("q", &c.quorum), ("n", &c.voters.len())]);
    if c.observers.is_empty() {
        votes
    } else {
        format!("{votes} {}", t.fill("mb.observe", &[("servers", &list(&c.observers))]))
    }
}

/// What a server is in a configuration: a voter, an observer, or nothing.
fn kind(c: &ConfigView, id: ServerId) -> Option<MemberKind> {
    if c.voters.contains(&id) {
        Some(MemberKind::Participant)
    } else {
        c.observers.contains(&id).then_some(MemberKind::Observer)
    }
}

/// Who joins, and who leaves, if these are chosen.
fn change(now: &ConfigView, chosen: &[(ServerId, Option<MemberKind>)]) -> (Vec<(ServerId, MemberKind)>, Vec<ServerId>) {
    let others = chosen.iter().filter(|(id, wish)| kind(now, *id) != *wish);
    let join = others.clone().filter_map(|(id, wish)| Some((*id, (*wish)?))).collect();
    (join, others.filter(|(_, wish)| wish.is_none()).map(|(id, _)| *id).collect())
}

const CHOICES: [(&str, &str, Option<MemberKind>); 3] = [
    ("voter", "mc.voter", Some(MemberKind::Participant)),
    ("observer", "mc.observer", Some(MemberKind::Observer)),
    ("none", "mc.none", None),
];

/// See [`Props`].
#[component]
pub fn Members(props: &Props) -> Html {
    let Props { texts: t, servers, members, send } = props;
    let form = use_node_ref();
    let onsubmit = {
        let (send, form, servers, now) = (send.clone(), form.clone(), servers.clone(), members.committed.clone());
        Callback::from(move |e: SubmitEvent| {
            e.prevent_default();
            let Some(form) = form.cast::<web_sys::Element>() else { return };
            let wish = |id: &ServerId| {
                let field = form.query_selector(&format!("[data-member=\"{id}\"]")).ok().flatten()?;
                let value = field.dyn_into::<HtmlSelectElement>().ok()?.value();
                CHOICES.iter().find(|(name, ..)| *name == value).map(|(.., wish)| (*id, *wish))
            };
            let chosen: Vec<_> = servers.iter().filter_map(wish).collect();
            let (join, leave) = change(&now, &chosen);
            send.emit(Action::Members { join, leave });
        })
    };
    html! {
        <section class="members-pane" aria-labelledby="members-title">
            <h2 id="members-title">{ t.t("mc.title") }</h2>
            <p data-testid="members">{ config(t, &members.committed) }</p>
            if let Some(proposed) = &members.proposed {
                <p class="proposed" data-testid="members-proposed">{ t.fill("mc.proposed", &[("what", &config(t, proposed))]) }</p>
            }
            <Do label={t.t("mc.new")} action={Action::Do(Command::NewServer)} send={send.clone()}/>
            <details>
                <summary>{ t.t("mc.change") }</summary>
                <form ref={form} {onsubmit}>
                    { for servers.iter().map(|id| html! {
                        <label key={id.0}>{ t.fill("place.server", &[("id", id)]) }
                            <select data-member={id.to_string()}>
                                { for CHOICES.iter().map(|(name, key, wish)| html! {
                                    <option value={*name} selected={kind(&members.committed, *id) == *wish}>{ t.t(key) }</option>
                                }) }
                            </select>
                        </label>
                    }) }
                    <button type="submit" class="btn primary">{ t.t("mc.go") }</button>
                </form>
            </details>
        </section>
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::Zxid;

    #[test]
    fn only_what_is_chosen_otherwise_changes() {
        let now = ConfigView {
            version: Zxid(0),
            voters: vec![ServerId(1), ServerId(2)],
            observers: vec![ServerId(3)],
            quorum: 2,
        };
        let (votes, observes) = (Some(MemberKind::Participant), Some(MemberKind::Observer));
        let chosen = [(1, votes), (2, None), (3, votes), (4, observes), (5, None)];
        let chosen: Vec<_> = chosen.iter().map(|(id, wish)| (ServerId(*id), *wish)).collect();
        let (join, leave) = change(&now, &chosen);
        assert_eq!(join, [(ServerId(3), MemberKind::Participant), (ServerId(4), MemberKind::Observer)]);
        assert_eq!(leave, [ServerId(2)]);
    }
}

//! Changes of members in the reader's words.

use crate::i18n::Texts;
use zebu_core::config::MemberKind;
use zebu_core::id::ServerId;
use zebu_core::note::Note;
use zebu_core::sim::command::Command;

fn list(servers: &[ServerId]) -> String {
    servers.iter().map(ServerId::to_string).collect::<Vec<_>>().join(", ")
}

fn with_roles(t: &Texts, servers: &[(ServerId, MemberKind)]) -> String {
    let one = |(server, kind): &(ServerId, MemberKind)| match kind {
        MemberKind::Participant => server.to_string(),
        MemberKind::Observer => t.fill("mb.observer", &[("s", server)]),
    };
    servers.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// A request for a change of members, or the configuration that answers it, without addresses; nothing for other texts.
pub fn brief(t: &Texts, text: &str) -> Option<String> {
    let ids = |text: &str| {
        let known = text.split("server.").skip(1);
        known.filter_map(|member| Some(ServerId(member.split_once('=')?.0.parse().ok()?))).collect::<Vec<_>>()
    };
    if let Some(change) = text.strip_prefix("reconfig ") {
        let join = ids(change);
        let leave: Vec<ServerId> = change.split([' ', ',']).filter_map(|id| id.parse().ok().map(ServerId)).collect();
        let part = |key: &str, servers: &[ServerId]| {
            (!servers.is_empty()).then(|| t.fill(key, &[("servers", &list(servers))]))
        };
        let parts: Vec<String> = part("mb.ask.join", &join).into_iter().chain(part("mb.ask.leave", &leave)).collect();
        return (!parts.is_empty()).then(|| format!("reconfig {}", parts.join(" ").trim_end_matches(['.', '。'])));
    }
    let members = ids(text.strip_prefix('"').filter(|text| text.starts_with("server."))?);
    Some(t.fill("mc.now", &[("servers", &list(&members))]))
}

/// What a button of this kind did; nothing for other commands.
pub fn command(t: &Texts, command: &Command) -> Option<(String, String)> {
    Some(match command {
        Command::NewServer => (t.t("mb.new"), t.t("mb.new.why")),
        Command::Reconfig { client: c, join, leave } => {
            let join = (!join.is_empty()).then(|| t.fill("mb.ask.join", &[("servers", &with_roles(t, join))]));
            let leave = (!leave.is_empty()).then(|| t.fill("mb.ask.leave", &[("servers", &list(leave))]));
            let what = join.into_iter().chain(leave).collect::<Vec<_>>().join(" ");
            (t.fill("mb.ask", &[("c", c), ("what", &what)]), t.t("mb.ask.why"))
        }
        Command::ReplaceMembers { client: c, members } => {
            (t.fill("mb.ask.all", &[("c", c), ("servers", &with_roles(t, members))]), t.t("mb.ask.why"))
        }
        _ => return None,
    })
}

/// The caption of a note of this kind; nothing for other notes.
pub fn note(t: &Texts, s: ServerId, note: &Note) -> Option<(String, String)> {
    let of = |key: &str, voters: &[ServerId], observers: &[ServerId]| {
        let text = t.fill(key, &[("s", &s), ("voters", &list(voters))]);
        if observers.is_empty() {
            text
        } else {
            format!("{text} {}", t.fill("mb.observe", &[("servers", &list(observers))]))
        }
    };
    Some(match note {
        Note::MembersProposed { voters, observers, .. } => {
            (of("mb.proposed", voters, observers), t.t("mb.proposed.why"))
        }
        Note::MembersChanged { voters, observers, .. } => (of("mb.changed", voters, observers), t.t("mb.changed.why")),
        Note::HandsOver { to } => (t.fill("mb.hands-over", &[("s", &s), ("to", to)]), t.t("mb.hands-over.why")),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::Lang;

    #[test]
    fn a_change_and_its_answer_are_told_without_addresses() {
        let (en, zh) = (Texts::load(Lang::En), Texts::load(Lang::Zh));
        let join =
            "reconfig server.4=10.0.0.4:2888:3888:participant;10.0.0.4:2181,server.5=10.0.0.5:2888:3888:observer";
        let answer = "\"server.1=10.0.0.1:2888:3888:participant;10.0.0.1:2181·server.2=10.0.0.2:1:2:observer·version=10\" (version -1)";
        for (text, told) in [
            (join, Some("reconfig join: 4, 5")),
            ("reconfig 3", Some("reconfig leave: 3")),
            ("reconfig server.4=10.0.0.4:1:2:participant 1,2", Some("reconfig join: 4. leave: 1, 2")),
            (answer, Some("members: 1, 2")),
            ("create /x server.1=a", None),
            ("reconfig ", None),
            ("version 1, created 1:2", None),
        ] {
            assert_eq!(brief(&en, text).as_deref(), told, "{text}");
        }
        assert_eq!(brief(&zh, join).as_deref(), Some("reconfig 加入：4, 5"));
    }
}

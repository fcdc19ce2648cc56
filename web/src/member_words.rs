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

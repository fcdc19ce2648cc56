//! The next event in words, from the picture: it is named before it happens.

use crate::i18n::{Lang, Texts};
use crate::scene::packets::short_kind;
use zebu_core::sim::view::{Place, WorldView};
use zebu_core::status::Deadline;

/// A place's name.
pub fn place(t: &Texts, place: Place) -> String {
    match place {
        Place::Server(id) => t.fill("place.server", &[("id", &id)]),
        Place::Client(id) => t.fill("place.client", &[("id", &id)]),
    }
}

/// The next event; `None` when nothing more is due.
pub fn text(t: &Texts, view: &WorldView) -> Option<String> {
    let next = view.next.as_ref()?;
    let at = place(t, next.place);
    if let Some(f) = view.flights.iter().find(|f| f.due == next.at && f.to == next.place && !f.lost) {
        let text = t.fill("next.arrives", &[("kind", &short_kind(&f.kind)), ("label", &f.label), ("place", &at)]);
        return Some(text.replace("  ", " "));
    }
    let deadline = match next.place {
        Place::Server(id) => view.servers.iter().find(|s| s.id == id).and_then(|s| s.deadline),
        Place::Client(_) => None,
    };
    let key = match deadline.filter(|(due, _)| due.0.abs_diff(next.at.0) < 1000).map(|(_, what)| what) {
        Some(Deadline::Notifications) => "next.notifications",
        Some(Deadline::Finalize) => "next.finalize",
        Some(Deadline::Join) => "next.join",
        Some(Deadline::Tick) => "next.tick",
        Some(Deadline::LeaderSilent) => "next.leader-silent",
        Some(Deadline::Redial) => "next.redial",
        Some(Deadline::Session) => "next.session",
        Some(Deadline::Containers) => "next.containers",
        Some(Deadline::ReadOnly) => "next.read-only",
        None if t.lang == Lang::En => return Some(next.what.clone()),
        None if next.what.contains("sync") => "next.disk",
        None => "next.other",
    };
    Some(t.fill(key, &[("place", &at)]))
}

/// A deadline's name.
pub fn deadline_key(deadline: Deadline) -> &'static str {
    match deadline {
        Deadline::Notifications => "deadline.notifications",
        Deadline::Finalize => "deadline.finalize",
        Deadline::Join => "deadline.join",
        Deadline::Tick => "deadline.tick",
        Deadline::LeaderSilent => "deadline.leader-silent",
        Deadline::Redial => "deadline.redial",
        Deadline::Session => "deadline.session",
        Deadline::Containers => "deadline.containers",
        Deadline::ReadOnly => "deadline.read-only",
    }
}

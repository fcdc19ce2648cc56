//! The next event in words, from the picture: it is named before it happens.

use crate::i18n::{Lang, Texts};
use crate::scene::packets::short_kind;
use zebu_core::sim::trouble::Upcoming;
use zebu_core::sim::view::{Flight, Place, WorldView};
use zebu_core::status::Deadline;

/// A place's name.
pub fn place(t: &Texts, place: Place) -> String {
    match place {
        Place::Server(id) => t.fill("place.server", &[("id", &id)]),
        Place::Client(id) => t.fill("place.client", &[("id", &id)]),
    }
}

/// Something that comes, in a few words.
pub fn upcoming(t: &Texts, coming: &Upcoming, flights: &[Flight]) -> String {
    let at = place(t, coming.event.place);
    if let Some(f) = flights.iter().find(|f| Some(f.id) == coming.message) {
        let text = t.fill("next.arrives", &[("kind", &short_kind(&f.kind)), ("label", &f.label), ("place", &at)]);
        return text.replace("  ", " ");
    }
    match coming.timer {
        Some(timer) => t.fill(timer_key(timer), &[("place", &at)]),
        None if coming.event.what.contains("sync") => t.fill("next.disk", &[("place", &at)]),
        None if t.lang == Lang::En => coming.event.what.clone(),
        None => t.fill("next.other", &[("place", &at)]),
    }
}

fn timer_key(timer: Deadline) -> &'static str {
    match timer {
        Deadline::Notifications => "next.notifications",
        Deadline::Finalize => "next.finalize",
        Deadline::Join => "next.join",
        Deadline::Tick => "next.tick",
        Deadline::LeaderSilent => "next.leader-silent",
        Deadline::Redial => "next.redial",
        Deadline::Session => "next.session",
        Deadline::Containers => "next.containers",
        Deadline::ReadOnly => "next.read-only",
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
        Some(timer) => timer_key(timer),
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

//! The page films its show.

use super::{App, Msg};
use crate::components::Do;
use crate::film::Film;
use crate::store::Action;
use crate::store::filming::Filming;
use yew::prelude::*;

impl App {
    /// Begins or ends a film.
    pub(super) fn film(&mut self, ctx: &Context<App>, what: &Filming) {
        match what {
            Filming::Start(seconds) => match Film::start(*seconds, ctx.link().callback(Msg::Taken)) {
                Ok(film) => self.film = Some(film),
                Err(what) => self.film_failed(what),
            },
            Filming::Enough => self.film_over(),
            Filming::Drop => self.film = None,
            Filming::Saved(..) | Filming::Failed(_) => {}
        }
    }

    /// The page shows the moment of the next picture.
    pub(super) fn shoot(&mut self) {
        if !std::mem::take(&mut self.shoot) {
            return;
        }
        let caption = self.words().text;
        if let Some(Err(what)) = self.film.as_mut().map(|film| film.shoot(&caption)) {
            self.film_failed(what);
        }
    }

    /// A picture was taken. One that comes after the end of its film is dropped.
    pub(super) fn taken(&mut self, picture: Result<Vec<u8>, String>) {
        let Some(film) = &mut self.film else { return };
        if let Err(what) = picture.and_then(|webp| film.add(&webp)) {
            self.film_failed(what);
        } else if film.is_whole() {
            self.film_over();
        }
    }

    fn film_over(&mut self) {
        let Some(film) = self.film.take() else { return };
        match film.save() {
            Ok(bytes) => {
                let tenths = (film.progress().0 * 10.0).round() as u32;
                self.send.emit(Action::Film(Filming::Saved(tenths, bytes)));
            }
            Err(what) => self.film_failed(what),
        }
    }

    fn film_failed(&mut self, what: String) {
        self.film = None;
        self.send.emit(Action::Film(Filming::Failed(what)));
    }

    /// How far the film is, and how to end it.
    pub(super) fn film_bar(&self) -> Html {
        let Some(film) = &self.film else { return html! {} };
        let t = &self.state.texts;
        let (there, wanted) = film.progress();
        let words = t.fill("film.progress", &[("n", &format!("{there:.1}")), ("all", &format!("{wanted:.0}"))]);
        html! {
            <div class="notice filming" role="status" data-testid="filming">
                <progress value={there.to_string()} max={wanted.to_string()} aria-label={t.t("film.title")}></progress>
                <p>{ words }</p>
                <Do label={t.t("film.enough")} action={Action::Film(Filming::Enough)} send={self.send.clone()}/>
                <Do label={t.t("film.drop")} action={Action::Film(Filming::Drop)} send={self.send.clone()}/>
            </div>
        }
    }
}

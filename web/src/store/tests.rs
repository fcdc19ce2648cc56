//! The page's behaviour without a browser.

use super::opening::OPENING;
use super::*;

fn frames(state: &mut State, seconds: f64) {
    for _ in 0..(seconds * 30.0) as usize {
        state.reduce(Action::Frame(1.0 / 30.0, 60));
    }
}

#[test]
fn a_newcomer_sees_a_lesson_that_goes_on_by_itself() {
    let mut state = State::new(Lang::En);
    state.reduce(Action::Route(String::new()));
    assert_eq!(state.lesson().map(|l| l.name.as_str()), Some(OPENING));
    assert!(state.player().is_playing());
    for _ in 0..400 {
        frames(&mut state, 1.0);
        if state.timeline().driver().outcome().is_some() {
            break;
        }
    }
    assert!(matches!(state.timeline().driver().outcome(), Some(Outcome::Met { .. })));
    assert_eq!(state.chapter().map(|(n, all, _)| n == all), Some(true));
}

#[test]
fn whoever_presses_something_takes_over() {
    let mut state = State::new(Lang::En);
    state.reduce(Action::Route("#/".into()));
    frames(&mut state, 1.0);
    state.reduce(Action::Pause);
    let moment = state.timeline().moment();
    frames(&mut state, 20.0);
    assert_eq!(state.timeline().moment(), moment);
    state.reduce(Action::Leave);
    assert!(state.lesson().is_none() && state.player().is_playing());
    state.reduce(Action::Route("#/?".into()));
    assert!(state.lesson().is_none(), "free mode has an address");
}

#[test]
fn a_recorded_run_opens_again_and_ends_in_the_same_state() {
    let mut state = State::new(Lang::En);
    for _ in 0..150 {
        state.reduce(Action::Step);
    }
    state.reduce(Action::Record);
    state.reduce(Action::Do(Command::Kill { server: ServerId(2) }));
    for _ in 0..60 {
        state.reduce(Action::Step);
    }
    let digest = state.timeline().world().digest();
    state.reduce(Action::Record);
    let (name, text) = state.file.take().unwrap();
    assert_eq!(name, "my-run.json");
    state.reduce(Action::OpenFile(text));
    state.reduce(Action::RunToEnd);
    assert!(matches!(state.timeline().driver().outcome(), Some(Outcome::Met { .. })));
    assert_eq!(state.timeline().world().digest(), digest);
    state.reduce(Action::OpenFile("{\"no\": 1}".into()));
    assert!(state.notice.is_some(), "a message and the lab as it was");
}

#[test]
fn a_search_opens_a_short_run_that_breaks_a_rule() {
    let mut state = State::new(Lang::En);
    state.reduce(Action::Search);
    for _ in 0..400 {
        state.reduce(Action::Frame(0.016, 60));
        if state.searching().is_none() {
            break;
        }
    }
    let (first, end) = (state.timeline().moment(), state.timeline().frontier());
    assert!(end - first <= crate::search::SHORT && end > first, "{first} to {end}");
    state.reduce(Action::Seek(end));
    assert!(state.view.checks.iter().any(|c| c.broken.is_some()));
    assert!(state.notice.is_some());
}

#[test]
fn black_belongs_to_stage_mode() {
    let mut state = State::new(Lang::En);
    state.reduce(Action::Black);
    assert!(!state.desk.black);
    state.reduce(Action::StageMode);
    state.reduce(Action::Black);
    assert!(state.desk.black);
    state.reduce(Action::StageMode);
    state.reduce(Action::Black);
    assert!(!state.desk.black, "there is always a way back");
}

#[test]
fn an_answer_is_kept_and_the_run_shows_the_truth() {
    use crate::components::predict;
    let mut state = State::new(Lang::En);
    state.reduce(Action::Lesson(OPENING.into()));
    while predict::asked(&state).is_none() {
        state.reduce(Action::Play);
        state.reduce(Action::NextChapter);
    }
    let asked = predict::asked(&state).unwrap();
    assert_eq!((asked.chosen, asked.truth), (None, None));
    state.reduce(Action::Desk(Choose::Answer(OPENING.into(), 3, 0)));
    assert_eq!(predict::asked(&state).unwrap().chosen, Some(0));
    // The next passage shows it; only when it has, it is told.
    for truth in [None, Some(1)] {
        state.reduce(Action::Play);
        state.reduce(Action::NextChapter);
        let told = predict::asked(&state).unwrap();
        assert_eq!((told.chosen, told.truth.map(|(answer, _)| answer)), (Some(0), truth));
    }
}

#[test]
fn t8_a_drag_goes_on_while_the_stage_grows_and_ends_when_the_slider_rests() {
    let mut state = State::new(Lang::En);
    for _ in 0..100 {
        state.reduce(Action::Step);
    }
    let there = state.digest;
    assert!(there.is_some());
    state.reduce(Action::SeekPlace(0.2));
    for meanwhile in [Action::Resize(900.0, 400.0), Action::Time(TimeAction::Hover(None))] {
        state.reduce(meanwhile);
        assert!(state.is_dragging() && state.digest.is_none());
    }
    frames(&mut state, 0.3);
    assert!(!state.is_dragging());
    assert!(state.digest.is_some() && state.digest != there);
    state.reduce(Action::SeekPlace(1.0));
    state.reduce(Action::StepBack);
    assert!(!state.is_dragging(), "another change ends it at once");
}

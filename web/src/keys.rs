//! Keys, as actions. Keys in a field belong to the field.

use crate::desk::{Centre, Choose};
use crate::goals::Goal;
use crate::store::time::TimeAction;
use crate::store::{Action, Dialog};
use zebu_core::id::ServerId;
use zebu_core::sim::command::Command;

/// What has the focus when a key is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Focus {
    /// Nothing in particular.
    Page,
    /// A button or the like: Space and Enter are its own.
    Button,
    /// A field, a list, a slider: all keys are its own.
    Field,
}

/// The action of `key`; `None` if the page leaves it alone.
pub fn action(key: &str, shift: bool, focus: Focus, dialog: Option<Dialog>) -> Option<Action> {
    if key == "Escape" {
        return Some(if dialog.is_some() { Action::Open(None) } else { Action::Menu(None) });
    }
    if focus == Focus::Field || dialog.is_some() && !matches!(key, "?") {
        return None;
    }
    if focus == Focus::Button && matches!(key, " " | "Enter") {
        return None;
    }
    Some(match key {
        " " => Action::Toggle,
        "ArrowRight" if shift => Action::NextTurn,
        "ArrowRight" => Action::Step,
        "ArrowLeft" => Action::StepBack,
        "[" => Action::Faster(-1),
        "]" => Action::Faster(1),
        "PageDown" | "." | "n" | "Enter" | "ArrowDown" => Action::NextChapter,
        "PageUp" | "ArrowUp" => Action::PrevChapter,
        "l" => Action::Desk(Choose::Legend),
        "b" => Action::Black,
        "x" => Action::Desk(Choose::Laser),
        "t" => Action::Desk(Choose::Centre(Centre::SpaceTime)),
        "r" => Action::Desk(Choose::Centre(Centre::Stage)),
        "k" => Action::KillSelected,
        "f" => Action::FreezeSelected,
        "h" => Action::Do(Command::HealAll),
        "s" | "p" => Action::StageMode,
        "u" => Action::Time(TimeAction::Undo),
        "g" => Action::Lasso,
        "?" if dialog == Some(Dialog::Help) => Action::Open(None),
        "?" => Action::Open(Some(Dialog::Help)),
        digit => match digit.parse() {
            Ok(n @ 1..=9) => Action::Select(ServerId(n)),
            _ => return None,
        },
    })
}

/// The action of `key` while Alt is held.
pub fn alt_action(key: &str, focus: Focus, dialog: Option<Dialog>) -> Option<Action> {
    let ours = key == "ArrowRight" && focus != Focus::Field && dialog.is_none();
    ours.then_some(Action::Time(TimeAction::Until(Goal::Reply)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_where_they_count() {
        use Focus::{Button, Field, Page};
        for (key, shift, focus, expected) in [
            (" ", false, Page, Some(Action::Toggle)),
            (" ", false, Button, None),
            (" ", false, Field, None),
            ("ArrowRight", false, Button, Some(Action::Step)),
            ("ArrowRight", true, Page, Some(Action::NextTurn)),
            ("ArrowRight", false, Field, None),
            ("ArrowLeft", false, Page, Some(Action::StepBack)),
            ("3", false, Page, Some(Action::Select(ServerId(3)))),
            ("0", false, Page, None),
            ("3", false, Field, None),
            ("y", false, Page, None),
            ("Enter", false, Page, Some(Action::NextChapter)),
            ("Enter", false, Button, None),
            ("PageDown", false, Button, Some(Action::NextChapter)),
            (".", false, Page, Some(Action::NextChapter)),
            ("ArrowDown", false, Page, Some(Action::NextChapter)),
            ("ArrowUp", false, Page, Some(Action::PrevChapter)),
            ("PageUp", false, Page, Some(Action::PrevChapter)),
            ("l", false, Page, Some(Action::Desk(Choose::Legend))),
            ("b", false, Page, Some(Action::Black)),
            ("?", true, Page, Some(Action::Open(Some(Dialog::Help)))),
            ("Escape", false, Field, Some(Action::Menu(None))),
            ("u", false, Page, Some(Action::Time(TimeAction::Undo))),
        ] {
            assert_eq!(action(key, shift, focus, None), expected, "{key:?} {focus:?}");
        }
        assert_eq!(action(" ", false, Page, Some(Dialog::Setup)), None);
        let reply = Action::Time(TimeAction::Until(Goal::Reply));
        assert_eq!(alt_action("ArrowRight", Button, None), Some(reply));
        assert_eq!(alt_action("ArrowLeft", Page, None), None, "the browser's own");
        assert_eq!(alt_action("ArrowRight", Field, None), None);
        assert_eq!(action("Escape", false, Page, Some(Dialog::Setup)), Some(Action::Open(None)));
        assert_eq!(action("?", false, Page, Some(Dialog::Help)), Some(Action::Open(None)));
    }
}

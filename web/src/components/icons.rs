//! Small pictures, drawn with the colour of the text around them. All are decoration: names are on the buttons.

use yew::prelude::*;

fn icon(path: &'static str, filled: bool) -> Html {
    let (fill, stroke) = if filled { ("currentColor", "none") } else { ("none", "currentColor") };
    html! {
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <path d={path} {fill} {stroke} stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round"/>
        </svg>
    }
}

/// Play.
pub fn play() -> Html {
    icon("M4 2.2v11.6c0 .5.6.8 1 .5l8.4-5.8c.4-.3.4-.8 0-1L5 1.7C4.6 1.4 4 1.7 4 2.2z", true)
}

/// Pause.
pub fn pause() -> Html {
    icon("M3.5 2h3v12h-3zM9.5 2h3v12h-3z", true)
}

/// Step.
pub fn step() -> Html {
    icon("M3 2.5 10 8l-7 5.5zM11.5 2.5h2v11h-2z", true)
}

/// Step back.
pub fn back() -> Html {
    icon("M13 2.5 6 8l7 5.5zM2.5 2.5h2v11h-2z", true)
}

/// To the next turn.
pub fn turn() -> Html {
    icon("M2 3l6 5-6 5zM8.5 3l6 5-6 5z", true)
}

/// Kill: a power sign.
pub fn kill() -> Html {
    icon("M8 1.8v6M4.3 4a5.6 5.6 0 1 0 7.4 0", false)
}

/// Restart.
pub fn restart() -> Html {
    icon("M13.5 8a5.5 5.5 0 1 1-1.7-4M13.5 1.5V5H10", false)
}

/// Close.
pub fn close() -> Html {
    icon("M3.5 3.5l9 9M12.5 3.5l-9 9", false)
}

/// Cut off: a plug out of its socket.
pub fn unplug() -> Html {
    icon("M2 14l3-3M6.5 7l2.5 2.5-2 2a1.8 1.8 0 0 1-2.5-2.5zM14 2l-3 3M9.5 3.5 12 6l-1.5 1.5L8 5z", false)
}

/// Connect again: a plug in its socket.
pub fn plug() -> Html {
    icon("M2 14l3-3M14 2l-3 3M5 8.5 8.5 5 11 7.5 7.5 11z", false)
}

/// Light and dark.
pub fn theme() -> Html {
    html! {
        <svg class="icon" viewBox="0 0 16 16" width="16" height="16" aria-hidden="true" focusable="false">
            <circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.8"/>
            <path d="M8 2a6 6 0 0 1 0 12z" fill="currentColor"/>
        </svg>
    }
}

/// Stage mode: a frame.
pub fn frame() -> Html {
    icon("M2 5.5V2h3.5M10.5 2H14v3.5M14 10.5V14h-3.5M5.5 14H2v-3.5", false)
}

/// The zebu's head.
pub fn mark() -> Html {
    html! {
        <svg viewBox="0 0 26 26" width="26" height="26" aria-hidden="true" focusable="false">
            <path d="M3 5c1 5 5 6 10 6s9-1 10-6c2 6-1 10-5 11l-2 7h-6l-2-7C4 15 1 11 3 5z" fill="none"
                stroke="currentColor" stroke-width="2.2" stroke-linejoin="round"/>
        </svg>
    }
}

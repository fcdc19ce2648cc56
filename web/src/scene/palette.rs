//! Colours belong to epochs alone. They are names of style rules (`e1` … `e6`); the values, one set for light and one
//! for dark, are in `static/style.css`, chosen to stay apart for colour-blind eyes.

use zebu_core::id::Epoch;

/// How many epoch colours there are before they come round again.
pub const COLOURS: i64 = 6;

/// The class of an epoch's colour: `e0` (no reign yet) or `e1` to `e6`, in turn. The number is always written beside
/// it, so that a repeated colour can't mislead.
pub fn epoch_class(epoch: Epoch) -> &'static str {
    const NAMES: [&str; COLOURS as usize] = ["e1", "e2", "e3", "e4", "e5", "e6"];
    if epoch.0 <= 0 {
        return "e0";
    }
    usize::try_from((epoch.0 - 1) % COLOURS).ok().and_then(|i| NAMES.get(i)).copied().unwrap_or("e0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_differ_and_no_epoch_is_grey() {
        assert_eq!(epoch_class(Epoch(0)), "e0");
        assert_eq!(epoch_class(Epoch(-1)), "e0");
        for e in 1..40 {
            assert_ne!(epoch_class(Epoch(e)), epoch_class(Epoch(e + 1)));
            assert_ne!(epoch_class(Epoch(e)), "e0");
        }
        assert_eq!(epoch_class(Epoch(1)), epoch_class(Epoch(7)));
    }
}

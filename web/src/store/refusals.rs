//! The texts of refused commands.

use crate::recipe_words;

/// The key of the text for an error's stable name.
pub(super) fn text_key(code: &str) -> &'static str {
    match code {
        "no-such-server" => "err.no-such-server",
        "fixed-members" => "mb.err.fixed",
        "too-many-servers" => "mb.err.many",
        "server-runs" => "err.server-runs",
        "server-down" => "err.server-down",
        "server-frozen" => "err.server-frozen",
        "server-not-frozen" => "err.server-not-frozen",
        "link-to-itself" => "err.link-to-itself",
        "in-two-groups" => "err.in-two-groups",
        "no-such-client" => "err.no-such-client",
        "client-ended" => "err.client-ended",
        "client-exists" => "err.client-exists",
        "nothing-to-damage" => "err.nothing-to-damage",
        "no-such-message" => "err.no-such-message",
        "message-not-held" => "err.message-not-held",
        "message-held" => "err.message-held",
        "message-behind-cut" => "err.message-behind-cut",
        "message-not-first" => "err.message-not-first",
        "rule-act" => "err.rule-act",
        "rules-too-many" => "err.rules-too-many",
        "no-timer" => "err.no-timer",
        "too-much" => "err.too-much",
        "too-little" => "err.too-little",
        "not-in-this-protocol" => "err.not-in-this-protocol",
        "only-writes" => "err.only-writes",
        "line-empty" => "err.line-empty",
        "line-unknown-operation" => "err.line-unknown-operation",
        "line-path-missing" => "err.line-path-missing",
        "line-not-a-path" => "err.line-not-a-path",
        "line-data-missing" => "err.line-data-missing",
        "line-unknown-option" => "err.line-unknown-option",
        "line-version-missing" => "err.line-version-missing",
        "line-too-much" => "err.line-too-much",
        "line-not-in-multi" => "err.line-not-in-multi",
        "line-empty-multi" => "err.line-empty-multi",
        "line-life-missing" => "err.line-life-missing",
        "line-no-such-kind" => "err.line-no-such-kind",
        "line-scheme-missing" => "err.line-scheme-missing",
        "line-list-missing" => "err.line-list-missing",
        "line-not-a-list" => "err.line-not-a-list",
        "line-open-quote" => "err.line-open-quote",
        code => recipe_words::error_key(code).unwrap_or("err.command"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::i18n::{Lang, Texts};
    use zebu_core::id::ServerId;
    use zebu_core::sim::CommandError;
    use zebu_core::sim::trouble::MessageAct;

    #[test]
    fn every_refusal_of_a_fault_has_a_text_of_its_own() {
        let t = Texts::load(Lang::En);
        for error in [
            CommandError::NoSuchMessage(1),
            CommandError::NotHeld(1),
            CommandError::HeldAlready(1),
            CommandError::BehindCut(1),
            CommandError::NotFirst { ahead: 2 },
            CommandError::NoRule(MessageAct::Now),
            CommandError::TooManyRules,
            CommandError::NoTimer(ServerId(1)),
            CommandError::TooMuch { most: 1 },
            CommandError::TooLittle { least: 1 },
        ] {
            let key = text_key(error.code());
            assert!(key != "err.command" && t.has(key), "{error:?}");
        }
    }
}

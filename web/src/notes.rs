//! The presenter's window: the passage, what happens, what comes next. It only shows; closing it does no harm.

use web_sys::{Document, Window};

/// What the window says, line by line: the id of each place with its text.
pub type Lines = Vec<(&'static str, String)>;

/// The window.
pub struct Notes {
    window: Window,
}

const PAGE: &str = r#"<style>body{font:18px/1.5 system-ui,sans-serif;margin:24px;background:#111;color:#eee}
h1{font-size:16px;color:#aaa;font-weight:500;margin:0 0 12px}#note{font-size:26px;font-weight:600;margin:0 0 14px}
#happened{font-size:19px;margin:0}#why,#time{color:#aaa;margin:4px 0 14px}#ask,#textbook{border-left:3px solid #777;padding-left:12px;margin:0 0 12px}
#next{border-top:1px solid #444;padding-top:12px;color:#cde}</style>
<h1 id="title"></h1><p id="note"></p><p id="happened"></p><p id="why"></p><p id="ask"></p><p id="textbook"></p><p id="next"></p><p id="time"></p>"#;

impl Notes {
    /// Opens it; `None` if the browser does not allow that.
    pub fn open(title: &str) -> Option<Notes> {
        let features = "popup,width=760,height=620";
        let window = web_sys::window()?.open_with_url_and_target_and_features("", "zebu-notes", features).ok()??;
        let document: Document = window.document()?;
        document.set_title(title);
        document.body()?.set_inner_html(PAGE);
        Some(Notes { window })
    }

    /// Shows these lines; false once the window is closed.
    pub fn show(&self, lines: &Lines) -> bool {
        if self.window.closed().unwrap_or(true) {
            return false;
        }
        let Some(document) = self.window.document() else { return false };
        for (id, text) in lines {
            if let Some(element) = document.get_element_by_id(id) {
                element.set_text_content(Some(text));
            }
        }
        true
    }
}

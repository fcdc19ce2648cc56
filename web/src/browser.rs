//! The few things the page asks of its browser. Each of them may be refused; then the page goes on without.

use gloo_events::EventListener;
use wasm_bindgen::JsCast;
use wasm_bindgen::closure::Closure;
use web_sys::{Element, HtmlElement, KeyboardEvent, ResizeObserver, Window};
use yew::Callback;

fn window() -> Option<Window> {
    web_sys::window()
}

/// What stands behind `#` in the address.
pub fn hash() -> String {
    window().and_then(|w| w.location().hash().ok()).unwrap_or_default()
}

/// Goes to an address behind `#`.
pub fn go(hash: &str) {
    if let Some(window) = window() {
        // An address of our own is never refused.
        let _ = window.location().set_hash(hash);
    }
}

/// Calls back with the new text behind `#` whenever it changes.
pub fn on_hash(changed: Callback<String>) -> Option<EventListener> {
    let window = window()?;
    Some(EventListener::new(&window, "hashchange", move |_| changed.emit(hash())))
}

/// Calls back for every key; the callback says whether the key is used up.
pub fn on_key(pressed: Callback<KeyboardEvent, bool>) -> Option<EventListener> {
    let options = gloo_events::EventListenerOptions::enable_prevent_default();
    let window = window()?;
    Some(EventListener::new_with_options(&window, "keydown", options, move |event| {
        if let Some(event) = event.dyn_ref::<KeyboardEvent>()
            && !event.ctrl_key()
            && !event.meta_key()
            && pressed.emit(event.clone())
        {
            event.prevent_default();
        }
    }))
}

/// Calls back with what the page around this one says, as JSON.
pub fn on_message(said: Callback<String>) -> Option<EventListener> {
    let window = window()?;
    Some(EventListener::new(&window, "message", move |event| {
        let Some(event) = event.dyn_ref::<web_sys::MessageEvent>() else { return };
        if let Some(text) = js_sys::JSON::stringify(&event.data()).ok().and_then(|s| s.as_string()) {
            said.emit(text);
        }
    }))
}

/// Tells the page around this one something, as an object.
pub fn tell_parent(json: &str) {
    let Some(parent) = window().and_then(|w| w.parent().ok().flatten()) else { return };
    if let Ok(value) = js_sys::JSON::parse(json) {
        // A page that does not listen is none of our business.
        parent.post_message(&value, "*").ok();
    }
}

/// What stands behind `?` in the address.
pub fn search() -> String {
    window().and_then(|w| w.location().search().ok()).unwrap_or_default()
}

/// The address of this page, without what stands behind `?` or `#`.
pub fn page_address() -> String {
    let href = window().and_then(|w| w.location().href().ok()).unwrap_or_default();
    href.split(['?', '#']).next().unwrap_or_default().to_string()
}

/// Puts a text on the clipboard; false if the browser has none.
pub fn copy(text: &str) -> bool {
    let Some(window) = window().filter(|w| w.is_secure_context()) else { return false };
    let asked = window.navigator().clipboard().write_text(text);
    // A refusal leaves the text selected in its field: the reader copies it by hand.
    let refused = Closure::once(|_: wasm_bindgen::JsValue| {});
    let _ = asked.catch(&refused);
    refused.forget();
    true
}

/// Reads the file that was chosen, as text.
pub fn read_file(input: &web_sys::HtmlInputElement, read: Callback<String>) {
    let Some(file) = input.files().and_then(|files| files.item(0)) else { return };
    let done = Closure::once(move |text: wasm_bindgen::JsValue| read.emit(text.as_string().unwrap_or_default()));
    let _ = file.text().then(&done);
    done.forget();
}

/// What has the focus.
pub fn focus() -> crate::keys::Focus {
    use crate::keys::Focus;
    let Some(element) = window().and_then(|w| w.document()).and_then(|d| d.active_element()) else {
        return Focus::Page;
    };
    match element.tag_name().as_str() {
        "INPUT" | "SELECT" | "TEXTAREA" => Focus::Field,
        "BUTTON" | "A" | "SUMMARY" => Focus::Button,
        _ if element.get_attribute("role").as_deref() == Some("button") => Focus::Button,
        _ => Focus::Page,
    }
}

/// Whether a media query holds.
pub fn media(query: &str) -> bool {
    Media::of(query).holds()
}

/// A media query that is asked again and again.
pub struct Media(Option<web_sys::MediaQueryList>);

impl Media {
    /// The query.
    pub fn of(query: &str) -> Media {
        Media(window().and_then(|w| w.match_media(query).ok().flatten()))
    }

    /// Whether it holds now.
    pub fn holds(&self) -> bool {
        self.0.as_ref().is_some_and(web_sys::MediaQueryList::matches)
    }
}

/// The language the reader wants: the stored choice, else the browser's.
pub fn language() -> String {
    stored("zebu-language").or_else(|| window().and_then(|w| w.navigator().language())).unwrap_or_default()
}

/// A stored choice.
pub fn stored(key: &str) -> Option<String> {
    window()?.local_storage().ok()??.get_item(key).ok()?
}

/// Stores a choice for the next visit.
pub fn store(key: &str, value: &str) {
    if let Some(storage) = window().and_then(|w| w.local_storage().ok().flatten()) {
        storage.set_item(key, value).ok();
    }
}

/// Sets an attribute of the page's root, such as `data-theme`; none removes it.
pub fn set_root(name: &str, value: Option<&str>) {
    let Some(root) = window().and_then(|w| w.document()).and_then(|d| d.document_element()) else { return };
    match value {
        Some(value) => root.set_attribute(name, value).ok(),
        None => root.remove_attribute(name).ok(),
    };
}

/// Sets the page's title.
pub fn set_title(title: &str) {
    if let Some(document) = window().and_then(|w| w.document()) {
        document.set_title(title);
    }
}

/// The page's clock, milliseconds.
pub fn clock() -> f64 {
    window().and_then(|w| w.performance()).map_or(0.0, |p| p.now())
}

/// Brings an element into sight.
pub fn scroll_to(selector: &str) {
    let found = window().and_then(|w| w.document()).and_then(|d| d.query_selector(selector).ok().flatten());
    if let Some(element) = found {
        element.scroll_into_view();
    }
}

/// Watches the size of an element until it is dropped.
pub struct SizeWatch {
    observer: ResizeObserver,
    _closure: Closure<dyn FnMut()>,
}

impl SizeWatch {
    /// Calls back with width and height now and whenever they change.
    pub fn new(element: &Element, changed: Callback<(f64, f64)>) -> Option<SizeWatch> {
        let watched: HtmlElement = element.clone().dyn_into().ok()?;
        let seen = watched.clone();
        let closure = Closure::<dyn FnMut()>::new(move || {
            changed.emit((f64::from(seen.client_width()), f64::from(seen.client_height())));
        });
        let observer = ResizeObserver::new(closure.as_ref().unchecked_ref()).ok()?;
        observer.observe(&watched);
        Some(SizeWatch { observer, _closure: closure })
    }
}

impl Drop for SizeWatch {
    fn drop(&mut self) {
        self.observer.disconnect();
    }
}

/// Moves the element of this id to wherever the pointer is.
pub fn follow_pointer(id: &'static str) -> Option<EventListener> {
    let window = window()?;
    Some(EventListener::new(&window, "pointermove", move |event| {
        let found = self::window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id(id));
        if let (Some(element), Some(at)) = (found, event.dyn_ref::<web_sys::PointerEvent>()) {
            let style = format!("transform:translate({}px,{}px)", at.client_x(), at.client_y());
            element.set_attribute("style", &style).ok();
        }
    }))
}

/// Hands a text over as a file.
pub fn download(name: &str, text: &str) {
    let Some(document) = window().and_then(|w| w.document()) else { return };
    let Some(link) = document.create_element("a").ok().and_then(|e| e.dyn_into::<HtmlElement>().ok()) else { return };
    let address = format!("data:application/json;charset=utf-8,{}", String::from(js_sys::encode_uri_component(text)));
    if link.set_attribute("href", &address).is_ok() && link.set_attribute("download", name).is_ok() {
        link.click();
    }
}

/// Removes what the page shows while the program loads.
pub fn remove_loading() {
    if let Some(element) = window().and_then(|w| w.document()).and_then(|d| d.get_element_by_id("loading")) {
        element.remove();
    }
}

/// Tells the browser's console of something that did not work and that the page can go on without.
pub fn complain(why: &wasm_bindgen::JsValue) {
    web_sys::console::warn_1(why);
}

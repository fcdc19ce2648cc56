//! The stage as a picture, and files that the browser saves. Each may be refused; then the reason is given back.

use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{
    Blob, BlobPropertyBag, CanvasRenderingContext2d, CssStyleSheet, Document, Element, HtmlAnchorElement,
    HtmlCanvasElement, HtmlImageElement, Url, XmlSerializer,
};

fn document() -> Result<Document, String> {
    web_sys::window().and_then(|w| w.document()).ok_or_else(|| "no document".to_string())
}

/// What a browser says that refuses.
pub fn words(error: JsValue) -> String {
    error.as_string().unwrap_or_else(|| format!("{error:?}"))
}

fn blob_address(text: &str, kind: &str) -> Result<String, String> {
    let parts = js_sys::Array::of1(&JsValue::from_str(text));
    let options = BlobPropertyBag::new();
    options.set_type(kind);
    let blob = Blob::new_with_str_sequence_and_options(&parts, &options).map_err(words)?;
    Url::create_object_url_with_blob(&blob).map_err(words)
}

fn save_address(name: &str, address: &str) -> Result<(), String> {
    let link: HtmlAnchorElement =
        document()?.create_element("a").map_err(words)?.dyn_into().map_err(|_| "no link".to_string())?;
    link.set_href(address);
    link.set_download(name);
    link.click();
    Ok(())
}

/// Saves a text as a file.
pub fn save(name: &str, text: &str, kind: &str) {
    // A browser that refuses says so itself.
    let _ = blob_address(text, kind).and_then(|address| save_address(name, &address));
}

/// Saves what is in `blob` as a file.
///
/// # Errors
/// Why the browser refuses.
pub fn save_blob(name: &str, blob: &Blob) -> Result<(), String> {
    let address = Url::create_object_url_with_blob(blob).map_err(words)?;
    save_address(name, &address)
}

/// The rules of the page's styles, for a picture that stands alone.
///
/// # Errors
/// Why the browser refuses.
pub fn styles() -> Result<String, String> {
    let mut css = String::new();
    let sheets = document()?.style_sheets();
    for i in 0..sheets.length() {
        let Some(sheet) = sheets.item(i).and_then(|s| s.dyn_into::<CssStyleSheet>().ok()) else { continue };
        let Ok(rules) = sheet.css_rules() else { continue };
        for k in 0..rules.length() {
            if let Some(rule) = rules.item(k).map(|r| r.css_text()).filter(|text| !text.starts_with("@font-face")) {
                css.push_str(&rule);
                css.push('\n');
            }
        }
    }
    css.push_str("svg { background: var(--paper); color: var(--ink); font-family: var(--font); }");
    Ok(css)
}

/// Height of the strip for words under the stage.
const STRIP: f64 = 56.0;

/// Size of those words.
const WORDS: f64 = 22.0;

/// The stage as an SVG that stands alone, with these styles, and with words under it if there are any; its width and
/// height.
///
/// # Errors
/// Why the browser refuses.
pub fn stage_svg(css: &str, under: Option<&str>) -> Result<(String, f64, f64), String> {
    let document = document()?;
    let stage = document.query_selector(".stage-svg").map_err(words)?.ok_or("there is no stage")?;
    let bounds = stage.get_bounding_client_rect();
    let copy: Element = stage.clone_node_with_deep(true).map_err(words)?.dyn_into().map_err(|_| "no element")?;
    let root = document.document_element().ok_or("no root")?;
    let set = |name: &str, value: &str| copy.set_attribute(name, value).map_err(words);
    set("xmlns", "http://www.w3.org/2000/svg")?;
    let (width, mut height) = (bounds.width(), bounds.height());
    if let Some(under) = under {
        let text = document.create_element_ns(Some("http://www.w3.org/2000/svg"), "text").map_err(words)?;
        let say = |name: &str, value: &str| text.set_attribute(name, value).map_err(words);
        say("x", &format!("{:.0}", width / 2.0))?;
        say("y", &format!("{:.0}", height + STRIP * 0.62))?;
        say("text-anchor", "middle")?;
        say("style", &format!("font:600 {WORDS}px var(--font)"))?;
        let wide: f64 = under.chars().map(|c| if c.is_ascii() { 0.52 } else { 1.0 } * WORDS).sum();
        if wide > width - 40.0 {
            say("textLength", &format!("{:.0}", width - 40.0))?;
            say("lengthAdjust", "spacingAndGlyphs")?;
        }
        text.set_text_content(Some(under));
        copy.append_child(&text).map_err(words)?;
        height += STRIP;
        set("viewBox", &format!("0 0 {width:.0} {height:.0}"))?;
    }
    set("width", &format!("{width:.0}"))?;
    set("height", &format!("{height:.0}"))?;
    // In a picture of its own the stage is the root: the theme's tokens hang there.
    let dark = crate::browser::media("(prefers-color-scheme: dark)");
    let theme = root.get_attribute("data-theme").unwrap_or_else(|| if dark { "dark" } else { "light" }.into());
    set("data-theme", &theme)?;
    let style = document.create_element_ns(Some("http://www.w3.org/2000/svg"), "style").map_err(words)?;
    style.set_text_content(Some(css));
    copy.insert_before(&style, copy.first_child().as_ref()).map_err(words)?;
    let text = XmlSerializer::new().and_then(|s| s.serialize_to_string(&copy)).map_err(words)?;
    Ok((text, width, height))
}

/// Calls back with an SVG as an image, once the browser has read it; with `None` if it can't.
///
/// # Errors
/// Why the browser refuses.
pub fn with_image(svg: &str, then: impl FnOnce(Option<&HtmlImageElement>) + 'static) -> Result<(), String> {
    let encoded = js_sys::encode_uri_component(svg);
    let image = HtmlImageElement::new().map_err(words)?;
    let read = image.clone();
    let done = Closure::once_into_js(move |event: web_sys::Event| {
        then((event.type_() == "load").then_some(&read));
    });
    image.set_onload(Some(done.unchecked_ref()));
    image.set_onerror(Some(done.unchecked_ref()));
    image.set_src(&format!("data:image/svg+xml;charset=utf-8,{encoded}"));
    Ok(())
}

/// A canvas that nobody sees.
///
/// # Errors
/// Why the browser refuses.
pub fn canvas(width: f64, height: f64) -> Result<(HtmlCanvasElement, CanvasRenderingContext2d), String> {
    let canvas: HtmlCanvasElement =
        document()?.create_element("canvas").map_err(words)?.dyn_into().map_err(|_| "no canvas".to_string())?;
    canvas.set_width(width as u32);
    canvas.set_height(height as u32);
    let context = canvas.get_context("2d").map_err(words)?.ok_or("no context")?;
    let context = context.dyn_into().map_err(|_| "no context".to_string())?;
    Ok((canvas, context))
}

/// Saves the stage as it is now.
///
/// # Errors
/// Why the browser refuses.
pub fn save_stage(png: bool) -> Result<(), String> {
    let (svg, width, height) = stage_svg(&styles()?, None)?;
    if !png {
        return save_address("zebu.svg", &blob_address(&svg, "image/svg+xml")?);
    }
    with_image(&svg, move |image| {
        // The picture is there; what the browser refuses from here on, it says itself.
        let _ = image.ok_or_else(String::new).and_then(|image| draw(image, width, height));
    })
}

fn draw(image: &HtmlImageElement, width: f64, height: f64) -> Result<(), String> {
    const SHARP: f64 = 2.0;
    let (canvas, context) = canvas(width * SHARP, height * SHARP)?;
    context
        .draw_image_with_html_image_element_and_dw_and_dh(image, 0.0, 0.0, width * SHARP, height * SHARP)
        .map_err(words)?;
    save_address("zebu.png", &canvas.to_data_url().map_err(words)?)
}

//! The show as a film. Time in it is counted, not measured: between two pictures the show goes on by a fixed step, and
//! waits until the picture is taken. So a film is as long as what it shows, however slow the machine is.

pub mod webm;

use crate::picture::{self, words};
use wasm_bindgen::closure::Closure;
use wasm_bindgen::{JsCast, JsValue};
use web_sys::{Blob, BlobPropertyBag, CanvasRenderingContext2d, HtmlCanvasElement};
use yew::Callback;

/// Milliseconds of a picture.
const EACH: u64 = 50;

/// Seconds of show time between two pictures.
pub const STEP: f64 = EACH as f64 / 1000.0;

/// The shortest and the longest film, seconds.
pub const SECONDS: (u32, u32) = (1, 120);

/// How good the pictures are, 0 to 1. At 1 they would be lossless, which films do not know.
const QUALITY: f64 = 0.88;

/// What becomes of a picture.
type Taken = Callback<Result<Vec<u8>, String>>;

/// A film that is being made.
pub struct Film {
    canvas: HtmlCanvasElement,
    context: CanvasRenderingContext2d,
    size: (f64, f64),
    css: String,
    frames: Vec<Vec<u8>>,
    wanted: usize,
    /// A picture is being taken.
    busy: bool,
    taken: Taken,
}

impl Film {
    /// A film of so many seconds of the show; `taken` is told of each picture, and gives it back to [`Film::add`].
    ///
    /// # Errors
    /// Why the browser refuses.
    pub fn start(seconds: u32, taken: Taken) -> Result<Film, String> {
        let css = picture::styles()?;
        let (_, width, height) = picture::stage_svg("", Some(""))?;
        let (canvas, context) = picture::canvas(width, height)?;
        let wanted = u64::from(seconds.clamp(SECONDS.0, SECONDS.1)) * 1000 / EACH;
        let wanted = usize::try_from(wanted).unwrap_or(usize::MAX);
        let size = (width.floor(), height.floor());
        Ok(Film { canvas, context, size, css, frames: Vec::new(), wanted, busy: false, taken })
    }

    /// Whether a picture is being taken: until then the show stands still.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Seconds of film that there are, and that are wanted.
    pub fn progress(&self) -> (f64, f64) {
        (self.frames.len() as f64 * STEP, self.wanted as f64 * STEP)
    }

    /// Whether all pictures are taken.
    pub fn is_whole(&self) -> bool {
        self.frames.len() >= self.wanted
    }

    /// The show stands where the next picture is to be taken: of the stage, and of these words.
    ///
    /// # Errors
    /// Why the browser refuses.
    pub fn shoot(&mut self, caption: &str) -> Result<(), String> {
        let (svg, ..) = picture::stage_svg(&self.css, Some(caption))?;
        self.busy = true;
        let (canvas, context, taken) = (self.canvas.clone(), self.context.clone(), self.taken.clone());
        let (width, height) = self.size;
        picture::with_image(&svg, move |image| {
            let drawn = image.ok_or_else(|| "SVG".into()).and_then(|image| {
                context
                    .draw_image_with_html_image_element_and_dw_and_dh(image, 0.0, 0.0, width, height)
                    .map_err(words)
                    .and_then(|()| encode(&canvas, &taken))
            });
            if let Err(what) = drawn {
                taken.emit(Err(what));
            }
        })
    }

    /// Takes a picture in.
    ///
    /// # Errors
    /// It is none that a film can hold: this browser writes no WebP.
    pub fn add(&mut self, webp: &[u8]) -> Result<(), String> {
        self.busy = false;
        self.frames.push(webm::frame_of_webp(webp).ok_or("image/webp")?.to_vec());
        Ok(())
    }

    /// Saves what there is. The number of bytes.
    ///
    /// # Errors
    /// Why the browser refuses.
    pub fn save(&self) -> Result<usize, String> {
        let film = webm::film(self.canvas.width(), self.canvas.height(), EACH, &self.frames);
        let parts = js_sys::Array::of1(&js_sys::Uint8Array::from(&film[..]).into());
        let options = BlobPropertyBag::new();
        options.set_type("video/webm");
        let blob = Blob::new_with_u8_array_sequence_and_options(&parts, &options).map_err(words)?;
        picture::save_blob("zebu.webm", &blob)?;
        Ok(film.len())
    }
}

fn encode(canvas: &HtmlCanvasElement, taken: &Taken) -> Result<(), String> {
    let taken = taken.clone();
    let done = Closure::once_into_js(move |blob: Option<Blob>| {
        let Some(blob) = blob else { return taken.emit(Err("image/webp".into())) };
        let read = Closure::once_into_js(move |buffer: JsValue| {
            taken.emit(Ok(js_sys::Uint8Array::new(&buffer).to_vec()));
        });
        let promise = JsValue::from(blob.array_buffer());
        // A promise has `then`, and takes whatever it is given.
        let then = js_sys::Reflect::get(&promise, &"then".into()).map(JsCast::unchecked_into::<js_sys::Function>);
        let _ = then.and_then(|then| then.call1(&promise, &read));
    });
    canvas.to_blob_with_type_and_encoder_options(done.unchecked_ref(), "image/webp", &QUALITY.into()).map_err(words)
}

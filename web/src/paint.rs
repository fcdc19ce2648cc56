//! The painter of messages: a pool of SVG groups whose transforms alone are set in a frame. Yew never touches them.

use crate::flow::Side;
use crate::scene::packets::{Change, Dots, Layer, Look, Motion, Sprite};
use crate::scene::stage::Stage;
use crate::scene::way::pill;
use web_sys::{Document, Element};
use yew::NodeRef;
use zebu_core::collections::BTreeMap;
use zebu_core::sim::view::Flight;
use zebu_core::time::Instant;

const SVG: &str = "http://www.w3.org/2000/svg";

struct Slot {
    group: Element,
    shape: Element,
    text: Element,
    transform: String,
    class: String,
    written: String,
    size: f64,
    faded: bool,
    stopped: bool,
}

/// The pool and what is in it.
pub struct Painter {
    root: NodeRef,
    layer: Layer,
    slots: Vec<Slot>,
    /// The paths of a crowd by what they stand for; none while each message is drawn by itself.
    crowd: BTreeMap<Dots, Element>,
}

impl Painter {
    /// A painter for the group at `root`.
    pub fn new(root: NodeRef) -> Painter {
        Painter { root, layer: Layer::default(), slots: Vec::new(), crowd: BTreeMap::new() }
    }

    /// The group to be mounted.
    pub fn root(&self) -> NodeRef {
        self.root.clone()
    }

    /// Says whether the show runs too fast to read what is on messages.
    pub fn set_too_fast(&mut self, too_fast: bool) {
        self.layer.set_too_fast(too_fast);
    }

    /// Takes over what is under way at `now`.
    pub fn update(&mut self, flights: &[Flight], now: Instant, stage: &Stage, jumped: bool) {
        let size = if stage.layout.text >= 24.0 { 24.0 } else { (stage.layout.text * 0.78).clamp(11.0, 17.0) };
        self.layer.set_size(size);
        let was_crowd = self.layer.is_crowd();
        let changes = self.layer.update(flights, now, stage, jumped);
        if self.layer.is_crowd() {
            if !was_crowd {
                (0..self.slots.len()).for_each(|slot| self.hide(slot));
            }
            return;
        }
        if was_crowd {
            while let Some((_, path)) = self.crowd.pop_first() {
                path.remove();
            }
            let all: Vec<(usize, Sprite)> = self.layer.sprites().map(|(slot, sprite)| (slot, sprite.clone())).collect();
            for (slot, sprite) in all {
                self.show(slot, &sprite);
            }
            return;
        }
        for change in changes {
            match change {
                Change::Show(slot, sprite) => self.show(slot, &sprite),
                Change::Hide(slot) => self.hide(slot),
            }
        }
    }

    /// Draws a frame: `now` in simulated microseconds, `dt` seconds of show time after the one before.
    pub fn frame(&mut self, now: f64, dt: f64, motion: Motion) {
        let done = self.layer.advance(dt);
        if self.layer.is_crowd() {
            return self.dots(now, motion);
        }
        for slot in done {
            self.hide(slot);
        }
        for (slot, pose) in self.layer.poses(now, motion) {
            let Some(slot) = self.slots.get_mut(slot) else { continue };
            let transform = format!("translate({:.1} {:.1})", pose.at.x, pose.at.y);
            if transform != slot.transform {
                set(&slot.group, "transform", &transform);
                slot.transform = transform;
            }
            if slot.faded || pose.ink < 1.0 {
                slot.faded = pose.ink < 1.0;
                set(&slot.group, "opacity", &format!("{:.2}", pose.ink));
            }
            if slot.stopped != pose.stopped {
                slot.stopped = pose.stopped;
                set(&slot.group, "data-stopped", if pose.stopped { "1" } else { "0" });
            }
        }
    }

    /// Draws a crowd: a path for each kind, so that a frame changes a few attributes and not thousands.
    fn dots(&mut self, now: f64, motion: Motion) {
        let mut paths = self.layer.dots(now, motion);
        for (kind, path) in &self.crowd {
            set(path, "d", &paths.remove(kind).unwrap_or_default());
        }
        for (kind, dots) in paths {
            let Some(root) = self.root.cast::<Element>() else { return };
            let Some(path) = root.owner_document().and_then(|d| d.create_element_ns(Some(SVG), "path").ok()) else {
                return;
            };
            set(&path, "class", &format!("crowd {} {}", kind.0, kind.1));
            set(&path, "d", &dots);
            if root.append_child(&path).is_ok() {
                self.crowd.insert(kind, path);
            }
        }
    }

    fn show(&mut self, index: usize, sprite: &Sprite) {
        while self.slots.len() <= index {
            match self.make() {
                Some(slot) => self.slots.push(slot),
                None => return,
            }
        }
        let Some(slot) = self.slots.get_mut(index) else { return };
        let look = sprite.look.class();
        let lost = if sprite.lost { " lost" } else { "" };
        let lit = sprite.lit.map_or("", Side::class);
        let class = format!("packet {look} {}{lost} {lit}", sprite.colour);
        if slot.class != class {
            set(&slot.group, "class", &class);
            slot.class = class;
        }
        if slot.faded {
            set(&slot.group, "opacity", "1");
            slot.faded = false;
        }
        if slot.stopped {
            set(&slot.group, "data-stopped", "0");
            slot.stopped = false;
        }
        set(&slot.group, "data-message", &sprite.id.to_string());
        let tick = sprite.look == Look::Tick;
        // What a slot wears already is not put on again: most messages look like the ones before them.
        let size = if tick { 0.0 } else { sprite.size };
        if slot.written != sprite.text || slot.size != size {
            let (width, height) = if tick { (7.0, 7.0) } else { pill(&sprite.text, size) };
            set(&slot.shape, "x", &format!("{:.1}", -width / 2.0));
            set(&slot.shape, "width", &format!("{width:.1}"));
            set(&slot.shape, "y", &format!("{:.1}", -height / 2.0));
            set(&slot.shape, "height", &format!("{height:.1}"));
            set(&slot.shape, "rx", &format!("{:.1}", height / 2.0));
            set(&slot.text, "font-size", &format!("{size:.1}"));
            set(&slot.text, "y", &format!("{:.1}", size * 0.35));
            slot.text.set_text_content(Some(&sprite.text));
            slot.written = sprite.text.clone();
            slot.size = size;
        }
        slot.group.remove_attribute("display").ok();
    }

    fn hide(&mut self, index: usize) {
        if let Some(slot) = self.slots.get(index) {
            set(&slot.group, "display", "none");
        }
    }

    fn make(&self) -> Option<Slot> {
        let root = self.root.cast::<Element>()?;
        let document: Document = root.owner_document()?;
        let group = document.create_element_ns(Some(SVG), "g").ok()?;
        let shape = document.create_element_ns(Some(SVG), "rect").ok()?;
        let text = document.create_element_ns(Some(SVG), "text").ok()?;
        let cross = document.create_element_ns(Some(SVG), "path").ok()?;
        set(&text, "text-anchor", "middle");
        set(&cross, "class", "x");
        set(&cross, "d", "M-7 -7L7 7M-7 7L7 -7");
        for part in [&shape, &text, &cross] {
            group.append_child(part).ok()?;
        }
        root.append_child(&group).ok()?;
        Some(Slot {
            group,
            shape,
            text,
            transform: String::new(),
            class: String::new(),
            written: String::new(),
            size: -1.0,
            faded: false,
            stopped: false,
        })
    }
}

/// Sets an attribute. It can only fail for a name that is none, and all names are written here.
fn set(element: &Element, name: &str, value: &str) {
    element.set_attribute(name, value).ok();
}

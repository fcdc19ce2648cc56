//! The model beside a world: what it is told, and what becomes of what it finds.

use crate::id::ServerId;
use crate::sim::World;
use crate::sim::model::{Counts, Finding, Model};
use alloc::boxed::Box;
use alloc::vec::Vec;
use bytes::Bytes;

impl World {
    /// From now on, everything that clients are told is held against a model. To be called before the first event.
    pub fn watch_with_model(&mut self) {
        self.checks.watches_judged_by_model = true;
        self.model = Some(Box::new(Model::new(&self.spec.config(ServerId(1)))));
    }

    /// How much the model has looked at; nothing without one.
    pub fn model_counts(&self) -> Counts {
        self.model.as_ref().map_or_else(Counts::default, |model| model.counts())
    }

    /// Compares the trees of all servers that are at the end of what is committed.
    pub fn compare_with_model(&mut self) {
        let committed = self.checks.committed();
        for index in 0..self.processes.len() {
            let process = &self.processes[index];
            let Some(server) = process.server.as_ref().filter(|s| s.service().serving().is_some()) else { continue };
            let Some(model) = self.model.as_ref().filter(|model| model.placed() == committed) else { continue };
            let tree = &server.side().0.tree;
            if tree.applied().0 != model.last() {
                continue;
            }
            if let Err((rule, why)) = model.compare(tree) {
                let why = alloc::format!("server {}: {why}", process.id);
                self.violate(rule, why);
            }
        }
    }

    /// Whether there is a model beside this world. There is none in the browser, where its code would only be a part
    /// of what has to be loaded.
    pub(super) fn has_model(&self) -> bool {
        cfg!(not(target_arch = "wasm32")) && self.model.is_some()
    }

    pub(super) fn consult(&mut self, ask: impl FnOnce(&mut Model) -> Result<(), Finding>) {
        if !self.has_model() {
            return;
        }
        if let Some(model) = &mut self.model
            && let Err((rule, why)) = ask(model)
        {
            self.violate(rule, why);
        }
    }

    /// Tells the model what has been committed since.
    pub(super) fn tell_model(&mut self) {
        if !self.has_model() {
            return;
        }
        let Some(model) = &self.model else { return };
        let news: Vec<Bytes> = self.checks.committed_from(model.placed()).cloned().collect();
        for txn in news {
            self.consult(|model| model.committed(&txn));
        }
    }
}

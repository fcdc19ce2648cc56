//! The lab: Zebu's consensus core, animated. Everything here but the thin modules that touch the browser is plain
//! data and is tested natively.

pub mod scene;

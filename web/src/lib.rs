//! The lab: Zebu's consensus core, animated. Everything here but the thin modules that touch the browser
//! (`app`, `browser`, `paint`, `raf`, `components`) is plain data and is tested natively.

pub mod app;
pub mod browser;
pub mod captions;
pub mod compare_words;
pub mod components;
pub mod desk;
pub mod driver;
pub mod embed;
pub mod export;
pub mod flow;
pub mod glossary;
pub mod goals;
pub mod groups;
pub mod history;
pub mod i18n;
pub mod keys;
pub mod lessons;
pub mod lines;
pub mod next;
pub mod paint;
pub mod phases;
pub mod picture;
pub mod player;
pub mod proof;
pub mod raf;
pub mod recipe_words;
pub mod root;
pub mod route;
pub mod scene;
pub mod share;
pub mod side;
pub mod store;
pub mod timeline;
pub mod trouble_words;

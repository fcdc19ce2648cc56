//! Whole stores: what a start makes of files.

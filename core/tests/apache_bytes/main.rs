//! Codecs and the tree against bytes of a live Apache ZooKeeper 3.8.0 (`tests/vectors`).

mod client;
mod disk;
mod quorum;
mod tree;
mod vectors;

//! Going through all nodes of a tree.

use super::{Node, Tree, path};
use crate::collections::btree_set;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

/// A node and all below it with their paths, parents before children, siblings in order. Made by [`Tree::walk`].
pub struct Walk<'a> {
    tree: &'a Tree,
    /// Where it starts, until it has.
    start: Option<&'a str>,
    /// The nodes on the way down, each with the children still to visit.
    way: Vec<(&'a str, btree_set::Iter<'a, Box<str>>)>,
    buffer: String,
}

impl<'a> Walk<'a> {
    /// All nodes.
    pub(super) fn new(tree: &'a Tree) -> Walk<'a> {
        Walk::below(tree, path::ROOT)
    }

    /// The node of `path`, if there is one, and all below it.
    pub(super) fn below(tree: &'a Tree, path: &'a str) -> Walk<'a> {
        Walk { tree, start: Some(path), way: Vec::new(), buffer: String::new() }
    }

    fn enter(&mut self, path: &str) -> Option<(&'a str, &'a Node)> {
        let (path, node) = self.tree.nodes.get_key_value(path)?;
        self.way.push((path, node.children().iter()));
        Some((path, node))
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = (&'a str, &'a Node);

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(start) = self.start.take() {
            return self.enter(start);
        }
        while let Some((parent, children)) = self.way.last_mut() {
            let Some(name) = children.next() else {
                self.way.pop();
                continue;
            };
            let mut child = core::mem::take(&mut self.buffer);
            child.clear();
            if *parent != path::ROOT {
                child.push_str(parent);
            }
            child.push('/');
            child.push_str(name);
            let found = self.enter(&child);
            self.buffer = child;
            if found.is_some() {
                return found;
            }
        }
        None
    }
}

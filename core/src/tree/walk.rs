//! Going through all nodes of a tree.

use super::{Node, Tree, path};
use alloc::boxed::Box;
use alloc::collections::btree_set;
use alloc::string::String;
use alloc::vec::Vec;

/// All nodes with their paths, parents before children, siblings in order. Made by [`Tree::walk`].
pub struct Walk<'a> {
    tree: &'a Tree,
    /// The nodes on the way down, each with the children still to visit.
    way: Vec<(&'a str, btree_set::Iter<'a, Box<str>>)>,
    started: bool,
    buffer: String,
}

impl<'a> Walk<'a> {
    pub(super) fn new(tree: &'a Tree) -> Walk<'a> {
        Walk { tree, way: Vec::new(), started: false, buffer: String::new() }
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
        if !self.started {
            self.started = true;
            return self.enter(path::ROOT);
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

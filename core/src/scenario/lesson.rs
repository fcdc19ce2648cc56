//! What a scenario says to a class beyond its notes: questions, challenges, and where textbooks are looser than the code.

use crate::scenario::player::Facts;
use crate::scenario::{Condition, Text};
use crate::sim::view::WorldView;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// A question asked before something happens. Nobody has to answer to go on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Predict {
    /// The question.
    pub question: Text,
    /// What can be chosen.
    pub choices: Vec<Text>,
    /// The place in `choices` of what the run will show, from 0.
    pub answer: usize,
    /// Why.
    pub because: Text,
}

/// What textbooks say, and what the code does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Textbook {
    /// The textbook.
    pub says: Text,
    /// The code.
    pub does: Text,
}

/// A goal to try for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Challenge {
    /// What is to be reached, in words.
    pub goal: Text,
    /// Holds as soon as it is reached.
    pub reached: Condition,
    /// Why it can't be reached, for those who have given up.
    pub proof: Text,
}

impl Challenge {
    /// Whether the goal is reached. A goal that speaks of somebody who is not there is not.
    pub fn is_reached(&self, view: &WorldView) -> bool {
        self.reached.holds(view, &Facts::default()).unwrap_or(false)
    }
}

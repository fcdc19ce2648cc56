//! Where two runs part: the first event that is not the same.

use crate::driver::Driver;
use zebu_core::sim::command::Command;
use zebu_core::trace::TraceRecord;

/// Where two runs part.
#[derive(Clone, Debug, PartialEq)]
pub struct Parting {
    /// After so many moves, which are the same in both.
    pub moment: u64,
    /// What happens next in the first run; nothing if it ends.
    pub first: Vec<TraceRecord>,
    /// What happens next in the second.
    pub second: Vec<TraceRecord>,
}

/// One run: what moves it, and what is pressed when.
struct Side<'a> {
    driver: Driver,
    commands: &'a [(u64, Command)],
    moment: u64,
    given: usize,
}

impl Side<'_> {
    /// Gives what is due at this moment; then one move. Everything that was recorded.
    fn next(&mut self) -> Vec<TraceRecord> {
        let mut records = self.give();
        if self.driver.advance().is_some() {
            self.moment += 1;
            records.extend(self.driver.trace());
        }
        records
    }

    fn give(&mut self) -> Vec<TraceRecord> {
        let mut records = Vec::new();
        while let Some((at, command)) = self.commands.get(self.given) {
            if *at > self.moment {
                break;
            }
            self.given += 1;
            // A refused press changes nothing, so it is no difference either.
            if self.driver.command(command).is_ok() {
                records.extend(self.driver.trace());
            }
        }
        records
    }
}

/// The first difference between two runs of the same beginning, within `upto` moves; `None` if there is none.
pub fn parting(beginning: &Driver, first: &[(u64, Command)], second: &[(u64, Command)], upto: u64) -> Option<Parting> {
    let side = |commands| Side { driver: beginning.clone(), commands, moment: 0, given: 0 };
    let (mut a, mut b) = (side(first), side(second));
    for moment in 0..=upto {
        let (x, y) = (a.next(), b.next());
        if x != y {
            return Some(Parting { moment, first: x, second: y });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::id::ServerId;
    use zebu_core::sim::WorldSpec;
    use zebu_core::trace::TraceEvent;

    #[test]
    fn the_first_different_event_is_named() {
        let beginning = Driver::free(WorldSpec::default());
        let kill = |at, id| (at, Command::Kill { server: ServerId(id) });
        let common = [kill(50, 2)];
        assert_eq!(parting(&beginning, &common, &common, 300), None);
        let found = parting(&beginning, &common, &[kill(50, 2), kill(200, 5)], 300).unwrap();
        assert_eq!(found.moment, 200);
        let stopped = |r: &TraceRecord| matches!(r.event, TraceEvent::Stopped { server: ServerId(5), .. });
        assert!(found.second.iter().any(stopped) && !found.first.iter().any(stopped));
        assert_eq!(parting(&beginning, &[], &[kill(200, 5)], 150), None, "not within so many moves");
    }
}

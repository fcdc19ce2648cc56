//! What a run can be played on to, in pieces that leave the page alive: the first event at which something holds.

use crate::driver::Driver;
use crate::phases::{Turn, turns};
use crate::timeline::{Happened, Timeline};
use zebu_core::id::{Epoch, ServerId, Zxid};
use zebu_core::sim::view::Shown;
use zebu_core::time::Instant;
use zebu_core::trace::TraceEvent;

/// What is waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Goal {
    /// A moment of the line.
    Moment(u64),
    /// So many more moves.
    Moves(u64),
    /// A turn of the protocol, or a passage of the scenario.
    Turn,
    /// A client gets its answer.
    Reply,
    /// A leader of a later epoch than this is established.
    Leader(Epoch),
    /// This server has committed this transaction.
    Committed(Zxid, ServerId),
    /// A rule is broken.
    Broken,
    /// This message has arrived, or is lost.
    Message(u64),
    /// All that is due up to this instant has happened.
    Passed(Instant),
    /// The scenario's next passage.
    Chapter,
    /// The scenario's end.
    End,
}

/// How far a goal may lie away, in moves.
pub const FARTHEST: u64 = 200_000;

/// The same for what comes soon or not at all.
const NEARBY: u64 = 5_000;

/// On the way to a goal.
#[derive(Clone, Debug)]
pub struct Journey {
    /// Where to.
    pub goal: Goal,
    start: u64,
    left: u64,
}

/// How a part of a journey ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrival {
    /// There is more to go.
    Under,
    /// It is there; with the turns of the protocol, if that was the goal.
    There(Vec<Turn>),
    /// It was not found within the budget.
    TooFar,
    /// Nothing will ever happen again.
    Rests,
}

impl Journey {
    /// To a goal, from where the run stands.
    pub fn new(goal: Goal, timeline: &Timeline) -> Journey {
        let left = match goal {
            Goal::Turn | Goal::Reply | Goal::Message(_) => NEARBY,
            _ => FARTHEST,
        };
        Journey { goal, start: timeline.moment(), left }
    }

    /// Whether the goal holds where the run stands, without a move.
    fn holds_now(&self, timeline: &Timeline) -> bool {
        match self.goal {
            Goal::Moment(moment) => timeline.moment() >= moment,
            Goal::Moves(moves) => timeline.moment() >= self.start.saturating_add(moves),
            Goal::Committed(zxid, at) => committed(timeline.driver(), at).is_some_and(|upto| upto >= zxid),
            Goal::Broken => timeline.world().violated().is_some(),
            Goal::Leader(after) => leads_after(timeline.driver(), after),
            Goal::End => timeline.driver().outcome().is_some(),
            Goal::Passed(at) => timeline.world().next_event_time().is_none_or(|next| next > at),
            Goal::Turn | Goal::Reply | Goal::Chapter | Goal::Message(_) => false,
        }
    }

    fn reached(&self, timeline: &Timeline, happened: &Happened) -> Option<Vec<Turn>> {
        match self.goal {
            Goal::Turn => {
                let turns = turns(&happened.records, timeline.world().leader());
                (!turns.is_empty() || happened.moved.chapter).then_some(turns)
            }
            Goal::Reply => {
                happened.records.iter().any(|r| matches!(r.event, TraceEvent::Answered { .. })).then(Vec::new)
            }
            Goal::Message(wanted) => {
                let gone = |event: &TraceEvent| match event {
                    TraceEvent::Delivered { id, .. } | TraceEvent::Lost { id, .. } => *id == wanted,
                    _ => false,
                };
                happened.records.iter().any(|r| gone(&r.event)).then(Vec::new)
            }
            Goal::Chapter => (happened.moved.chapter || timeline.driver().outcome().is_some()).then(Vec::new),
            // Only what happened can have changed these: looking at the world costs more.
            Goal::Leader(_) | Goal::Committed(..) | Goal::Broken if !has_news(happened) => None,
            _ => self.holds_now(timeline).then(Vec::new),
        }
    }

    /// Goes on for at most so many moves.
    pub fn travel(&mut self, timeline: &mut Timeline, moves: u64) -> Arrival {
        if self.holds_now(timeline) {
            return Arrival::There(Vec::new());
        }
        for _ in 0..moves {
            if self.left == 0 {
                return Arrival::TooFar;
            }
            self.left -= 1;
            let Some(happened) = timeline.step() else { return Arrival::Rests };
            if let Some(turns) = self.reached(timeline, &happened) {
                return Arrival::There(turns);
            }
        }
        Arrival::Under
    }
}

fn has_news(happened: &Happened) -> bool {
    happened.records.iter().any(|r| !matches!(r.event, TraceEvent::Sent { .. } | TraceEvent::Delivered { .. }))
}

fn committed(driver: &Driver, at: ServerId) -> Option<Zxid> {
    driver.world().view().servers.iter().find(|s| s.id == at && s.shown != Shown::Down).map(|s| s.committed)
}

fn leads_after(driver: &Driver, after: Epoch) -> bool {
    let Some(leader) = driver.world().leader() else { return false };
    driver.world().view().servers.iter().any(|s| s.id == leader && s.epoch > after)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zebu_core::collections::BTreeSet;
    use zebu_core::config::BrokenRule;
    use zebu_core::sim::WorldSpec;
    use zebu_core::sim::command::{ClientId, Command};

    fn fresh(spec: WorldSpec) -> Timeline {
        Timeline::new(Driver::free(spec))
    }

    fn go(timeline: &mut Timeline, goal: Goal) -> Arrival {
        Journey::new(goal, timeline).travel(timeline, FARTHEST)
    }

    fn ask(t: &mut Timeline, line: &str) {
        t.command(Command::Ask { client: ClientId(0), line: line.into(), via: None }).unwrap();
    }

    #[test]
    fn t4_a_step_by_phase_stops_at_each_of_the_eight_turns() {
        let mut t = fresh(WorldSpec::default());
        t.command(Command::Connect { client: ClientId(0), server: ServerId(1) }).unwrap();
        ask(&mut t, "create /a 1");
        let mut seen = BTreeSet::new();
        for _ in 0..400 {
            let before = t.moment();
            match go(&mut t, Goal::Turn) {
                Arrival::There(turns) => seen.extend(turns),
                other => panic!("{other:?}"),
            }
            assert!(t.moment() > before);
            if seen.len() == Turn::ALL.len() {
                return;
            }
        }
        panic!("only {seen:?}");
    }

    #[test]
    fn t5_a_step_by_operation_stops_at_the_next_answer() {
        let mut t = fresh(WorldSpec::default());
        go(&mut t, Goal::Leader(Epoch(0)));
        t.command(Command::Connect { client: ClientId(0), server: ServerId(1) }).unwrap();
        for n in 0..3 {
            ask(&mut t, &format!("create /n{n} 1"));
        }
        for answered in 1..=3 {
            assert_eq!(go(&mut t, Goal::Reply), Arrival::There(Vec::new()));
            let talk = &t.world().view().clients[0].talk;
            assert_eq!(talk.iter().filter(|t| t.answer.is_some()).count(), answered);
        }
    }

    #[test]
    fn t12_it_stops_at_the_first_event_at_which_the_goal_holds() {
        let mut t = fresh(WorldSpec::default());
        assert_eq!(go(&mut t, Goal::Leader(Epoch(0))), Arrival::There(Vec::new()));
        let leader = t.world().leader().unwrap();
        let first = t.moment();
        t.seek(first - 1);
        assert_eq!(t.world().leader(), None, "not an event before");
        t.seek(first);
        t.command(Command::Connect { client: ClientId(0), server: leader }).unwrap();
        ask(&mut t, "create /a 1");
        let zxid = Zxid::new(Epoch(1), 2);
        let other = if leader == ServerId(4) { ServerId(3) } else { ServerId(4) };
        assert_eq!(go(&mut t, Goal::Committed(zxid, other)), Arrival::There(Vec::new()));
        let there = t.moment();
        assert_eq!(committed(t.driver(), other), Some(zxid));
        t.seek(there - 1);
        assert!(committed(t.driver(), other) < Some(zxid));
        t.command(Command::Kill { server: leader }).unwrap();
        assert_eq!(go(&mut t, Goal::Leader(Epoch(1))), Arrival::There(Vec::new()));
        assert_ne!(t.world().leader(), Some(leader));
    }

    #[test]
    fn t12_a_broken_rule_is_found_and_an_unbroken_one_is_not() {
        let mut t = fresh(WorldSpec { broken: Some(BrokenRule::CommitWithoutQuorum), ..WorldSpec::default() });
        go(&mut t, Goal::Leader(Epoch(0)));
        let leader = t.world().leader().unwrap();
        t.command(Command::Connect { client: ClientId(0), server: leader }).unwrap();
        t.command(Command::Partition { groups: vec![vec![leader]] }).unwrap();
        ask(&mut t, "create /a 1");
        assert_eq!(go(&mut t, Goal::Broken), Arrival::There(Vec::new()));
        let mut well = fresh(WorldSpec::default());
        let mut journey = Journey { goal: Goal::Broken, start: 0, left: 2000 };
        assert_eq!(journey.travel(&mut well, 1500), Arrival::Under);
        assert_eq!(journey.travel(&mut well, 1500), Arrival::TooFar);
        assert_eq!(well.moment(), 2000);
    }
}

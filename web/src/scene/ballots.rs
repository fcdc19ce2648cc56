//! The ballot board of an election: who votes for whom, and which comparison decides.

use zebu_core::collections::order;
use zebu_core::id::ServerId;
use zebu_core::note::Decider;
use zebu_core::sim::view::{Shown, WorldView};
use zebu_core::wire::notification::Vote;

/// One server's vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// Whose vote.
    pub voter: ServerId,
    /// For whom, with what.
    pub vote: Vote,
    /// It is the best one on the board.
    pub best: bool,
    /// It has won already: its voter is no longer looking.
    pub settled: bool,
}

/// The board.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Board {
    /// Ballots by voter.
    pub ballots: Vec<Ballot>,
    /// The best vote, the best other one, and what decides between them; none if all votes are equal.
    pub decided: Option<(Vote, Vote, Decider)>,
    /// How many hold the best vote.
    pub have: usize,
    /// How many have to.
    pub need: usize,
}

impl Board {
    /// The board while somebody looks for a leader; `None` when nobody does.
    pub fn new(view: &WorldView) -> Option<Board> {
        let looking = view.servers.iter().any(|s| s.shown == Shown::Looking);
        let votes = view.servers.iter().filter(|s| s.shown != Shown::Down).filter_map(|s| {
            let vote = s.vote.filter(|v| v.leader != ServerId::NONE)?;
            Some((s.id, vote, s.shown != Shown::Looking))
        });
        Board::of(votes.collect(), view.servers.first().map_or(1, |s| s.quorum)).filter(|_| looking)
    }

    /// The board of some votes; `None` without any. Those of who looks are compared with each other. A settled vote is
    /// of an earlier election: it counts only for a leader whom a quorum follows, and that leader needs no comparison.
    pub fn of(mut votes: Vec<(ServerId, Vote, bool)>, need: usize) -> Option<Board> {
        order::sort_by_key(&mut votes, |(voter, ..)| *voter);
        let followed = |leader: ServerId| votes.iter().filter(|(_, v, settled)| *settled && v.leader == leader).count();
        let in_office = votes.iter().filter(|(_, _, settled)| *settled).map(|(_, v, _)| *v);
        let in_office = in_office.clone().find(|v| followed(v.leader) >= need);
        let mut ranked: Vec<Vote> = votes.iter().filter(|(_, _, settled)| !settled).map(|(_, vote, _)| *vote).collect();
        order::sort_by(&mut ranked, |a, b| b.cmp(a));
        ranked.dedup();
        let best = in_office.or(ranked.first().copied())?;
        let decided = match in_office {
            Some(_) => None,
            None => ranked.get(1).map(|next| (best, *next, Decider::between(&best, next))),
        };
        let is_best = |vote: &Vote, settled: bool| match in_office {
            Some(office) => vote.leader == office.leader,
            None => !settled && *vote == best,
        };
        let ballots: Vec<Ballot> = votes
            .iter()
            .map(|&(voter, vote, settled)| Ballot { voter, vote, best: is_best(&vote, settled), settled })
            .collect();
        let have = ballots.iter().filter(|b| b.best).count();
        Some(Board { ballots, decided, have, need })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::sample::{five, zxid};
    use zebu_core::id::Epoch;

    fn vote(epoch: i64, counter: u32, leader: i64) -> Vote {
        Vote { epoch: Epoch(epoch), zxid: zxid(1, counter), leader: ServerId(leader) }
    }

    #[test]
    fn the_winning_comparison_is_named() {
        for (a, b, by) in [
            (vote(2, 1, 1), vote(1, 9, 5), Decider::Epoch),
            (vote(1, 8, 1), vote(1, 7, 5), Decider::Zxid),
            (vote(1, 8, 3), vote(1, 8, 2), Decider::ServerId),
        ] {
            let board = Board::of(vec![(ServerId(4), b, false), (ServerId(1), a, false)], 2).unwrap();
            assert_eq!(board.decided, Some((a, b, by)));
            assert_eq!(board.ballots.iter().map(|x| (x.voter.0, x.best)).collect::<Vec<_>>(), [(1, true), (4, false)]);
            assert_eq!((board.have, board.need), (1, 2));
        }
        let equal = Board::of(vec![(ServerId(1), vote(1, 1, 3), false), (ServerId(2), vote(1, 1, 3), false)], 2);
        assert_eq!(equal.map(|b| (b.decided, b.have)), Some((None, 2)));
        assert_eq!(Board::of(Vec::new(), 2), None);
    }

    #[test]
    fn votes_of_an_earlier_election_are_not_compared() {
        // 4 and 5 still follow 5, by votes from before there was anything in a log; 1, 2 and 3 are to agree on 3.
        let old = |voter| (ServerId(voter), vote(0, 0, 5), true);
        let new = |voter, leader| (ServerId(voter), vote(1, 3, leader), false);
        let board = Board::of(vec![old(4), old(5), new(1, 3), new(2, 2), new(3, 3)], 3).unwrap();
        assert_eq!(board.decided, Some((vote(1, 3, 3), vote(1, 3, 2), Decider::ServerId)));
        assert_eq!((board.have, board.ballots.iter().filter(|b| b.best).count()), (2, 2));
        // A leader in office whom a quorum follows is not outvoted by a larger id.
        let board = Board::of(vec![old(1), old(2), old(4), (ServerId(9), vote(0, 0, 9), false)], 3).unwrap();
        assert_eq!((board.decided, board.have), (None, 3));
        assert!(!board.ballots[3].best);
    }

    #[test]
    fn there_is_a_board_only_while_somebody_looks() {
        let mut view = five();
        assert_eq!(Board::new(&view), None);
        view.servers[1].shown = Shown::Looking;
        let board = Board::new(&view).unwrap();
        assert_eq!(board.ballots.len(), 5);
        assert!(!board.ballots[1].settled && board.ballots[0].settled);
    }
}

//! What the signs on the screen mean: exactly those that are to be seen at this moment.

use crate::scene::ledger::{Ledger, Stamp};
use crate::scene::packets::short_kind;
use crate::scene::stage::{Stage, Way};
use crate::scene::tree::{Difference, TreeModel};
use zebu_core::collections::BTreeSet;
use zebu_core::sim::view::{Flight, Shown};

/// A sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Glyph {
    /// A crown and a double ring.
    Leader,
    /// A hollow crown.
    HollowCrown,
    /// A ring.
    Follower,
    /// A dotted ring.
    Looking,
    /// A dashed ring.
    Observer,
    /// Crossed out.
    Down,
    /// Two bars.
    Paused,
    /// The number of the epoch, in its colour.
    Epoch,
    /// An arc: what is left of a server's patience.
    Clock,
    /// A line in an epoch's colour.
    Reign,
    /// A link that is cut in both directions.
    Cut,
    /// A link that is cut in one direction.
    OneWay,
    /// A slow link.
    Slow,
    /// A filled message.
    Request,
    /// A hollow message.
    Reply,
    /// A tick.
    Heartbeat,
    /// A message with a cross.
    Lost,
    /// A square.
    Client,
    /// A filled square.
    Holder,
    /// A transaction in a log.
    Stamp(Stamp),
    /// Acknowledgements of a proposal.
    Meter,
    /// A znode that differs from the leader's.
    Different,
    /// A watched znode.
    Watched,
    /// A cause or effect of what is picked.
    Lit,
}

impl Glyph {
    /// All but the stamps.
    pub const PLAIN: [Glyph; 23] = [
        Glyph::Leader,
        Glyph::HollowCrown,
        Glyph::Follower,
        Glyph::Looking,
        Glyph::Observer,
        Glyph::Down,
        Glyph::Paused,
        Glyph::Epoch,
        Glyph::Clock,
        Glyph::Reign,
        Glyph::Cut,
        Glyph::OneWay,
        Glyph::Slow,
        Glyph::Request,
        Glyph::Reply,
        Glyph::Heartbeat,
        Glyph::Lost,
        Glyph::Client,
        Glyph::Holder,
        Glyph::Meter,
        Glyph::Different,
        Glyph::Watched,
        Glyph::Lit,
    ];

    /// The last part of its text's key.
    pub fn key(self) -> &'static str {
        match self {
            Glyph::Leader => "leader",
            Glyph::HollowCrown => "hollow-crown",
            Glyph::Follower => "follower",
            Glyph::Looking => "looking",
            Glyph::Observer => "observer",
            Glyph::Down => "down",
            Glyph::Paused => "paused",
            Glyph::Epoch => "epoch",
            Glyph::Clock => "clock",
            Glyph::Reign => "reign",
            Glyph::Cut => "cut",
            Glyph::OneWay => "one-way",
            Glyph::Slow => "slow",
            Glyph::Request => "request",
            Glyph::Reply => "reply",
            Glyph::Heartbeat => "heartbeat",
            Glyph::Lost => "lost",
            Glyph::Client => "client",
            Glyph::Holder => "holder",
            Glyph::Stamp(stamp) => stamp.key(),
            Glyph::Meter => "meter",
            Glyph::Different => "different",
            Glyph::Watched => "watched",
            Glyph::Lit => "lit",
        }
    }
}

/// The legend of a picture.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legend {
    /// Signs, each once.
    pub glyphs: BTreeSet<Glyph>,
    /// Types of messages that have a text of their own, by the name on the stage.
    pub kinds: BTreeSet<String>,
}

impl Legend {
    /// Everything that is on the screen.
    pub fn new(stage: &Stage, flights: &[Flight], ledger: &Ledger, tree: Option<&TreeModel>) -> Legend {
        let mut glyphs = BTreeSet::new();
        for s in &stage.servers {
            glyphs.extend(match s.shown {
                Shown::Down => Some(Glyph::Down),
                // A compared protocol has the role in words in the disc.
                _ if s.model.is_some() => None,
                Shown::Leading if s.reigns => Some(Glyph::Leader),
                Shown::Leading => Some(Glyph::HollowCrown),
                _ if s.observer => Some(Glyph::Observer),
                Shown::Looking => Some(Glyph::Looking),
                _ => Some(Glyph::Follower),
            });
            glyphs.extend(s.paused.then_some(Glyph::Paused));
            glyphs.extend((s.colour != "e0").then_some(Glyph::Epoch));
            glyphs.extend(s.clock.map(|_| Glyph::Clock));
            glyphs.extend(s.lit.map(|_| Glyph::Lit));
        }
        for l in &stage.links {
            glyphs.extend(match (l.forth, l.back) {
                (Way::Cut, Way::Cut) => Some(Glyph::Cut),
                (Way::Cut, _) | (_, Way::Cut) => Some(Glyph::OneWay),
                (Way::Slow(_), _) | (_, Way::Slow(_)) => Some(Glyph::Slow),
                _ => l.reign.map(|_| Glyph::Reign),
            });
        }
        glyphs.extend(stage.clients.iter().find(|c| !c.holds).map(|_| Glyph::Client));
        glyphs.extend(stage.clients.iter().find(|c| c.holds).map(|_| Glyph::Holder));
        let mut kinds = BTreeSet::new();
        for f in flights {
            glyphs.insert(match (f.heartbeat, f.reply) {
                (true, _) => Glyph::Heartbeat,
                (_, true) => Glyph::Reply,
                (_, false) => Glyph::Request,
            });
            glyphs.extend(f.lost.then_some(Glyph::Lost));
            if !f.heartbeat && f.kind.chars().all(|c| c.is_ascii_uppercase()) {
                kinds.insert(short_kind(&f.kind).to_string());
            }
        }
        for cell in ledger.rows.iter().flat_map(|r| r.cells.iter().flatten()) {
            glyphs.insert(Glyph::Stamp(cell.stamp));
        }
        glyphs.extend(ledger.columns.iter().any(|c| c.acks.is_some()).then_some(Glyph::Meter));
        for line in tree.iter().flat_map(|t| &t.lines) {
            glyphs.extend((line.difference != Difference::Same).then_some(Glyph::Different));
            glyphs.extend((line.watches > 0).then_some(Glyph::Watched));
        }
        Legend { glyphs, kinds }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::ledger::COLUMNS;
    use crate::scene::sample::five;
    use zebu_core::id::ServerId;
    use zebu_core::sim::view::WorldView;

    fn legend(view: &WorldView) -> Legend {
        let tree = TreeModel::new(view, ServerId(1));
        let stage = Stage::new(view, 1152.0, 610.0);
        Legend::new(&stage, &view.flights, &Ledger::new(view, COLUMNS, false), tree.as_ref())
    }

    #[test]
    fn it_lists_exactly_what_is_on_the_screen() {
        let mut view = five();
        let keys = |l: &Legend| l.glyphs.iter().map(|g| g.key()).collect::<Vec<_>>();
        let calm = legend(&view);
        assert_eq!(
            keys(&calm),
            [
                "leader",
                "follower",
                "epoch",
                "reign",
                "one-way",
                "slow",
                "client",
                "stamp.synced",
                "stamp.acked",
                "stamp.applied",
                "meter",
                "watched"
            ]
        );
        assert!(calm.kinds.is_empty());
        view.servers[1].shown = Shown::Looking;
        view.servers[4].shown = Shown::Down;
        view.links.clear();
        let stormy = keys(&legend(&view));
        assert!(stormy.contains(&"looking") && stormy.contains(&"down"));
        assert!(!stormy.contains(&"slow") && !stormy.contains(&"one-way"));
    }
}

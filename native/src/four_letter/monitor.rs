//! `mntr` and `hash`.

use super::push;
use crate::operator::{Operator, version};
use zebu_core::effect::Serving;
use zebu_core::server::ReadSide as _;

/// Everything that is counted.
pub async fn mntr(operator: &Operator, serving: &Serving) -> String {
    let mut out = String::new();
    let mut line = |key: &str, value: &dyn std::fmt::Display| push(&mut out, format_args!("zk_{key}\t{value}\n"));
    line("version", &version());
    line("server_state", &operator.mode(serving));
    operator.peer_state(serving).into_iter().for_each(|state| line("peer_state", &state));
    for (name, number) in operator.report().await.numbers() {
        line(&name, &number);
    }
    out
}

/// The tree's digest at every 128th transaction.
pub fn hash(operator: &Operator) -> String {
    let mut out = String::new();
    operator.side.read(|s| {
        for (zxid, digest) in s.tree.digests().iter() {
            push(&mut out, format_args!("{:x}: {digest}\n", zxid.0));
        }
    });
    out
}

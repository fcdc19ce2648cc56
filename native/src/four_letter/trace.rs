//! `gtmk` and `stmk`: what the finest log tells.

use crate::operator::Operator;

/// The mask, decimal.
pub fn get(operator: &Operator) -> String {
    operator.trace.get().to_string()
}

/// Sets it to the eight bytes behind the word, and answers it.
pub fn set(operator: &Operator, argument: Option<[u8; 8]>) -> String {
    if let Some(bytes) = argument {
        operator.trace.set(i64::from_be_bytes(bytes));
    }
    get(operator)
}

//! The only place that takes chance from the system.

use std::hash::{BuildHasher, Hasher, RandomState};

/// A seed that differs from process to process. Nothing secret hangs on it: the core draws from it how long to wait
/// and when to take a snapshot.
pub fn seed() -> u64 {
    let mut hasher = RandomState::new().build_hasher();
    hasher.write_u32(std::process::id());
    hasher.finish()
}

/// Bytes that nobody can foresee, for what is secret.
///
/// # Errors
/// The system has none.
pub fn secret<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

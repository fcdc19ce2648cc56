//! The client's side of the protocol, without I/O: used by the simulator's clients, and fit for any other driver.

pub mod line;
mod session;
mod watches;

pub use session::{Client, ClientError, ClientEvent, ClientOutput, Ending};
pub use watches::WatchKind;

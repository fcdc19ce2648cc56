//! The client's side of the protocol, without I/O: used by the simulator's clients and by `zebu cli`, and fit for any
//! other driver. [`Client`] is one session over whatever connection it is given; [`Connector`] also decides which server
//! to connect to, and when.

pub mod access;
mod auth;
mod chroot;
mod connector;
mod hosts;
pub mod line;
pub mod quota;
mod sasl;
mod session;
mod watches;

pub use auth::Credential;
pub use chroot::Chroot;
pub use connector::{Answer, Connector, ConnectorOutput, RequestError, Standing, Ticket, Trouble};
pub use hosts::{ConnectString, DEFAULT_PORT, HostError, HostPort, Rotation};
pub use sasl::SaslUser;
pub use session::{Client, ClientError, ClientEvent, ClientOutput, Ending};
pub use watches::WatchKind;

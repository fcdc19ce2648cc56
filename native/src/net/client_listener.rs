//! The client port's listener, which moves when a change of members gives this server another client port.

use super::client::{ClientPort, Speaks};
use super::listen::listen_soon;
use crate::config_file::ServerLine;
use parking_lot::Mutex;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tracing::{error, info};

/// See the module.
pub struct ClientListener {
    port: Arc<ClientPort>,
    speaks: Speaks,
    backlog: Option<i32>,
    runtime: tokio::runtime::Handle,
    at: Arc<Mutex<At>>,
}

/// Where it listens.
struct At {
    port: Option<u16>,
    host: Option<String>,
    task: Option<AbortHandle>,
}

impl ClientListener {
    /// Takes connections from `listener`, if there is one, which is at this address.
    pub fn start(
        port: Arc<ClientPort>,
        speaks: Speaks,
        backlog: Option<i32>,
        runtime: tokio::runtime::Handle,
        listener: Option<TcpListener>,
        (host, number): (Option<String>, Option<u16>),
    ) -> ClientListener {
        let task = listener.map(|l| runtime.spawn(port.clone().run(l, speaks.clone())).abort_handle());
        let at = Arc::new(Mutex::new(At { port: number, host, task }));
        ClientListener { port, speaks, backlog, runtime, at }
    }

    /// This server's line says where clients are served from now on; connections that are there stay.
    pub fn moved(&self, own: &ServerLine) {
        let Some((host, port)) = own.client.clone() else { return };
        let host = host.filter(|host| host != "0.0.0.0" && host != "::");
        {
            let mut at = self.at.lock();
            if at.port == Some(port) && (at.host == host || at.host.is_none()) {
                return;
            }
            (at.port, at.host) = (Some(port), host.clone());
            if let Some(task) = at.task.take() {
                task.abort();
            }
        }
        let (client_port, speaks, at, backlog) =
            (self.port.clone(), self.speaks.clone(), self.at.clone(), self.backlog);
        let runtime = self.runtime.clone();
        self.runtime.spawn(async move {
            match listen_soon(host.as_deref(), port, backlog, "client port", "the members").await {
                Ok(listener) => {
                    info!("client port {port}");
                    let mut at = at.lock();
                    if at.port == Some(port) {
                        at.task = Some(runtime.spawn(client_port.run(listener, speaks)).abort_handle());
                    }
                }
                Err(e) => error!("{e}"),
            }
        });
    }
}

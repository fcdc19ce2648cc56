//! `zebu bench create`: each client creates, waits for the answer, and deletes without waiting (P2, table 2 of the
//! ZooKeeper paper).

use super::error::BenchError;
use super::load::{Kind, Pace, Source, run};
use super::pool::Pool;
use super::progress::Progress;
use super::report::Round;
use super::target::Target;
use super::template::{self, Template};
use super::workload::{self, Workload, at_least_one};
use bytes::BytesMut;
use std::time::{Duration, Instant};
use zebu_core::wire::client::Request;

/// Deletes of a client that may be under way.
const DELETES_MAX: usize = 100;

/// Synchronous creates, each followed by a delete that nobody waits for.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Clients, spread over the servers; each has one create under way.
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = at_least_one)]
    pub connections: usize,
    /// Bytes of a znode's data.
    #[arg(long, value_name = "BYTES", default_value_t = 1024)]
    pub size: usize,
    /// How long each turn measures.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub duration: u64,
    /// How long each turn runs before that.
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    pub warm_up: u64,
}

/// Where a client stands.
#[derive(Clone, Copy, Debug, Default)]
struct Client {
    creating: bool,
    to_delete: Option<u64>,
    number: u64,
}

struct Creates {
    create: Template,
    delete: Template,
    clients: Vec<Client>,
    next: u64,
    /// No more creates; what there is has to be deleted.
    ends: bool,
}

impl Source for Creates {
    fn next(&mut self, connection: usize, xid: i32, out: &mut BytesMut) -> Option<Kind> {
        let client = self.clients.get_mut(connection)?;
        if let Some(number) = client.to_delete.take() {
            self.delete.put(xid, number, out);
            return Some(Kind::Delete);
        }
        if client.creating || self.ends {
            return None;
        }
        *client = Client { creating: true, to_delete: None, number: self.next };
        self.create.put(xid, self.next, out);
        self.next += 1;
        Some(Kind::Create)
    }

    fn is_done(&self, connection: usize) -> bool {
        let idle = |client: &Client| !client.creating && client.to_delete.is_none();
        self.ends && self.clients.get(connection).is_none_or(idle)
    }

    fn answered(&mut self, connection: usize, kind: Kind) {
        if let Some(client) = self.clients.get_mut(connection).filter(|_| kind == Kind::Create) {
            client.creating = false;
            client.to_delete = Some(client.number);
        }
    }
}

impl Workload for Options {
    fn describe(&self) -> String {
        let (clients, size, seconds) = (self.connections, self.size, self.duration);
        format!("{clients} clients create {size} bytes synchronously and delete asynchronously; {seconds} s")
    }

    fn prepare(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }

    fn round(&self, target: &Target, root: &str, progress: &Progress) -> Result<Round, BenchError> {
        let data = template::value(self.size, 3);
        let path = format!("{root}/c");
        let mut creates = Creates {
            create: Template::numbered(&path, |path| template::create(path, data)),
            delete: Template::numbered(&path, |path| Request::Delete { path, version: -1 }),
            clients: vec![Client::default(); self.connections],
            next: 0,
            ends: false,
        };
        let mut pool = Pool::new()?;
        pool.open(target, self.connections)?;
        let pace = Pace::Closed(1 + DELETES_MAX);
        if self.warm_up > 0 {
            let end = Instant::now() + Duration::from_secs(self.warm_up);
            run(&mut pool, self.connections, &mut creates, pace, Some(end), progress)?;
        }
        let cpu = target.processes.cpu_seconds()?;
        let end = Instant::now() + Duration::from_secs(self.duration);
        let tally = run(&mut pool, self.connections, &mut creates, pace, Some(end), progress)?;
        let mut round = Round::default();
        round.add_load(&tally);
        round.add_usage(target, cpu)?;
        creates.ends = true;
        run(&mut pool, self.connections, &mut creates, pace, None, progress)?;
        workload::close_all(&mut pool, self.connections)?;
        Ok(round)
    }

    fn clean(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }
}

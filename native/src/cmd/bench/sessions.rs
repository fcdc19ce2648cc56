//! `zebu bench sessions` and `zebu bench idle`: sessions that come and go, and such that only stay (P6).

use super::error::BenchError;
use super::load::histogram;
use super::pool::Pool;
use super::progress::Progress;
use super::report::{Better, Round};
use super::target::{PATIENCE, Target};
use super::template::Template;
use super::workload::{self, Workload, at_least_one};
use std::time::{Duration, Instant};
use zebu_core::wire::client::Request;

/// Sessions that are opened and closed again.
#[derive(Debug, clap::Args)]
pub struct Churn {
    /// Clients at once: each connects, opens a session, closes it, and begins again.
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = at_least_one)]
    pub connections: usize,
    /// How long each turn measures.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub duration: u64,
}

/// Sessions that do nothing but stay alive.
#[derive(Debug, clap::Args)]
pub struct Idle {
    /// Sessions, spread over the servers.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = at_least_one)]
    pub sessions: usize,
    /// How long they stay.
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    pub duration: u64,
}

impl Workload for Churn {
    fn describe(&self) -> String {
        format!("{} clients open and close sessions for {} s", self.connections, self.duration)
    }

    fn prepare(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }

    fn round(&self, target: &Target, _: &str, progress: &Progress) -> Result<Round, BenchError> {
        let mut pool = Pool::new()?;
        let close = Template::fixed(&Request::CloseSession);
        let cpu = target.processes.cpu_seconds()?;
        let begun = Instant::now();
        let end = begun + Duration::from_secs(self.duration);
        // Which server is next, and by connection: when it began to connect, and whether it is closing.
        let mut turn = 0;
        let mut open: Vec<(Instant, bool)> = Vec::new();
        for _ in 0..self.connections {
            pool.begin(target.host(turn), target.session_timeout_ms)?;
            turn += 1;
            open.push((Instant::now(), false));
        }
        let (mut opening, mut alive, mut sessions) = (histogram(), self.connections, 0);
        let mut heard = begun;
        while alive > 0 {
            for n in pool.wait(Some(Instant::now() + PATIENCE))? {
                let mut is_answered = false;
                pool.read(n, &mut |reply| is_answered |= reply.xid > 0)?;
                let now = Instant::now();
                heard = now;
                let Some((since, closing)) = open.get_mut(n) else { continue };
                if !*closing && pool.session(n).is_some() {
                    opening.saturating_record(now.duration_since(*since).as_micros() as u64);
                    *closing = true;
                    let connection = pool.connection(n)?;
                    let xid = connection.next_xid();
                    close.put(xid, 0, &mut connection.out);
                    pool.flush(n)?;
                } else if is_answered {
                    pool.end(n);
                    sessions += 1;
                    if now < end {
                        let n = pool.begin(target.host(turn), target.session_timeout_ms)?;
                        turn += 1;
                        if let Some(place) = open.get_mut(n) {
                            *place = (now, false);
                        }
                    } else {
                        alive -= 1;
                    }
                }
                progress.tick(now, sessions, begun);
            }
            if heard.elapsed() > PATIENCE {
                let what = "a session to be opened or closed".to_string();
                return Err(BenchError::Silence { what, seconds: PATIENCE.as_secs() });
            }
        }
        let mut round = Round { operations: sessions, ..Round::default() };
        let took = begun.elapsed().as_secs_f64().max(1e-9);
        round.add("sessions opened and closed", "1/s", sessions as f64 / took, Better::More);
        round.add_percentiles("open a session", &opening);
        for percentile in [50.0, 99.0] {
            let value = opening.value_at_percentile(percentile) as f64 / 1000.0;
            round.add(format!("open a session p{percentile}"), "ms", value, Better::Less);
        }
        round.add_usage(target, cpu)?;
        Ok(round)
    }

    fn clean(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }
}

impl Workload for Idle {
    fn describe(&self) -> String {
        format!("{} idle sessions for {} s", self.sessions, self.duration)
    }

    fn prepare(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }

    fn only_once(&self) -> Option<&'static str> {
        Some("a server that has had sessions once uses that memory again, even if they are gone")
    }

    fn round(&self, target: &Target, _: &str, progress: &Progress) -> Result<Round, BenchError> {
        let before = target.processes.resident()?;
        let mut pool = Pool::new()?;
        let begun = Instant::now();
        pool.open(target, self.sessions)?;
        let opened = begun.elapsed();
        let cpu = target.processes.cpu_seconds()?;
        let held = Instant::now();
        let end = held + Duration::from_secs(self.duration);
        while Instant::now() < end {
            for n in pool.wait(Some(end))? {
                pool.read(n, &mut |_| {})?;
            }
            progress.tick(Instant::now(), self.sessions as u64, begun);
        }
        let mut round = Round { operations: self.sessions as u64, ..Round::default() };
        round.add("all sessions open after", "ms", opened.as_secs_f64() * 1000.0, Better::Less);
        if !before.is_empty() {
            let used = target.processes.cpu_seconds()? - cpu;
            round.add(
                "servers' CPU while idle",
                "% of a core",
                100.0 * used / held.elapsed().as_secs_f64(),
                Better::Less,
            );
            let grown: f64 =
                target.processes.resident()?.iter().zip(&before).map(|(now, then)| *now as f64 - *then as f64).sum();
            round.add("memory of a session", "bytes", grown / self.sessions as f64, Better::Less);
        }
        workload::close_all(&mut pool, self.sessions)?;
        Ok(round)
    }

    fn clean(&self, _: &Target, _: &str, _: &Progress) -> Result<(), BenchError> {
        Ok(())
    }
}

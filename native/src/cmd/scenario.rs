//! `zebu scenario`: plays a scenario and says whether it goes as written.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use rust_embed::RustEmbed;
use zebu_core::scenario::{Player, Progress, Scenario};

/// The scenarios that come with Zebu.
#[derive(RustEmbed)]
#[folder = "../static/scenarios"]
struct Bundled;

/// What to do with scenarios.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Play a scenario to its end.
    Run {
        /// A file, or the name of a scenario that comes with Zebu.
        #[arg(value_name = "FILE|NAME")]
        which: String,
        /// Print everything that happens, one line each.
        #[arg(long)]
        trace: bool,
        /// Another seed than the scenario's own.
        #[arg(long, value_name = "SEED")]
        seed: Option<u64>,
    },
    /// List the scenarios that come with Zebu.
    List,
}

/// Plays or lists. The exit code is 1 if a scenario can't be read or does not go as written.
pub fn run(args: Args) -> ExitCode {
    let done = match args.action {
        Action::Run { which, trace, seed } => read(&which).and_then(|scenario| play(scenario, trace, seed)),
        Action::List => list(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("zebu scenario: {why}");
            ExitCode::FAILURE
        }
    }
}

fn names() -> Vec<String> {
    let mut names: Vec<String> =
        Bundled::iter().filter_map(|file| file.strip_suffix(".json").map(str::to_owned)).collect();
    names.sort();
    names
}

fn read(which: &str) -> Result<Scenario, String> {
    let text = if let Some(bundled) = Bundled::get(&format!("{which}.json")) {
        bundled.data.into_owned()
    } else if Path::new(which).exists() {
        fs::read(which).map_err(|e| format!("{which} can't be read: {e}"))?
    } else {
        return Err(format!(
            "there is no file {which} and no scenario of that name; there are: {}",
            names().join(", ")
        ));
    };
    serde_json::from_slice(&text).map_err(|e| format!("{which} is not a scenario: {e}"))
}

fn list() -> Result<(), String> {
    for name in names() {
        println!("{name:34} {}", read(&name)?.title.en);
    }
    Ok(())
}

fn play(mut scenario: Scenario, trace: bool, seed: Option<u64>) -> Result<(), String> {
    if let Some(seed) = seed {
        scenario.world.seed = seed;
    }
    let mut player = Player::new(scenario);
    loop {
        let step = player.position();
        let progress = player.advance();
        if trace {
            player.trace().iter().for_each(|record| println!("{record}"));
        }
        match progress.map_err(|e| e.to_string())? {
            Progress::Event(_) => {}
            Progress::StepDone(_) => {
                if let Some(note) = player.scenario().steps.get(step).and_then(|s| s.note.as_ref()) {
                    println!("{:>9.3} s  {}", player.world().now().millis() as f64 / 1000.0, note.en);
                }
            }
            Progress::Finished => break,
        }
    }
    if let Some((rule, why)) = player.world().violated().filter(|_| !player.scenario().breaks_a_rule()) {
        return Err(format!("{rule}: {why}"));
    }
    println!(
        "as written: {} events, {:.1} simulated seconds, trace digest {:016x}",
        player.world().events(),
        player.world().now().millis() as f64 / 1000.0,
        player.trace_digest()
    );
    Ok(())
}

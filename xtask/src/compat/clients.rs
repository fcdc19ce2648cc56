//! Scripts of clients that others wrote, for node and for Rust; see `native/compat/clients/`.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;

use super::{counted_script, zebu};
use crate::count::Count;
use crate::run::{self, Line};
use crate::stage::Outcome;
use crate::{cargo, demo, root, setup, target};

/// At Apache, which shows that the scripts ask for nothing else than Apache gives, and at Zebu.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn both(line: &Line) -> Result<Outcome> {
    let apache = setup::apache(line)?;
    let class_path = ("APACHE_CLASS_PATH".to_owned(), apache.class_path);
    let yardstick = scripts("apache", class_path, line)?;
    let zebu = at_zebu(&zebu(line)?, line)?;
    Ok(Outcome { count: yardstick.count + zebu.count, output: yardstick.output + &zebu.output })
}

/// At Zebu alone.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn quick(line: &Line) -> Result<Outcome> {
    at_zebu(&demo::release_binary(line)?, line)
}

fn at_zebu(zebu: &Path, line: &Line) -> Result<Outcome> {
    scripts("zebu", ("ZEBU".to_owned(), zebu.display().to_string()), line)
}

fn scripts(system: &str, (key, value): (String, String), line: &Line) -> Result<Outcome> {
    let python = setup::python(line)?;
    let node = setup::node_with("node-client", "native/compat/clients/node/package.json", line)?;
    let rust = rust_client(line)?;
    let commands = [vec!["node".into(), "node/client.mjs".into()], vec![rust.into_os_string()]];
    let mut all = Outcome { count: Count::default(), output: String::new() };
    for client in commands {
        line.show(&format!("{} at {system}", client[0].display()));
        let mut command = Command::new(&python);
        command.current_dir(root().join("native/compat/clients"));
        command.args(["-B", "run.py", system]).args(&client);
        command.env("ZEBU_NODE_TOOLS", &node).env(&key, &value);
        let one = counted_script(command, "clients", line)?;
        all.count = all.count + one.count;
        all.output.push_str(&one.output);
    }
    Ok(all)
}

/// The crate with the Rust client's script, which no workspace builds by itself.
fn rust_client(line: &Line) -> Result<PathBuf> {
    let built = target().join("test-tools/rust-client");
    let mut build = cargo();
    build.current_dir(root().join("native/compat/clients/rust"));
    build.args(["build", "--locked", "--target-dir"]).arg(&built);
    run::must(&mut build, line, super::LIMIT)?;
    Ok(built.join("debug/zebu-compat-client"))
}

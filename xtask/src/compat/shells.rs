//! The shells of Apache's Java client and of its C client: one session over all their commands.
//!
//! The scripts are in `native/compat/shells/`; what Apache answers stands there as transcripts, so that Zebu can be
//! compared without Java.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use super::{counted_script, zebu};
use crate::run::Line;
use crate::stage::Outcome;
use crate::{demo, root, setup};

/// The C client's shell at Apache, at Zebu, and through a server of each role.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn cli_mt(line: &Line) -> Result<Outcome> {
    both("cli_mt", line)
}

/// Apache's Java shell at Apache, at Zebu, and through a server of each role.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn zkcli(line: &Line) -> Result<Outcome> {
    both("zkcli", line)
}

/// The C client's shell at Zebu alone, against Apache's transcript.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn quick(line: &Line) -> Result<Outcome> {
    at_zebu("cli_mt", &demo::release_binary(line)?, line)
}

fn both(shell: &str, line: &Line) -> Result<Outcome> {
    let apache = setup::apache(line)?;
    let mut command = compare(shell, "apache", line)?;
    command.env("APACHE_CLASS_PATH", &apache.class_path).env("ZKCLI", &apache.zk_cli);
    line.show(&format!("{shell} at Apache"));
    let yardstick = counted_script(command, shell, line)?;
    let zebu = at_zebu(shell, &zebu(line)?, line)?;
    Ok(Outcome { count: yardstick.count + zebu.count, output: yardstick.output + &zebu.output })
}

fn at_zebu(shell: &str, zebu: &Path, line: &Line) -> Result<Outcome> {
    let mut command = compare(shell, "zebu", line)?;
    command.env("ZEBU", zebu);
    if shell == "zkcli" {
        command.env("ZKCLI", setup::apache(line)?.zk_cli);
    }
    line.show(&format!("{shell} at Zebu"));
    counted_script(command, shell, line)
}

fn compare(shell: &str, system: &str, line: &Line) -> Result<Command> {
    let mut command = Command::new(setup::python(line)?);
    command.current_dir(root().join("native/compat/shells"));
    command.args(["-B", "compare.py", shell, system]);
    if shell == "cli_mt" {
        command.env("CLI_MT", setup::cli_mt(line)?);
    }
    Ok(command)
}

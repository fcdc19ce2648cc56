//! Both kinds of server in one ensemble, and on each other's files; see `native/compat/mixed/`.

use std::process::Command;

use anyhow::Result;

use super::{LIMIT, clear, test_dir, zebu};
use crate::run::{self, Line};
use crate::stage::Outcome;
use crate::{count, root, setup};

/// Kills and restarts, a migration there and back, and the files.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn run(line: &Line) -> Result<Outcome> {
    let apache = setup::apache(line)?;
    let dir = test_dir("mixed")?;
    let mut command = Command::new(setup::python(line)?);
    command.current_dir(root().join("native/compat/mixed"));
    command.args(["-B", "-m", "unittest", "-v"]);
    command.env("APACHE_CLASS_PATH", apache.class_path).env("ZEBU", zebu(line)?);
    command.env("ZEBU_TEST_DIR", &dir).env("PYTHONUNBUFFERED", "1");
    let mut outcome = Outcome::counted(run::capture(&mut command, line, LIMIT)?, count::unittest);
    clear(&dir, &mut outcome)?;
    Ok(outcome)
}

//! Power cuts, many more of them than among the everyday tests; see `native/tests/kazoo/test_power.py`.

use std::process::Command;

use anyhow::Result;

use super::{LIMIT, clear, test_dir, zebu};
use crate::run::{self, Line};
use crate::stage::Outcome;
use crate::{count, root, setup};

/// How many, if `ZEBU_POWER_CUTS` does not say otherwise.
const CUTS: &str = "100";

/// The cuts, and what they hit. Fails where no image can be mounted.
///
/// # Errors
/// Something that is needed cannot be set up or started.
pub fn run(line: &Line) -> Result<Outcome> {
    let dir = test_dir("power")?;
    let mut command = Command::new(setup::python(line)?);
    command.current_dir(root().join("native/tests/kazoo"));
    command.args(["-B", "-m", "unittest", "-v", "test_power"]);
    command.env("ZEBU", zebu(line)?).env("ZEBU_TEST_DIR", &dir).env("PYTHONUNBUFFERED", "1");
    if std::env::var_os("ZEBU_POWER_CUTS").is_none() {
        command.env("ZEBU_POWER_CUTS", CUTS);
    }
    let mut outcome = Outcome::counted(run::capture(&mut command, line, LIMIT)?, count::unittest);
    clear(&dir, &mut outcome)?;
    Ok(outcome)
}

//! Sets up what a build or a test needs and the machine lacks; where that is impossible, names the line to run.
//!
//! Tools that belong to the tests alone go under `target/test-tools/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::run::{self, Line};
use crate::{root, target};

const LIMIT: Duration = Duration::from_secs(900);

/// The Rust standard library for another target.
///
/// # Errors
/// It is missing and rustup cannot add it.
pub fn rust_target(name: &str, line: &Line) -> Result<()> {
    let sysroot = run::must(Command::new("rustc").current_dir(root()).args(["--print", "sysroot"]), line, LIMIT)?;
    if Path::new(sysroot.trim()).join("lib/rustlib").join(name).join("lib").is_dir() {
        return Ok(());
    }
    line.show(&format!("rustup target add {name}"));
    run::must(Command::new("rustup").current_dir(root()).args(["target", "add", name]), line, LIMIT)
        .with_context(|| format!("the Rust target {name} is missing; run `rustup target add {name}`"))?;
    Ok(())
}

/// A Chromium for the browser tests: `ZEBU_CHROMIUM`, one on the PATH, or Debian's, which is installed when this user may.
///
/// # Errors
/// There is none and it cannot be installed.
pub fn chromium(line: &Line) -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("ZEBU_CHROMIUM") {
        return Ok(named.into());
    }
    let names = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
    if let Some(found) = names.into_iter().find_map(on_path) {
        return Ok(found);
    }
    apt_install(&["chromium"], line)?;
    on_path("chromium").context("chromium was installed and is not on the PATH; name it with ZEBU_CHROMIUM")
}

/// A Python with kazoo, in an environment of its own.
///
/// # Errors
/// There is no Python 3, or kazoo cannot be installed.
pub fn python(line: &Line) -> Result<PathBuf> {
    python_with("python", "native/tests/kazoo/requirements.txt", None, line)
}

/// A Python with what these requirements list, in an environment `name` of its own. What `alone` lists is installed
/// without what it asks for.
///
/// # Errors
/// There is no Python 3, or a package cannot be installed.
pub fn python_with(name: &str, requirements: &str, alone: Option<&str>, line: &Line) -> Result<PathBuf> {
    let wanted = root().join(requirements);
    let home = target().join("test-tools").join(name);
    let python = home.join("bin/python");
    let alone = alone.map(|alone| root().join(alone));
    let lists: Vec<_> = [Some(&wanted), alone.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
    once_for(&lists, &home, || {
        line.show("python -m venv");
        if on_path("python3").is_none() {
            apt_install(&["python3", "python3-venv"], line)?;
        }
        let make = || -> Command {
            let mut command = Command::new("python3");
            command.args(["-m", "venv", "--clear"]).arg(&home);
            command
        };
        if run::must(&mut make(), line, LIMIT).is_err() {
            apt_install(&["python3-venv"], line)?;
            run::must(&mut make(), line, LIMIT)?;
        }
        line.show("pip install");
        let pip = || -> Command {
            let mut pip = Command::new(&python);
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
            pip
        };
        run::must(pip().arg("--requirement").arg(&wanted), line, LIMIT)?;
        if let Some(alone) = &alone {
            run::must(pip().args(["--no-deps", "--requirement"]).arg(alone), line, LIMIT)?;
        }
        Ok(())
    })?;
    Ok(python)
}

/// The folder whose `node_modules` has what the browser tests import.
///
/// # Errors
/// There is no node 20 or later with npm, or a package cannot be installed.
pub fn node_tools(line: &Line) -> Result<PathBuf> {
    node_with("node", "web/tests/package.json", line)
}

/// The folder `name` whose `node_modules` has what this package.json lists.
///
/// # Errors
/// There is no node 20 or later with npm, or a package cannot be installed.
pub fn node_with(name: &str, package: &str, line: &Line) -> Result<PathBuf> {
    if on_path("node").is_none() || on_path("npm").is_none() {
        bail!("node 20 or later with npm is missing; run `apt-get install nodejs npm` (as root), or your system's way");
    }
    let wanted = root().join(package);
    let home = target().join("test-tools").join(name);
    once_for(&[&wanted], &home, || {
        line.show("npm install");
        let copy = home.join("package.json");
        fs::create_dir_all(&home).with_context(|| format!("cannot make {}", home.display()))?;
        fs::copy(&wanted, &copy).with_context(|| format!("cannot write {}", copy.display()))?;
        let mut npm = Command::new("npm");
        npm.current_dir(&home).args(["install", "--no-audit", "--no-fund", "--no-package-lock", "--ignore-scripts"]);
        run::must(&mut npm, line, LIMIT)?;
        Ok(())
    })?;
    Ok(home)
}

/// Apache ZooKeeper's server and Java shell as Debian packages them, with a Java to run them.
///
/// # Errors
/// They are missing and cannot be installed.
pub fn apache(line: &Line) -> Result<Apache> {
    let jars = PathBuf::from("/usr/share/java");
    let zk_cli = PathBuf::from("/usr/share/zookeeper/bin/zkCli.sh");
    if !jars.join("zookeeper.jar").is_file() || !zk_cli.is_file() || on_path("java").is_none() {
        apt_install(&["zookeeper", "default-jre-headless"], line)?;
    }
    let query = ["--show", "--showformat=${Version}", "libzookeeper-java"];
    let version = run::must(Command::new("dpkg-query").args(query), line, LIMIT)
        .context("the comparison is with Debian's package of Apache ZooKeeper, which is not installed")?;
    // Debian's manifest leaves out what Netty needs of itself.
    let class_path = ["zookeeper", "netty-resolver", "netty-codec", "netty-transport-native-unix-common", "slf4j-nop"]
        .map(|jar| jars.join(format!("{jar}.jar")).display().to_string())
        .join(":");
    Ok(Apache { version: version.trim().to_owned(), class_path, zk_cli })
}

/// An installed Apache ZooKeeper.
pub struct Apache {
    /// The Debian version of its package.
    pub version: String,
    /// What `java -cp` takes to run its server.
    pub class_path: String,
    /// Its Java shell.
    pub zk_cli: PathBuf,
}

/// The shell of Apache's C client with threads, from Debian's package.
///
/// # Errors
/// It is missing and cannot be installed.
pub fn cli_mt(line: &Line) -> Result<PathBuf> {
    let cli_mt = PathBuf::from("/usr/lib/zookeeper/bin/cli_mt");
    if !cli_mt.is_file() {
        apt_install(&["zookeeper-bin"], line)?;
    }
    Ok(cli_mt)
}

/// Runs `install` unless `home` was made for these very lists of packages.
fn once_for(wanted: &[&Path], home: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let list = wanted.iter().map(|list| crate::read_text(list)).collect::<Result<Vec<_>>>()?.join("\n");
    let mark = home.join("installed-for");
    if fs::read_to_string(&mark).is_ok_and(|installed| installed == list) {
        return Ok(());
    }
    install()?;
    fs::write(&mark, list).with_context(|| format!("cannot write {}", mark.display()))
}

fn apt_install(packages: &[&str], line: &Line) -> Result<()> {
    let by_hand = format!("apt-get install {}", packages.join(" "));
    if on_path("apt-get").is_none() || !is_root() {
        bail!("{} is missing; run `{by_hand}` (as root), or your system's way", packages.join(", "));
    }
    line.show(&by_hand);
    run::must(Command::new("apt-get").args(["update", "--quiet"]), line, LIMIT)?;
    let mut install = Command::new("apt-get");
    install.env("DEBIAN_FRONTEND", "noninteractive");
    install.args(["install", "--yes", "--quiet", "--no-install-recommends"]).args(packages);
    run::must(&mut install, line, LIMIT).with_context(|| format!("`{by_hand}` did not work"))?;
    Ok(())
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file())
}

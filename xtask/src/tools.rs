//! Running programs, and the folder where slow-to-build tools are kept between runs.

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(PathBuf::new, Path::to_path_buf)
}

/// One line for the person at the terminal.
pub(crate) fn say(text: &str) {
    let mut err = std::io::stderr().lock();
    drop(writeln!(err, "{text}"));
}

/// `cargo`, the one that runs us.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(arguments).current_dir(root());
    command
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    let shown = words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ");
    let status = command.status().with_context(|| format!("could not start {shown}"))?;
    ensure!(status.success(), "{shown} ended with {status}");
    Ok(())
}

/// `${XDG_CACHE_HOME:-~/.cache}/rolecall-tools`, outside every clone.
#[expect(clippy::disallowed_methods, reason = "xtask reads the environment where it needs it")]
pub(crate) fn cache() -> Result<PathBuf> {
    let absolute = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
    let base = match (absolute("XDG_CACHE_HOME"), absolute("HOME")) {
        (Some(cache), _) => PathBuf::from(cache),
        (None, Some(home)) => PathBuf::from(home).join(".cache"),
        (None, None) => bail!("neither XDG_CACHE_HOME nor HOME is set"),
    };
    let folder = base.join("rolecall-tools");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make {}", folder.display()))?;
    Ok(folder)
}

/// A Python with the given packages, in a venv of the cache that is made when it is missing.
///
/// The venv is named after its packages, so that another version is another venv.
pub(crate) fn python(packages: &[&str]) -> Result<PathBuf> {
    let venv = cache()?.join(format!("python-{}", packages.join("-").replace("==", "-")));
    let python = venv.join("bin").join("python");
    let done = venv.join("done");
    if !done.exists() {
        say(&format!("installing {} into {}", packages.join(", "), venv.display()));
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        let arguments = ["-m", "pip", "install", "--quiet"].iter().chain(packages);
        run(Command::new(&python).args(arguments))?;
        std::fs::write(&done, b"").context("cannot mark the venv as done")?;
    }
    Ok(python)
}

/// A cargo tool of a fixed version, built once per machine.
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    let folder = cache()?.join(format!("{name}-{version}"));
    let tool = folder.join("bin").join(name);
    if !tool.exists() {
        say(&format!("building {name} {version} into {} (minutes, once)", folder.display()));
        let mut install = cargo(&["install", "--locked", "--quiet", "--version", version, name]);
        run(install.arg("--root").arg(&folder).current_dir(cache()?))?;
    }
    Ok(tool)
}

/// A program of a Go module of `tools/go`, built once per machine for each version of it.
pub(crate) fn go_tool(name: &str, version: &str, package: &str) -> Result<PathBuf> {
    let tool = cache()?.join(format!("{name}-{version}")).join(name);
    if !tool.exists() {
        say(&format!("building {name} {version} into {} (minutes, once)", tool.display()));
        let mut build = Command::new("go");
        build.args(["build", "-mod=readonly", "-trimpath", "-ldflags", "-s -w", "-o"]);
        build.arg(&tool).arg(package).current_dir(root().join("tools/go").join(name));
        build.env("GOFLAGS", "-buildvcs=false").env("CGO_ENABLED", "0");
        run(&mut build).with_context(|| format!("Go 1.26 or newer builds {name}"))?;
    }
    Ok(tool)
}

/// The path of a program that was built in the release profile.
pub(crate) fn release(program: impl AsRef<OsStr>) -> Result<PathBuf> {
    Ok(target()?.join("release").join(program.as_ref()))
}

/// Where cargo builds.
#[expect(clippy::disallowed_methods, reason = "xtask reads the environment where it needs it")]
pub(crate) fn target() -> Result<PathBuf> {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(folder) => std::path::absolute(folder).context("CARGO_TARGET_DIR is not a path"),
        None => Ok(root().join("target")),
    }
}

//! Outside judges: programs that are not ours, as clients of our emulator.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::tools::{cargo, python, root, run, target};

/// The AWS CLI and boto3 against the built-in world.
pub(crate) fn judge_all() -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "rolecall"]))?;
    let program = target()?.join("debug").join("rolecall");
    let emulator = RunningEmulator::start(&program)?;
    let judge = root().join("xtask").join("python").join("judge.py");
    run(Command::new(python(&PACKAGES)?)
        .arg(judge)
        .arg(&program)
        .envs(emulator.environment.clone()))
}

/// The outside judges' packages, by version.
pub(crate) const PACKAGES: [&str; 2] = ["awscli==1.46.3", "boto3==1.44.8"];

/// `rolecall emulate`, ended when dropped.
#[derive(Debug)]
pub(crate) struct RunningEmulator {
    child: Child,
    /// What it printed for clients to use.
    pub(crate) environment: Vec<(String, String)>,
}

impl RunningEmulator {
    /// Starts it and waits until it has said where it listens.
    pub(crate) fn start(program: &PathBuf) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["emulate", "--quiet"])
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("could not start {}", program.display()))?;
        let Some(stdout) = child.stdout.take() else { bail!("the emulator has no output") };
        let mut environment = Vec::new();
        for line in BufReader::new(stdout).lines() {
            let line = line.context("cannot read what the emulator prints")?;
            let pair = line.strip_prefix("export ").and_then(|line| line.split_once('='));
            environment.extend(pair.map(|(name, value)| (name.to_owned(), value.to_owned())));
            if line.starts_with("export AWS_SECRET_ACCESS_KEY=") {
                break;
            }
        }
        Ok(Self { child, environment })
    }
}

impl Drop for RunningEmulator {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

//! Outside judges: programs that are not ours, as clients of our emulator, as servers of our client,
//! and as readers of the same files.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::dist;
use crate::go;
use crate::image;
use crate::prometheus;
use crate::step;
use crate::tools::{cargo, python, root, run, say, target};

/// Every judge, in turn.
pub(crate) fn judge_all() -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "rolecall"]))?;
    let program = target()?.join("debug").join("rolecall");
    judge_emulator(&program)?;
    judge_client(&program)?;
    judge_config_files()?;
    step::judge_step(&program)?;
    go::judge_templates()?;
    prometheus::judge_alerts()
}

/// What is shipped, made twice, and both images; it takes root, and long.
pub(crate) fn judge_shipped() -> Result<()> {
    dist::judge_dist()?;
    let programs = target()?.join("debug");
    step::judge_image(&programs.join("rolecall"))?;
    image::judge_controller(&programs)?;
    image::judge_guide()
}

/// The AWS CLI and boto3 against the built-in world.
fn judge_emulator(program: &Path) -> Result<()> {
    say("AWS CLI and boto3 against our emulator");
    let emulator = RunningEmulator::start(program)?;
    run(judge("judge.py")?.arg(program).envs(emulator.environment.clone()))
}

/// Our client against ministack.
fn judge_client(program: &Path) -> Result<()> {
    say("our client against ministack");
    run(judge("judge_ministack.py")?.arg(program).arg(python(&[MINISTACK])?))
}

/// What we read in the AWS config files, beside botocore.
fn judge_config_files() -> Result<()> {
    say("our reading of config files against botocore");
    run(&mut cargo(&["build", "--locked", "--package", "rolecall-aws", "--example", "profile"]))?;
    let rows = root().join("crates/aws/tests/data/config-files.jsonl");
    let differences = root().join("xtask/python/config_differences.json");
    let reader = target()?.join("debug/examples/profile");
    run(judge("judge_config.py")?.args([rows, differences, reader]))
}

/// A script of `xtask/python`, with the packages of [`PACKAGES`].
fn judge(script: &str) -> Result<Command> {
    let mut command = Command::new(python(&PACKAGES)?);
    // Python's caches of what it imports do not belong in the source.
    command.arg("-B").arg(root().join("xtask").join("python").join(script));
    Ok(command)
}

/// The outside judges' packages, by version.
pub(crate) const PACKAGES: [&str; 3] = ["awscli==1.46.3", "boto3==1.44.8", "botocore==1.44.8"];

/// An STS that is not ours. In a Python of its own: it brings another botocore.
const MINISTACK: &str = "ministack==1.5.33";

/// `rolecall emulate`, ended when dropped.
#[derive(Debug)]
pub(crate) struct RunningEmulator {
    child: Child,
    /// What it printed for clients to use.
    pub(crate) environment: Vec<(String, String)>,
}

impl RunningEmulator {
    /// Starts it and waits until it has said where it listens.
    pub(crate) fn start(program: &Path) -> Result<Self> {
        Self::of(program, Command::new(program).args(["emulate", "--quiet"]))
    }

    /// The same, with a world of one's own.
    pub(crate) fn start_with(program: &Path, world: &Path) -> Result<Self> {
        Self::of(program, Command::new(program).args(["emulate", "--quiet", "--world"]).arg(world))
    }

    fn of(program: &Path, command: &mut Command) -> Result<Self> {
        let mut child = command
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

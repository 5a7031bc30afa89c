//! Ratios against a named peer, measured in the same run on the same machine.

use std::process::Command;

use anyhow::Result;

use crate::judge::{PACKAGES, RunningEmulator};
use crate::tools::{cargo, python, release, root, run};

/// Wall time and peak memory of `rolecall assume`, beside a bare SDK program and the AWS CLI.
pub(crate) fn cli(runs: usize) -> Result<()> {
    run(&mut cargo(&["build", "--release", "--locked", "--package", "rolecall"]))?;
    let bare = ["build", "--release", "--locked", "--package", "rolecall-aws", "--example", "bare"];
    run(&mut cargo(&bare))?;
    let program = release("rolecall")?;
    let emulator = RunningEmulator::start(&program)?;
    let script = root().join("xtask").join("python").join("bench_cli.py");
    let python = python(&PACKAGES)?;
    let mut bench = Command::new(python);
    bench.arg(script).arg(&program).arg(release("examples/bare")?).arg(runs.to_string());
    run(bench.envs(emulator.environment.clone()))
}

//! `cargo xtask e2e`: the shipped controller on a real API server.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};

use crate::cluster::{controller_kubeconfig, install, install_role};
use crate::plane::Plane;
use crate::tools::{cargo, run, say, target};

/// Starts a control plane, and runs the tests of the controller on it.
pub(crate) fn e2e(filter: Option<&str>) -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "rolecall-controller"]))?;
    let controller = target()?.join("debug").join("rolecall-controller");
    let folder = target()?.join("e2e");
    // What an earlier run left would be in the way.
    std::fs::remove_dir_all(&folder).ok();
    let mut plane = Plane::start(&folder)?;
    install(&mut plane, &controller)?;
    controller_kubeconfig(&plane)?;
    let mut stock = Plane::start(&folder.join("stock"))?;
    install_role(&stock)?;
    stock.start_controller_manager()?;
    controller_kubeconfig(&stock)?;
    let words = ["test", "--locked", "--package", "rolecall-controller", "--test", "e2e"];
    let mut tests = cargo(&words);
    tests.env("ROLECALL_E2E_STOCK", &stock.folder);
    tests.env("ROLECALL_E2E_FOLDER", &folder).env("ROLECALL_E2E_CONTROLLER", controller);
    run(tests.args(["--", "--nocapture"]).args(filter))
}

/// The simulated day; and one without the margin, which it has to find.
pub(crate) fn sim(seed: u64) -> Result<()> {
    let words = ["build", "--locked", "--package", "rolecall-controller", "--example", "sim"];
    run(&mut cargo(&words))?;
    let sim = target()?.join("debug").join("examples").join("sim");
    run(Command::new(&sim).arg(format!("--seed={seed}")))?;
    say("the same without the margin, which has to be found");
    let mut mutant = Command::new(&sim);
    mutant.args([
        format!("--seed={seed}"),
        "--grants=500".to_owned(),
        "--without-margin".to_owned(),
    ]);
    let output = mutant.stdout(Stdio::null()).stderr(Stdio::null()).status()?;
    ensure!(!output.success(), "a controller without a margin is not found");
    say("found");
    Ok(())
}

//! `cargo xtask e2e`: the shipped controller on a real API server.

use anyhow::Result;

use crate::cluster::{controller_kubeconfig, install};
use crate::plane::Plane;
use crate::tools::{cargo, run, target};

/// Starts a control plane, and runs the tests of the controller on it.
pub(crate) fn e2e() -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "rolecall-controller"]))?;
    let controller = target()?.join("debug").join("rolecall-controller");
    let folder = target()?.join("e2e");
    // What an earlier run left would be in the way.
    std::fs::remove_dir_all(&folder).ok();
    let plane = Plane::start(&folder)?;
    install(&plane, &controller)?;
    controller_kubeconfig(&plane)?;
    let words = ["test", "--locked", "--package", "rolecall-controller", "--test", "e2e"];
    let mut tests = cargo(&words);
    tests.env("ROLECALL_E2E_FOLDER", &folder).env("ROLECALL_E2E_CONTROLLER", controller);
    run(tests.args(["--", "--nocapture"]))
}

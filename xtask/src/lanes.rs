//! The lanes of the gate. Each prints its name and its minutes; none is skipped.

use std::process::Command;

use anyhow::Result;

use crate::e2e;
use crate::helm::{Helm, MANIFESTS};
use crate::judge;
use crate::tools::{cargo, cargo_tool, root, run, say};

/// Every test that needs nothing but Rust.
pub(crate) fn test() -> Result<()> {
    run(&mut cargo(&["test", "--workspace", "--locked"]))
}

/// The gate of a landing.
pub(crate) fn ci() -> Result<()> {
    lane("test", test)?;
    lane("format", || run(&mut cargo(&["fmt", "--all", "--check"])))?;
    lane("lints", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "-Dwarnings"];
        run(&mut cargo(&arguments))?;
        // It is no target of `--all-targets`: it needs a control plane to run.
        let package = ["clippy", "--locked", "--package", "rolecall-controller", "--test", "e2e"];
        run(cargo(&package).args(["--", "-Dwarnings"]))
    })?;
    lane("crates alone", || {
        for package in
            ["rolecall-engine", "rolecall-aws", "rolecall-emulator", "rolecall-controller"]
        {
            run(&mut cargo(&["check", "--locked", "--package", package]))?;
        }
        Ok(())
    })?;
    lane("docs", || {
        let mut doc = cargo(&["doc", "--workspace", "--no-deps", "--locked"]);
        run(doc.env("RUSTDOCFLAGS", "-Dwarnings"))
    })?;
    lane("dependencies", || {
        let mut deny = Command::new(cargo_tool("cargo-deny", DENY_VERSION)?);
        let arguments = ["check", "bans", "licenses", "sources"];
        run(deny.args(arguments).current_dir(root()))
    })?;
    lane("e2e: the controller on a real API server, the chart, the guides", || e2e::e2e(None))?;
    let judges = "judges: AWS CLI, boto3, ministack, botocore, relay-sdk, Go, promtool";
    lane(judges, judge::judge_all)?;
    say(
        "ran: test, format, lints, crates alone, docs, dependencies, e2e, judges; skipped: nothing",
    );
    Ok(())
}

/// Formats the code.
pub(crate) fn format() -> Result<()> {
    run(&mut cargo(&["fmt", "--all"]))
}

/// Writes `docs/reference/cli.md` and `docs/reference/controller.md`, the CRDs in `deploy/crds` and in the
/// chart, and the schemas of the step in `deploy/relay`, by the tests that otherwise compare them; then
/// the manifests, of the chart.
pub(crate) fn generate() -> Result<()> {
    let arguments = ["test", "--locked", "--package", "rolecall", "--bin", "rolecall"];
    let mut write = cargo(&arguments);
    write.args(["--", "the_page_is_what_the_flags_say", "the_schemas_are_what_the_step_reads"]);
    run(write.env("ROLECALL_GEN", "1"))?;
    let arguments = ["test", "--locked", "--package", "rolecall-controller"];
    let mut write = cargo(&arguments);
    write.args(["--test", "schema", "--test", "reference"]);
    run(write.env("ROLECALL_GEN", "1"))?;
    // After the CRDs, which are a file of the chart.
    std::fs::write(root().join(MANIFESTS), Helm::get()?.manifests()?)?;
    Ok(())
}

fn lane(name: &str, work: impl FnOnce() -> Result<()>) -> Result<()> {
    say(&format!("── {name}"));
    #[expect(clippy::disallowed_methods, reason = "a person wants to know how long a lane took")]
    let start = std::time::Instant::now();
    work()?;
    say(&format!("── {name}: ok, {:.1} min", start.elapsed().as_secs_f64() / 60.0));
    Ok(())
}

const DENY_VERSION: &str = "0.20.2";

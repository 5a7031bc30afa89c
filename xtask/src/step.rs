//! The step of a Relay workflow: its image, the judges of both, and its bench.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::json;

use crate::bench::compare;
use crate::dist::STEP;
use crate::image::Unpacked;
use crate::judge::RunningEmulator;
use crate::tools::{cargo, python, root, run, say, target};

/// The step by itself, then Relay's own Python SDK, against one metadata API.
pub(crate) fn judge_step(program: &Path) -> Result<()> {
    say("Relay's Python SDK against the metadata API of the tests, and our step");
    judge_with(program, &[program.to_string_lossy().into_owned(), "relay-step".to_owned()])
}

/// The image, from its unpacked root: read-only, nobody's user, nothing else of this machine.
pub(crate) fn judge_image(program: &Path) -> Result<()> {
    say("the image of the step, from its unpacked root");
    let image = Unpacked::of(STEP)?;
    judge_with(program, &image.words(&[]))
}

fn judge_with(program: &Path, step: &[String]) -> Result<()> {
    let emulator = RunningEmulator::start(program)?;
    let keys = keys_of(&emulator)?;
    let metadata = Metadata::start(&keys, "debug")?;
    let mut judge = Command::new(python(&PACKAGES)?);
    judge.arg("-B").arg(root().join("xtask/python/judge_relay.py")).args(step);
    judge.env("METADATA_API_URL", &metadata.url).env("KEYS", keys.to_string());
    judge.env("AWS_ENDPOINT_URL_STS", emulator_url(&emulator)?);
    run(&mut judge)
}

/// Wall time and peak memory of the step, beside a bare SDK program and a step in Python.
pub(crate) fn bench_step(runs: usize) -> Result<()> {
    let build =
        |words: &[&str]| run(cargo(&["build", "--release", "--locked", "--package"]).args(words));
    build(&["rolecall"])?;
    build(&["rolecall", "--example", "metadata"])?;
    build(&["rolecall-aws", "--example", "bare"])?;
    let release = target()?.join("release");
    let mut emulator = RunningEmulator::start(&release.join("rolecall"))?;
    let metadata = Metadata::start(&keys_of(&emulator)?, "release")?;
    emulator.environment.push(("METADATA_API_URL".to_owned(), metadata.url.clone()));
    let script = root().join("xtask/python/relay_step.py");
    compare(
        runs,
        &[
            ("bare SDK program", release.join("examples/bare"), vec![ROLE.into()]),
            ("rolecall relay-step", release.join("rolecall"), vec!["relay-step".into()]),
            ("relay-sdk and boto3", python(&PACKAGES)?, vec!["-B".into(), script.into()]),
        ],
        &emulator,
    )
}

fn variable<'a>(emulator: &'a RunningEmulator, name: &str) -> Result<&'a str> {
    let found = emulator.environment.iter().find(|(known, _)| known == name);
    let (_, value) = found.with_context(|| format!("the emulator printed no {name}"))?;
    Ok(value.trim_matches('\''))
}

fn emulator_url(emulator: &RunningEmulator) -> Result<&str> {
    variable(emulator, "AWS_ENDPOINT_URL_STS")
}

/// The keys of the emulator's caller, as a connection has them.
fn keys_of(emulator: &RunningEmulator) -> Result<serde_json::Value> {
    Ok(json!({
        "accessKeyID": variable(emulator, "AWS_ACCESS_KEY_ID")?,
        "secretAccessKey": variable(emulator, "AWS_SECRET_ACCESS_KEY")?,
    }))
}

/// The metadata API of the tests as a process; it ends with its standard input.
struct Metadata {
    child: Child,
    url: String,
}

impl Metadata {
    fn start(keys: &serde_json::Value, profile: &str) -> Result<Self> {
        let mut build =
            cargo(&["build", "--locked", "--package", "rolecall", "--example", "metadata"]);
        if profile == "release" {
            build.arg("--release");
        }
        run(&mut build)?;
        let mut spec = json!({
            "aws": {
                "connection": {"$type": "Connection", "type": "aws", "name": "judge"},
                "region": "eu-west-1",
            },
            "roleARN": ROLE,
            "roleSessionName": "judge",
            "gone": {"$type": "Parameter", "name": "gone"},
        });
        if profile == "release" {
            // The usual case: a spec that is known as a whole.
            spec.as_object_mut().map(|map| map.remove("gone"));
        }
        let file = target()?.join("relay-run.json");
        let document = json!({"spec": spec, "connections": {"aws/judge": keys}});
        std::fs::write(&file, document.to_string()).context("cannot write the run")?;
        let program = target()?.join(profile).join("examples/metadata");
        let mut command = Command::new(&program);
        command.arg(&file).arg("judge.token").stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().context("cannot start the metadata API")?;
        let Some(stdout) = child.stdout.take() else { bail!("the metadata API has no output") };
        let mut url = String::new();
        BufReader::new(stdout).read_line(&mut url).context("the metadata API prints no URL")?;
        Ok(Self { child, url: url.trim().to_owned() })
    }
}

impl Drop for Metadata {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        // It may have ended by itself, which is as well.
        self.child.wait().ok();
    }
}

/// Relay's SDK for Python, and the SDK of AWS beside it.
const PACKAGES: [&str; 2] = ["relay-sdk==0.3.1", "boto3==1.44.8"];
const ROLE: &str = "arn:aws:iam::111122223333:role/deployer";

//! The step of a Relay workflow: its image, the judges of both, and its bench.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::bench::{compare, float};
use crate::judge::RunningEmulator;
use crate::tools::{cargo, python, root, run, say, target};

/// Builds the image of the step: a static binary and CA certificates, nothing else.
pub(crate) fn dist() -> Result<()> {
    let binary = static_binary()?;
    let folder = target()?.join("dist").join("image");
    std::fs::create_dir_all(&folder).context("cannot make the folder of the image")?;
    let copy = |from: &Path, to: &str| {
        let copied = std::fs::copy(from, folder.join(to));
        copied.with_context(|| format!("cannot copy {}", from.display()))
    };
    let size = copy(&binary, "rolecall")?;
    copy(Path::new(CERTIFICATES), "ca-certificates.crt")?;
    copy(&root().join("deploy/relay/Dockerfile"), "Dockerfile")?;
    buildah_is_there()?;
    let archive = archive()?;
    // Another archive of the same name would be added to.
    std::fs::remove_file(&archive).ok();
    run(buildah(&["bud", "--isolation", "chroot", "--quiet", "--tag", IMAGE]).arg(&folder))?;
    run(&mut buildah(&["push", "--quiet", IMAGE, &format!("oci-archive:{}", archive.display())]))?;
    let unpacked = unpacked_size()?;
    let more = float(unpacked.saturating_sub(size)) / 1e6;
    say(&format!(
        "{}: binary {:.2} MB, image {:.2} MB unpacked ({more:.2} MB more)",
        archive.display(),
        float(size) / 1e6,
        float(unpacked) / 1e6,
    ));
    ensure!(more <= 0.5, "the image has more than 0.5 MB beside the binary");
    Ok(())
}

/// `-C target-feature=+crt-static` needs the target by name: what runs while building stays as it is.
fn static_binary() -> Result<PathBuf> {
    let mut build = cargo(&["build", "--profile", "dist", "--locked", "--package", "rolecall"]);
    let folder = target()?.join("dist");
    build.args(["--target", TRIPLE, "--target-dir"]).arg(&folder);
    run(build.env("RUSTFLAGS", "-C target-feature=+crt-static"))?;
    Ok(folder.join(TRIPLE).join("dist/rolecall"))
}

fn archive() -> Result<PathBuf> {
    Ok(target()?.join("dist").join("rolecall-relay-step.tar"))
}

fn buildah(arguments: &[&str]) -> Command {
    let mut command = Command::new("buildah");
    command.args(["--storage-driver", "vfs"]).args(arguments);
    command
}

/// Debian's package, installed where it is missing.
fn buildah_is_there() -> Result<()> {
    let found = Command::new("buildah").arg("--version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    say("installing buildah");
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", "buildah"]).stdout(Stdio::null());
    run(&mut install).context("the image is built by buildah: install it")
}

/// What a command prints.
fn printed(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().context("cannot start a program")?;
    ensure!(output.status.success(), "{command:?} failed");
    Ok(String::from_utf8(output.stdout).context("it printed no text")?.trim().to_owned())
}

/// The image's root, mounted by a container that is never started.
struct Mounted {
    container: String,
    root: PathBuf,
}

impl Mounted {
    fn new() -> Result<Self> {
        let container = printed(&mut buildah(&["from", "--pull-never", IMAGE]))?;
        let root = printed(&mut buildah(&["mount", &container]))?;
        Ok(Self { container, root: PathBuf::from(root) })
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        // What is left of it takes room, and no more.
        buildah(&["rm", &self.container]).stdout(Stdio::null()).status().ok();
    }
}

fn unpacked_size() -> Result<u64> {
    let mounted = Mounted::new()?;
    let files =
        printed(Command::new("find").arg(&mounted.root).args(["-type", "f", "-printf", "%s\n"]))?;
    files.lines().map(|line| line.parse::<u64>().context("find printed no size")).sum()
}

/// The step by itself, then Relay's own Python SDK, against one metadata API.
pub(crate) fn judge_step(program: &Path) -> Result<()> {
    say("Relay's Python SDK against the metadata API of the tests, and our step");
    judge_with(program, &[program.to_string_lossy().into_owned(), "relay-step".to_owned()])
}

/// The image, from its unpacked root: read-only, nobody's user, nothing else of this machine.
pub(crate) fn judge_image(program: &Path) -> Result<()> {
    say("the image of the step, from its unpacked root");
    dist()?;
    let mounted = Mounted::new()?;
    let script = "mount --bind \"$0\" \"$0\" && mount -o remount,ro,bind \"$0\" && \
                  exec chroot --userspec=65534:65534 \"$0\" /rolecall relay-step";
    let root = mounted.root.to_string_lossy().into_owned();
    let words = ["unshare", "--mount", "sh", "-c", script].map(str::to_owned);
    judge_with(program, &words.into_iter().chain([root]).collect::<Vec<_>>())
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
const IMAGE: &str = "rolecall-relay-step";
const TRIPLE: &str = "x86_64-unknown-linux-gnu";
/// Debian's package ca-certificates.
const CERTIFICATES: &str = "/etc/ssl/certs/ca-certificates.crt";
const ROLE: &str = "arn:aws:iam::111122223333:role/deployer";

//! `cargo xtask bench cluster`: how fast many objects become ready, beside a bare client that makes
//! the same requests.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::bench::float;
use crate::cluster::{controller_kubeconfig, install, start_controller, start_emulator};
use crate::judge::RunningEmulator;
use crate::plane::{Plane, free_port};
use crate::tools::{cargo, release, root, run, say, target};

/// Runs it, and prints a table and one line of JSON.
pub(crate) fn bench_cluster(size: usize) -> Result<()> {
    build()?;
    let folder = target()?.join("bench-cluster");
    // What an earlier run left would be in the way.
    std::fs::remove_dir_all(&folder).ok();
    let mut plane = Plane::start(&folder)?;
    let world = world(&folder)?;
    let emulator = start_emulator(&plane, &release("rolecall")?, &world)?;
    let program = release("rolecall-controller")?;
    install(&mut plane, &program)?;
    let kubeconfig = controller_kubeconfig(&plane)?;
    let bed = Bed { plane, emulator };
    say(&format!("making twice {size} ExternalSecrets"));
    bed.floor("floor", &["create", &size.to_string()])?;
    bed.floor("ours", &["create", &size.to_string()])?;
    let line = bed.floor("floor", &["run"])?;
    let floor: f64 = line.split(' ').next().context("no time")?.parse().context("no time")?;

    let ports = [free_port()?, free_port()?];
    let audit = bed.audit_length()?;
    let log = folder.join("controller.log");
    let started = now();
    let flags = ["--namespace=ours".to_owned()];
    let mut child = start_controller(&program, &kubeconfig, &bed.emulator, &folder, ports, &flags)?;
    wait_for_lines(&log, size, &mut child)?;
    let ready = started.elapsed().as_secs_f64() * 1e3;
    let first = bed.requests_since(audit, size)?;
    let calls = bed.calls()?;
    let (memory, cpu) = usage(&child)?;
    // Events come after the rest.
    std::thread::sleep(Duration::from_secs(3));
    let audit = bed.audit_length()?;
    bed.floor("ours", &["touch"])?;
    wait_for_lines(&log, 2 * size, &mut child)?;
    let routine = bed.requests_since(audit, size)?;
    child.kill().ok();
    child.wait().ok();
    let per = |count: usize| number(count) / number(size);
    let mut table = format!(
        "{size} ExternalSecrets, two cores shared with the API server, STS latency 50 ms\n\
         bare client: {:.2} s ({:.0} per second)\n\
         rolecall-controller: {:.2} s ({:.0} per second), {:.2} x of it\n\
         peak memory {memory:.1} MiB, {:.1} CPU-ms and {:.2} STS calls for each\n",
        floor / 1e3,
        number(size) / floor * 1e3,
        ready / 1e3,
        number(size) / ready * 1e3,
        ready / floor,
        cpu / number(size),
        per(calls),
    );
    for (name, requests) in [("first sync", &first), ("routine refresh", &routine)] {
        writeln!(table, "{name}: {}", shown(requests, size))?;
    }
    say(&table);
    say(&json!({
        "size": size, "floorMs": floor, "readyMs": ready, "ratio": ready / floor,
        "peakMiB": memory, "cpuMsEach": cpu / number(size), "stsCallsEach": per(calls),
        "first": first, "routine": routine,
    })
    .to_string());
    Ok(())
}

fn build() -> Result<()> {
    for words in [
        ["--package", "rolecall", "--bin", "rolecall"],
        ["--package", "rolecall-controller", "--bin", "rolecall-controller"],
        ["--package", "rolecall-controller", "--example", "floor"],
    ] {
        run(cargo(&["build", "--release", "--locked"]).args(words))?;
    }
    Ok(())
}

struct Bed {
    plane: Plane,
    emulator: RunningEmulator,
}

impl Bed {
    fn floor(&self, namespace: &str, words: &[&str]) -> Result<String> {
        let mut floor = Command::new(release("examples/floor")?);
        floor.arg(namespace).args(words).env("KUBECONFIG", self.plane.kubeconfig());
        let output = floor.stderr(Stdio::inherit()).output().context("cannot start the floor")?;
        anyhow::ensure!(output.status.success(), "the bare client failed");
        Ok(String::from_utf8(output.stdout)?.trim().to_owned())
    }

    fn audit_length(&self) -> Result<usize> {
        let length = std::fs::metadata(self.plane.folder.join("audit.log"))?.len();
        usize::try_from(length).context("the audit log is too long")
    }

    /// The controller's requests by verb and resource, once the log is written.
    fn requests_since(&self, offset: usize, size: usize) -> Result<BTreeMap<String, usize>> {
        std::thread::sleep(Duration::from_secs_f64(1.0 + number(size) / 1_000.0));
        let text = std::fs::read(self.plane.folder.join("audit.log"))?;
        let text = String::from_utf8_lossy(text.get(offset..).unwrap_or_default()).into_owned();
        let mut requests = BTreeMap::new();
        for line in text.lines() {
            let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
            let word = |path: &str| entry.pointer(path).and_then(Value::as_str).unwrap_or_default();
            if word("/user/username") != "system:serviceaccount:rolecall:rolecall-controller" {
                continue;
            }
            let part = match word("/objectRef/subresource") {
                "" => String::new(),
                part => format!("/{part}"),
            };
            let request = format!("{} {}{part}", word("/verb"), word("/objectRef/resource"));
            *requests.entry(request).or_default() += 1;
        }
        Ok(requests)
    }

    /// How many calls the emulator has answered.
    fn calls(&self) -> Result<usize> {
        let variable = |name: &str| {
            let found = self.emulator.environment.iter().find(|(key, _)| key == name);
            found.map(|(_, value)| value.clone()).context("the emulator has no control port")
        };
        let url = variable("ROLECALL_EMULATOR_CONTROL")?;
        let address = url.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let token = variable("ROLECALL_EMULATOR_TOKEN")?;
        let header = format!("Authorization: Bearer {token}\r\n");
        let answer = crate::cluster::get_with(&address, "/_emulator/requests", &header)?;
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
        let list: Vec<Value> = serde_json::from_str(body).context("no list of requests")?;
        Ok(list.len())
    }
}

fn shown(requests: &BTreeMap<String, usize>, size: usize) -> String {
    let each = requests.iter().filter(|(_, count)| **count * 10 >= size);
    let each = each.map(|(name, count)| format!("{name} {:.2}", number(*count) / number(size)));
    each.collect::<Vec<_>>().join(", ")
}

fn world(folder: &Path) -> Result<std::path::PathBuf> {
    let text = std::fs::read_to_string(root().join("examples/cluster/world.yaml"))?;
    let path = folder.join("slow-world.yaml");
    let faults = "faults:\n- operation=AssumeRole latency=50ms\n";
    std::fs::write(&path, format!("{text}{faults}")).context("cannot write the world")?;
    Ok(path)
}

/// Waits until so many refreshes stand in the log.
fn wait_for_lines(log: &Path, count: usize, child: &mut Child) -> Result<()> {
    for _ in 0..30_000 {
        let text = std::fs::read_to_string(log).unwrap_or_default();
        if text.matches("\"message\":\"refreshed\"").count() >= count {
            return Ok(());
        }
        if let Some(status) = child.try_wait()? {
            bail!("the controller ended with {status}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("not all became ready in ten minutes")
}

/// Peak memory in MiB, and CPU time in ms.
fn usage(child: &Child) -> Result<(f64, f64)> {
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id()))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let peak: f64 =
        peak.and_then(|it| it.trim().split(' ').next()?.parse().ok()).unwrap_or_default();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
    let fields: Vec<&str> =
        stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        [11, 12].iter().filter_map(|index| fields.get(*index)?.parse::<f64>().ok()).sum::<f64>();
    // A tick is 10 ms on Linux.
    Ok((peak / 1024.0, ticks * 10.0))
}

fn number(count: usize) -> f64 {
    float(u64::try_from(count).unwrap_or(u64::MAX))
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

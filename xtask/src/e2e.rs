//! `cargo xtask e2e`: the shipped controller on a real API server.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::cluster::{controller_kubeconfig, start_controller, start_emulator};
use crate::guides::{CLUSTER, OPERATE, judge_guides, run_page, shell};
use crate::helm::Helm;
use crate::plane::{Plane, free_port};
use crate::tools::{cargo, root, run, say, target};

/// Starts control planes with the chart installed, and runs the tests of the controller on them: once
/// with the `ClusterRole`, once with a Role in each namespace.
pub(crate) fn e2e(filter: Option<&str>) -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "rolecall-controller"]))?;
    let controller = target()?.join("debug").join("rolecall-controller");
    let folder = target()?.join("e2e");
    // What an earlier run left would be in the way.
    std::fs::remove_dir_all(&folder).ok();
    let helm = Helm::get()?;
    let mut plane = Plane::start(&folder)?;
    helm.install(&plane, &[])?;
    prepare(&mut plane)?;
    let mut stock = Plane::start(&folder.join("stock"))?;
    helm.install(&stock, &["--set=installCRDs=false"])?;
    stock.start_controller_manager()?;
    controller_kubeconfig(&stock)?;
    let mut tests = tests(&controller, &plane);
    run(tests.env("ROLECALL_E2E_STOCK", &stock.folder).args(filter))?;
    drop(stock);
    if filter.is_none() {
        guide(&plane, &helm, &controller)?;
        permissions(&plane, "clusterrole")?;
    }
    drop(plane);
    say("the same with a Role in each namespace, and no ClusterRole");
    let mut scoped = Plane::start(&folder.join("scoped"))?;
    helm.install(&scoped, &["--set=scopedNamespaces={rolecall}"])?;
    prepare(&mut scoped)?;
    let role = scoped.folder.join("role.yaml");
    std::fs::write(&role, helm.scoped_role(PLACEHOLDER)?)?;
    run(self::tests(&controller, &scoped).env("ROLECALL_E2E_ROLE", role).args(filter))?;
    if filter.is_none() {
        permissions(&scoped, "role")?;
    }
    drop(scoped);
    let mut releases = Plane::start(&folder.join("releases"))?;
    releases.start_controller_manager()?;
    helm.judge_chart(&releases)?;
    helm.judge_release(&releases)?;
    drop(releases);
    judge_guides(&folder, &helm)
}

/// Waits for the CRDs, and starts what looks for them.
fn prepare(plane: &mut Plane) -> Result<()> {
    plane.ask(&["wait", "--for=condition=Established", "crds", "--all"])?;
    plane.start_controller_manager()?;
    controller_kubeconfig(plane)?;
    Ok(())
}

fn tests(controller: &Path, plane: &Plane) -> Command {
    let mut tests =
        cargo(&["test", "--locked", "--package", "rolecall-controller", "--test", "e2e"]);
    tests.env("ROLECALL_E2E_FOLDER", &plane.folder).env("ROLECALL_E2E_CONTROLLER", controller);
    tests.args(["--", "--nocapture"]);
    tests
}

/// Runs every command of the guides that need a controller that runs.
fn guide(plane: &Plane, helm: &Helm, controller: &Path) -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "rolecall"]))?;
    let programs = target()?.join("debug");
    let world = root().join("examples/cluster/world.yaml");
    let emulator = start_emulator(plane, &programs.join("rolecall"), &world)?;
    let kubeconfig = plane.folder.join("controller");
    let flags = ["--namespace=team-a".to_owned()];
    let ports = [free_port()?, free_port()?];
    let mut running =
        start_controller(controller, &kubeconfig, &emulator, &plane.folder, ports, &flags)?;
    let example = root().join("examples/cluster/reader.yaml");
    plane.ask(&["apply", "-f", &example.display().to_string()])?;
    let line = |line: &str| shell(plane, helm, line);
    let done = run_page(&CLUSTER, line).and_then(|()| run_page(&OPERATE, line));
    // It may have ended by itself, which is as well.
    running.kill().ok();
    running.wait().ok();
    done
}

/// What the controller did is what its role allows, and what that allows it did.
fn permissions(plane: &Plane, kind: &str) -> Result<()> {
    let get = |kind: &str, name: &str| -> Result<Value> {
        let text = plane.ask(&["get", kind, name, "--namespace=rolecall", "-o", "json"])?;
        serde_json::from_str(&text).context("a role is no JSON")
    };
    let roles = [get(kind, "rolecall-controller")?, get("role", "rolecall-controller-lease")?];
    let texts = |value: &Value| -> Vec<String> {
        let items = value.as_array().into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut allowed = BTreeSet::new();
    let rules = roles.iter().filter_map(|role| role.get("rules")?.as_array()).flatten();
    for rule in rules {
        for resource in texts(&rule["resources"]) {
            let verbs = texts(&rule["verbs"]).into_iter();
            allowed.extend(verbs.map(|verb| format!("{verb} {resource}")));
        }
    }
    let log = std::fs::read_to_string(plane.folder.join("audit.log"))?;
    let mut used = BTreeSet::new();
    for line in log.lines() {
        let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
        let word = |path: &str| entry.pointer(path).and_then(Value::as_str).unwrap_or_default();
        if word("/user/username") == "system:serviceaccount:rolecall:rolecall-controller"
            && !word("/objectRef/resource").is_empty()
        {
            let part = match word("/objectRef/subresource") {
                "" => String::new(),
                part => format!("/{part}"),
            };
            used.insert(format!("{} {}{part}", word("/verb"), word("/objectRef/resource")));
        }
    }
    let is_known = |it: &str| it == TOKENS || (kind == "role" && it == OF_THE_CLUSTER);
    let beyond: Vec<_> = used.iter().filter(|it| !allowed.contains(*it) && !is_known(it)).collect();
    ensure!(beyond.is_empty(), "the controller did what its role does not allow: {beyond:?}");
    let unused: Vec<_> =
        allowed.iter().filter(|it| !used.contains(*it) && !UNUSED.contains(&it.as_str())).collect();
    ensure!(unused.is_empty(), "the role allows what the controller does not do: {unused:?}");
    say(&format!("{} permissions, all of them used", allowed.len()));
    Ok(())
}

/// What the tests put their namespaces in the place of.
const PLACEHOLDER: &str = "scoped-namespace";
/// Allowed by the Roles of the tests, each in its namespace.
const TOKENS: &str = "create serviceaccounts/token";
/// Asked for where only Roles are, in case somebody allows it, and refused.
const OF_THE_CLUSTER: &str = "list clustergenerators";
/// Allowed, and not seen in a log as such: the API server asks for the first when an owner reference
/// blocks, for the second when an apply makes a Secret; the third is for stores of the cluster, and a
/// repeated Event is patched.
const UNUSED: [&str; 4] = [
    "update externalsecrets/finalizers",
    "create secrets",
    "get clustersecretstores",
    "patch events",
];

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

//! `promtool`: how Prometheus itself reads the alerts and the dashboard, over simulated days.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::tools::{cargo, go_tool, root, run, say, target};

/// The alerts and the dashboard.
pub(crate) fn judge_alerts() -> Result<()> {
    say("promtool: no alert in a day that is well, each at its minute in one of denials");
    let promtool = go_tool("promtool", VERSION, "github.com/prometheus/prometheus/cmd/promtool")?;
    let rules = root().join("deploy/helm/rolecall/files/alerts.yaml");
    run(Command::new(&promtool).args(["check", "rules", "--lint=all", "--lint-fatal"]).arg(rules))?;
    test(&promtool, &root().join("crates/controller/tests/data/alerts_test.yaml"))?;
    let words = ["build", "--locked", "--package", "rolecall-controller", "--example", "sim"];
    run(&mut cargo(&words))?;
    let folder = target()?.join("promtool");
    std::fs::create_dir_all(&folder).context("cannot make the folder of the days")?;
    let day = |name: &str, flags: &[&str]| {
        let file = folder.join(format!("{name}.json"));
        let mut sim = Command::new(target()?.join("debug").join("examples").join("sim"));
        // So many of each life that the failover falls on a renewal.
        sim.args(["--grants=30", "--promtool"]).arg(&file).args(flags);
        run(&mut sim)?;
        Ok::<_, anyhow::Error>(file)
    };
    test(&promtool, &day("well", &["--day=well"])?)?;
    let denied = day("denied", &["--day=denied"])?;
    test(&promtool, &denied)?;
    dashboard(&promtool, &denied, &folder.join("dashboard.json"))?;
    say("a day without the margin, which has to alert");
    let mutant = day("mutant", &["--day=well", "--without-margin"])?;
    let mut judged = Command::new(&promtool);
    judged.args(["test", "rules"]).arg(mutant).stdout(Stdio::null()).stderr(Stdio::null());
    ensure!(!judged.status()?.success(), "a controller without a margin gives no alert");
    say("it does");
    Ok(())
}

fn test(promtool: &Path, file: &Path) -> Result<()> {
    run(Command::new(promtool).args(["test", "rules"]).arg(file))
}

/// Every question of the dashboard is one that Prometheus can read, and that a day answers.
fn dashboard(promtool: &Path, day: &Path, file: &Path) -> Result<()> {
    let read = |path: &Path| -> Result<Value> {
        let text = std::fs::read_to_string(path)?;
        serde_json::from_str(&text).with_context(|| format!("{} is no JSON", path.display()))
    };
    let dashboard = read(&root().join("deploy/helm/rolecall/files/dashboard.json"))?;
    let mut day = read(day)?;
    let items = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let targets = items(&dashboard["panels"]).into_iter().flat_map(|it| items(&it["targets"]));
    let mut questions = Vec::new();
    for target in targets {
        let asked = target["expr"].as_str().context("a question of the dashboard has no text")?;
        let asked = asked.replace("$__rate_interval", "5m").replace("$namespace", "team-.*");
        let is_answered = !UNANSWERED.iter().any(|metric| asked.contains(metric));
        questions.push(json!({
            "expr": format!("count({asked}) > bool 0 or vector(0)"),
            "eval_time": "11h",
            "exp_samples": [{"labels": "{}", "value": u8::from(is_answered)}],
        }));
    }
    ensure!(questions.len() > 10, "the dashboard has {} questions only", questions.len());
    day["tests"][0]["promql_expr_test"] = Value::Array(questions);
    std::fs::write(file, day.to_string()).context("cannot write the questions")?;
    test(promtool, file).context("a question of the dashboard")
}

/// Of `tools/go/promtool/go.mod`; Prometheus 3.16.0.
const VERSION: &str = "v0.316.0";
/// What a simulated day does not bring about.
const UNANSWERED: [&str; 1] = ["rolecall_sts_throttles_total"];

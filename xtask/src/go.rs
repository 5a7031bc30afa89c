//! `tools/go`: the libraries that External Secrets Operator renders with, as a judge and as a peer.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::tools::{cache, cargo, release, root, run, say};

/// Renders every committed template again, and compares.
pub(crate) fn judge_templates() -> Result<()> {
    say("Go's templates, sprig and sigs.k8s.io/yaml against what is committed of their answers");
    let tool = build()?;
    let file = root().join(ANSWERS);
    let committed = std::fs::read_to_string(&file).context("cannot read the answers")?;
    let input = std::fs::File::open(&file).context("cannot open the answers")?;
    // What a controller's container has for its local time.
    let output = Command::new(tool)
        .arg("render")
        .env("TZ", "UTC")
        .stdin(Stdio::from(input))
        .stderr(Stdio::inherit())
        .output()
        .context("could not start the Go program")?;
    ensure!(output.status.success(), "the Go program ended with {}", output.status);
    let answers = String::from_utf8(output.stdout).context("the answers are no text")?;
    let differing = answers.lines().zip(committed.lines()).filter(|(new, old)| new != old);
    let differing: Vec<_> = differing.take(5).collect();
    if let [(new, old), ..] = differing.as_slice() {
        bail!("Go answers otherwise than {ANSWERS} says:\n  {old}\n  {new}");
    }
    let (count, known) = (answers.lines().count(), committed.lines().count());
    ensure!(count == known, "Go answers {count} rows of {known}");
    say(&format!("{count} answers are the same"));
    // Ours beside them.
    let ours = ["test", "--locked", "--package", "rolecall-engine", "--test", "it", "go::"];
    run(&mut cargo(&ours))
}

/// How often a pull secret is rendered in a second, beside the Go program.
pub(crate) fn bench_render(seconds: u32) -> Result<()> {
    let tool = build()?;
    let example = ["build", "--release", "--locked", "--package", "rolecall-engine"];
    run(cargo(&example).args(["--example", "render"]))?;
    let ours = release("examples/render")?;
    let file = root().join("crates/engine/examples/pull-secret.json");
    let mut best = [0.0_f64; 3];
    for _ in 0..3 {
        let go = rate(Command::new(&tool).arg("bench").arg(&file).arg(seconds.to_string()))?;
        let template = rate(Command::new(&ours).arg(&file).arg(seconds.to_string()))?;
        let secret =
            rate(Command::new(&ours).arg(&file).args([seconds.to_string().as_str(), "secret"]))?;
        for (best, rate) in best.iter_mut().zip([go, template, secret]) {
            *best = best.max(rate);
        }
    }
    let names = [
        "Go: text/template and sprig",
        "rolecall: the same, parsed each time",
        "rolecall: a whole Secret, with its data-hash",
    ];
    say(&format!("a pull secret of ECR on one core, the best of 3 times {seconds} s"));
    let [base, ..] = best;
    for (name, rate) in names.iter().zip(best) {
        say(&format!("{name:46} {rate:8.0} per second ({:.2} x)", rate / base));
    }
    Ok(())
}

fn rate(command: &mut Command) -> Result<f64> {
    let output = command.stderr(Stdio::inherit()).output().context("could not start a bench")?;
    ensure!(output.status.success(), "a bench ended with {}", output.status);
    let text = String::from_utf8(output.stdout).context("the rate is no text")?;
    text.trim().parse().context("the rate is no number")
}

/// Builds the program, with its modules from the proxy; Go's own caches keep both.
fn build() -> Result<PathBuf> {
    let tool = cache()?.join("go-templates");
    let mut build = Command::new("go");
    build.args(["build", "-mod=readonly", "-o"]).arg(&tool).arg(".");
    build.current_dir(root().join("tools/go")).env("GOFLAGS", "-buildvcs=false");
    run(&mut build).context("Go 1.26 or newer is needed for this judge")?;
    Ok(tool)
}

const ANSWERS: &str = "crates/engine/tests/data/templates.jsonl";

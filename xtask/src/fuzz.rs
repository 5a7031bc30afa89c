//! A fuzzer's bytes as templates, for as long as is asked.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::tools::{cache, cargo_tool, root, run, say, target};

/// Fuzzes the renderer of templates for so many minutes; a finding is a failure, and is kept.
pub(crate) fn fuzz(minutes: u64) -> Result<()> {
    ensure!(minutes > 0, "the minutes must be 1 or more");
    let tool = cargo_tool("cargo-fuzz", FUZZ_VERSION)?;
    let corpus = cache()?.join("corpus-render");
    seed(&corpus)?;
    say(&format!("fuzzing templates for {minutes} min, from {}", corpus.display()));
    let mut fuzz = std::process::Command::new(tool);
    // Coverage alone needs no nightly compiler, but cargo-fuzz asks for its flags.
    fuzz.args(["fuzz", "run", "--sanitizer", "none", "render"]).arg(&corpus);
    fuzz.args(["--", "-timeout=10", "-rss_limit_mb=2048", "-max_len=4096", "-print_final_stats=1"]);
    fuzz.arg(format!("-max_total_time={}", minutes * 60));
    fuzz.env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", target()?.join("fuzz"));
    run(fuzz.current_dir(root().join("fuzz")))
}

/// Begins with the templates that Go has answered.
fn seed(corpus: &Path) -> Result<()> {
    std::fs::create_dir_all(corpus).context("cannot make the folder of seeds")?;
    let rows = root().join("crates/engine/tests/data/templates.jsonl");
    let rows = std::fs::read_to_string(rows).context("cannot read the templates")?;
    for (index, line) in rows.lines().enumerate() {
        let row: Value = serde_json::from_str(line).context("a row is no JSON")?;
        let text = row.get("template").or_else(|| row.get("map")).and_then(Value::as_str);
        let text = text.unwrap_or_default();
        let value = row.pointer("/data/j").and_then(Value::as_str).unwrap_or("value");
        let bytes = format!("{text}\0{value}\0a: [1, x]");
        std::fs::write(corpus.join(format!("seed-{index}")), bytes)
            .context("cannot write a seed")?;
    }
    Ok(())
}

const FUZZ_VERSION: &str = "0.13.2";

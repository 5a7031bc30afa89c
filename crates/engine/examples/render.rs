//! Renders one template over and over: `render FILE SECONDS` prints how often in a second, parsed
//! each time; `render FILE SECONDS secret` prints how often a whole Secret is made of it.
#![expect(clippy::print_stdout, reason = "the measure is this program's data")]
#![expect(clippy::disallowed_methods, reason = "a measure of wall time")]

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Instant;

use jiff::Timestamp;
use rolecall_engine::grant::ExternalSecret;
use rolecall_engine::render::{Objects, Renderer, Text};
use rolecall_engine::template::{Origin, Run, Template};
use serde::Deserialize;
use serde_json::json;

#[derive(Debug, Deserialize)]
struct Row {
    template: String,
    data: BTreeMap<String, String>,
}

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [file, seconds, rest @ ..] = words.as_slice() else {
        return Err("want FILE SECONDS [secret]".into());
    };
    let row: Row = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let seconds: f64 = seconds.parse()?;
    let rate = if rest.is_empty() { templates(&row, seconds)? } else { secrets(&row, seconds)? };
    println!("{rate:.0}");
    Ok(())
}

fn templates(row: &Row, seconds: f64) -> Result<f64, Box<dyn Error>> {
    rate(seconds, || {
        let template = Template::parse(&row.template, Origin::Public)?;
        let keys = row.data.iter().map(|(key, value)| (key.as_str(), value.as_bytes()));
        template.render(keys, Timestamp::UNIX_EPOCH, &mut Run::new())?;
        Ok(())
    })
}

fn secrets(row: &Row, seconds: f64) -> Result<f64, Box<dyn Error>> {
    let asked = ExternalSecret::read(&json!({
        "apiVersion": "external-secrets.io/v1",
        "kind": "ExternalSecret",
        "metadata": {"name": "registry", "namespace": "team-a"},
        "spec": {
            "target": {"template": {
                "type": "kubernetes.io/dockerconfigjson",
                "metadata": {"annotations": {"expires-at": "{{ .expires_at }}"}},
                "data": {".dockerconfigjson": row.template},
            }},
            "dataFrom": [{"sourceRef":
                {"generatorRef": {"kind": "ECRAuthorizationToken", "name": "registry"}}}],
        },
    }))?;
    let renderer = Renderer::new(asked, &Objects::default())?;
    rate(seconds, || {
        let keys = row.data.iter().map(|(key, value)| (key.clone(), Text::new(value.clone())));
        renderer.render([keys.collect()], None, Timestamp::UNIX_EPOCH)?;
        Ok(())
    })
}

fn rate(
    seconds: f64,
    mut work: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    let start = Instant::now();
    let mut count = 0_u32;
    while start.elapsed().as_secs_f64() < seconds {
        for _ in 0..100 {
            work()?;
            count += 1;
        }
    }
    Ok(f64::from(count) / start.elapsed().as_secs_f64())
}

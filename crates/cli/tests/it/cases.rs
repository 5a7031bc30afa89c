//! Bad inputs as data: `cases.yaml` has the inputs, `snapshots/` the exact answer of each.
//!
//! Each ends in one clear message with its exit status, prints nothing on standard output, changes
//! no file and shows no secret; the few that succeed with a warning say so.

use std::collections::BTreeMap;

use rolecall_emulator::{FaultRule, World};
use serde::Deserialize;

use crate::harness::{Case, Sink, Sts};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BadInput {
    name: String,
    args: Vec<String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// Talks to an emulated STS as alice; else there is neither an STS nor an identity.
    #[serde(default)]
    alice: bool,
    /// What that STS does wrong.
    #[serde(default)]
    faults: Vec<String>,
    /// A token for `token.jwt`: subject and lifetime in seconds.
    token: Option<(String, i64)>,
    /// Whom that token is for; STS by default.
    audience: Option<String>,
    /// Another world than the built-in one.
    world: Option<String>,
    /// Variables that are not there.
    #[serde(default)]
    unset: Vec<String>,
    /// Must not find the terminal that the tests may have.
    #[serde(default)]
    without_terminal: bool,
    /// A file of so many bytes, `huge.yaml`.
    #[serde(default)]
    huge: usize,
    /// Text that is a secret of this case.
    #[serde(default)]
    canaries: Vec<String>,
    /// Succeeds, with what stands on standard error.
    #[serde(default)]
    succeeds: bool,
}

#[test]
fn every_bad_input_has_its_answer() {
    check_all(include_str!("cases.yaml"));
}

#[test]
fn every_source_and_every_refusal_has_its_answer() {
    check_all(include_str!("sources.yaml"));
}

fn check_all(text: &str) {
    let inputs: Vec<BadInput> = serde_saphyr::from_str(text).unwrap();
    assert!(inputs.len() >= 30, "{}", inputs.len());
    // The one that waits for a time-out runs beside the others.
    std::thread::scope(|scope| {
        for chunk in inputs.chunks(inputs.len().div_ceil(4)) {
            scope.spawn(move || chunk.iter().for_each(check));
        }
    });
}

#[track_caller]
fn check(input: &BadInput) {
    let sts = match &input.world {
        None => Sts::start(),
        Some(name) => {
            assert_eq!(name, "refusals");
            let world = World::parse(include_str!("worlds/refusals.yaml")).unwrap();
            Sts::with(world, jiff::SignedDuration::ZERO)
        }
    };
    for fault in &input.faults {
        sts.emulator.inject(fault.parse::<FaultRule>().unwrap());
    }
    let mut case = if input.alice { sts.alice() } else { Case::new() };
    for (name, text) in &input.files {
        case.file(name, text.replace("ALICE_SECRET", &sts.alice_secret));
    }
    if input.huge > 0 {
        case.file("huge.yaml", "#".repeat(input.huge));
    }
    if let Some((subject, lifetime)) = &input.token {
        let token = token(subject, *lifetime, input.audience.as_deref());
        case.canary(&token).file("token.jwt", token);
    }
    for (name, value) in &input.env {
        case.env(name, value);
    }
    for name in &input.unset {
        case.unset(name);
    }
    for canary in &input.canaries {
        case.canary(canary);
    }
    let sink = if input.succeeds { Sink::Stdout } else { Sink::None };
    if input.without_terminal {
        case.without_terminal();
    }
    let code = wrong_code(&sts);
    let args: Vec<String> = input.args.iter().map(|arg| arg.replace("WRONG_CODE", &code)).collect();
    let ran = case.run(&args, sink);
    sts.add_canaries(&mut case);
    case.search(&ran, sink);
    assert_eq!(ran.stdout.is_empty(), !input.succeeds, "{}: {}", input.name, ran.stdout);
    let has_hint = ran.stderr.contains("hint") || ran.stderr.contains("try '--help'");
    assert!(has_hint || input.succeeds, "{} has no hint: {}", input.name, ran.stderr);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]");
    settings.add_filter(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "[TIME]");
    settings.add_filter(r"\d{8}T\d{6}Z", "[TIME]");
    settings.add_filter(r"date/time \d+", "date/time [SECONDS]");
    settings.add_filter(r"\d+ s remain", "[LEFT] s remain");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let answer = format!("exit status {}\n{}", ran.status, case.filtered(&ran.stderr));
        insta::assert_snapshot!(input.name.clone(), answer);
    });
}

/// A code that is not the present one, nor one beside it.
fn wrong_code(sts: &Sts) -> String {
    let right = sts.emulator.mfa_code("arn:aws:iam::111122223333:mfa/alice");
    right.map_or_else(String::new, |code| {
        let digits: u32 = code.parse().unwrap();
        format!("{:06}", (digits + 500_000) % 1_000_000)
    })
}

fn token(subject: &str, lifetime: i64, audience: Option<&str>) -> String {
    #[expect(clippy::disallowed_methods, reason = "the test's clock")]
    let now = jiff::Timestamp::now();
    let request = rolecall_emulator::TokenRequest {
        issuer: None,
        subject: subject.to_owned(),
        audience: audience.unwrap_or("sts.amazonaws.com").to_owned(),
        lifetime: jiff::SignedDuration::from_secs(lifetime),
    };
    World::builtin().unwrap().sign_token(&request, now).unwrap()
}

//! Every command and output of the guides, run as it stands there against an emulator beside them,
//! with the profiles that they show.
//!
//! A test binary of its own, since it works in a folder of its own.
#![expect(clippy::unwrap_used, reason = "a helper of a test fails like the test itself")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rolecall_emulator::{Emulator, Options, TokenRequest, Transport, World};

#[test]
fn the_guide_to_sources_is_true() {
    #[expect(clippy::disallowed_methods, reason = "set by this test for itself")]
    let is_inside = std::env::var_os(INSIDE).is_some();
    if is_inside {
        trycmd::TestCases::new().case(root().join(GUIDE)).run();
        return;
    }
    let guide = std::fs::read_to_string(root().join(GUIDE)).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let emulator = runtime.block_on(emulator());
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    std::fs::write(&config, blocks(&guide, "ini").join("\n")).unwrap();
    std::fs::write(home.path().join("token.jwt"), token("sts.amazonaws.com")).unwrap();
    // Anew with nothing of our environment: a command of the guide may set what is not set, and
    // cannot set what trycmd sets.
    let mut inside = Command::new(std::env::current_exe().unwrap());
    let programs = Path::new(env!("CARGO_BIN_EXE_rolecall")).parent().unwrap().display();
    let ran = inside
        .args(["--exact", "the_guide_to_sources_is_true", "--nocapture"])
        .current_dir(home.path())
        .env_clear()
        .env(INSIDE, "1")
        .env("AWS_ENDPOINT_URL_STS", emulator.sts_url())
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_CONFIG_FILE", &config)
        .env("HOME", home.path())
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .env("AWS_ID_TOKEN", token("sts.amazonaws.com"))
        .env("ID_TOKEN_FOR_OTHERS", token("https://gitlab.example.com"))
        // For the commands of commands.
        .env("PATH", format!("{programs}:/usr/bin:/bin"))
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    let count = told.matches("sources.md:").count();
    assert!(ran.status.success() && count > 10, "{count} commands, {told}");
    runtime.block_on(emulator.shutdown());
}

#[test]
fn the_guide_to_templates_is_true() {
    run_with_its_files("the_guide_to_templates_is_true", "docs/guides/templates.md", 9);
}

#[test]
fn the_guide_to_relay_is_true() {
    run_with_its_files("the_guide_to_relay_is_true", "docs/guides/relay.md", 2);
}

/// Runs a guide whose YAML blocks are the files that their first lines name.
#[track_caller]
fn run_with_its_files(test: &str, guide: &str, least: usize) {
    let page = root().join(guide);
    #[expect(clippy::disallowed_methods, reason = "set by this test for itself")]
    let is_inside = std::env::var_os(INSIDE).is_some();
    if is_inside {
        trycmd::TestCases::new().case(page).run();
        return;
    }
    let text = std::fs::read_to_string(&page).unwrap();
    let home = tempfile::tempdir().unwrap();
    for block in blocks(&text, "yaml") {
        let name = block.lines().next().and_then(|line| line.strip_prefix("# ")).unwrap();
        std::fs::write(home.path().join(name), &block).unwrap();
    }
    let mut inside = Command::new(std::env::current_exe().unwrap());
    let ran = inside
        .args(["--exact", test, "--nocapture"])
        .current_dir(home.path())
        .env_clear()
        .env(INSIDE, "1")
        .env("PATH", "/usr/bin:/bin")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&[ran.stdout, ran.stderr].concat()).into_owned();
    let name = page.file_name().unwrap().to_string_lossy().into_owned() + ":";
    let count = told.matches(&name).count();
    assert!(ran.status.success() && count >= least, "{count} commands, {told}");
}

/// What the guide shows without running it is what a test elsewhere has seen.
#[test]
fn messages_of_the_guide_are_messages_of_a_snapshot() {
    let guide = std::fs::read_to_string(root().join(GUIDE)).unwrap();
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let folders = ["snapshots", "endpoints/snapshots"];
    let files = folders.iter().flat_map(|folder| std::fs::read_dir(tests.join(folder)).unwrap());
    let seen: String =
        files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    let shown = blocks(&guide, "text");
    assert!(shown.len() > 3, "{shown:?}");
    for line in shown.iter().flat_map(|block| block.lines()).filter(|line| !line.is_empty()) {
        // The tests call it a.
        let line = line.replace("profile work", "profile a");
        assert!(seen.contains(&line), "no snapshot has: {line}");
    }
    let table = guide.split("## EC2").nth(1).unwrap().split("## On-premises").next().unwrap();
    for row in table.lines().filter(|line| line.starts_with("| `")) {
        let message = row.split('`').nth(1).unwrap();
        assert!(seen.contains(message), "no snapshot has: {message}");
    }
}

/// Each key of the config files that is read is among those of the guide.
#[test]
fn every_key_of_a_profile_is_in_the_guide() {
    let guide = std::fs::read_to_string(root().join(GUIDE)).unwrap();
    let mut keys = Vec::new();
    for file in ["chain.rs", "profile.rs", "settings.rs"] {
        let path = root().join("crates/aws/src/shared_config").join(file);
        let text = std::fs::read_to_string(path).unwrap();
        for call in [".get(\"", ".read(\"", "is_true(\"", "of_session(\"", "const KEY: &str = \""] {
            let rests = text.split(call).skip(1);
            keys.extend(rests.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())));
        }
    }
    assert!(keys.len() > 20, "{keys:?}");
    for key in keys {
        assert!(guide.contains(&format!("`{key}`")), "{key}");
    }
}

async fn emulator() -> Emulator {
    let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> = Arc::new(now);
    let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
    let options = Options { listen, transport: Transport::Http, clock };
    Emulator::start(World::builtin().unwrap(), options).await.unwrap()
}

fn token(audience: &str) -> String {
    let request = TokenRequest {
        issuer: None,
        subject: "system:serviceaccount:team-a:app".to_owned(),
        audience: audience.to_owned(),
        lifetime: SignedDuration::from_hours(1),
    };
    World::builtin().unwrap().sign_token(&request, now()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the test's clock")]
fn now() -> Timestamp {
    Timestamp::now()
}

/// What the fences of one language hold.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    let fences = page.split(&opening).skip(1);
    fences.map(|rest| rest.split("\n```").next().unwrap_or_default().to_owned() + "\n").collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

const GUIDE: &str = "docs/guides/sources.md";

/// Set where the test runs in an environment that it made.
const INSIDE: &str = "ROLECALL_GUIDE_TEST";

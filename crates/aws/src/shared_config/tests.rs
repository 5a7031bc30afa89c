//! The rows of `tests/data/config-files.jsonl`, and what a table cannot say.
//!
//! A row is a pair of files, a profile, and what must be read in it. `cargo xtask judge` gives the
//! same rows to botocore.

mod expectation;

use std::path::Path;

use proptest::prelude::*;
use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::plan::{Hop, Start};
use rolecall_engine::request::SessionName;
use tempfile::TempDir;

use super::{ChainOptions, ConfigFiles, CredentialKind, SharedConfig};
use expectation::Row;

const ROWS: &str = include_str!("../../tests/data/config-files.jsonl");

/// Both files in a directory of their own.
fn written(config: Option<&[u8]>, credentials: Option<&[u8]>) -> (TempDir, ConfigFiles) {
    let folder = TempDir::new().unwrap();
    let write = |name: &str, content: Option<&[u8]>| {
        let path = folder.path().join(name);
        if let Some(content) = content {
            std::fs::write(&path, content).unwrap();
        }
        path
    };
    let files = ConfigFiles {
        config: Some(write("config", config)),
        credentials: Some(write("credentials", credentials)),
    };
    (folder, files)
}

fn options() -> ChainOptions {
    ChainOptions {
        dialect: Dialect::Aws,
        default_name: SessionName::made_from("fallback"),
        session_name: None,
        role: None,
    }
}

#[test]
fn every_row_is_read_as_it_says() {
    let rows: Vec<Row> = ROWS.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(rows.len() > 100, "{} rows", rows.len());
    let faults: Vec<String> = rows.iter().flat_map(Row::faults).collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn both_variables_may_name_one_file() {
    let text =
        b"[default]\naws_access_key_id = AKIAKKKKKKKKKKKKKKKK\naws_secret_access_key = kkk\n";
    let (_folder, mut files) = written(None, Some(text));
    files.config.clone_from(&files.credentials);
    let config = SharedConfig::load(&files).unwrap();
    assert_eq!(config.settings("default").warnings, Vec::<String>::new());
    assert_eq!(config.credential_kind("default").unwrap(), CredentialKind::KeysOfCredentialsFile);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let (folder, mut files) = written(None, None);
    files.config = Some(folder.path().to_owned());
    let error = SharedConfig::load(&files).unwrap_err().to_string();
    assert!(error.contains(&folder.path().display().to_string()), "{error}");
    assert!(error.contains("cannot be read"), "{error}");
}

#[test]
fn a_file_over_a_mebibyte_is_refused() {
    let text = "#".repeat(1_048_577);
    let (_folder, files) = written(Some(text.as_bytes()), None);
    let error = SharedConfig::load(&files).unwrap_err().to_string();
    assert!(error.ends_with("cannot be read: it is larger than 1048576 bytes"), "{error}");
}

#[test]
fn a_stray_byte_is_read_as_a_mark() {
    let (_folder, files) = written(Some(b"[default]\nregion = a\xffb\xff\n"), None);
    let config = SharedConfig::load(&files).unwrap();
    assert_eq!(config.settings("default").region.as_deref(), Some("a\u{fffd}b\u{fffd}"));
}

#[test]
fn a_file_below_a_file_is_absent() {
    let (_folder, mut files) = written(None, Some(b""));
    files.config = files.credentials.as_ref().map(|path| path.join("config"));
    assert!(SharedConfig::load(&files).unwrap().find("default").is_none());
}

#[test]
fn the_debug_form_holds_no_value() {
    let text =
        b"[default]\naws_access_key_id = AKIACANARY\naws_secret_access_key = canary-secret\n\
        aws_session_token = canary-token\n  canary-more\ns3 =\n  note = canary-nested\n\
        credential_process = /bin/canary\n  broken\nnonsense canary-line\n";
    let (_folder, files) = written(Some(text), Some(text));
    let config = SharedConfig::load(&files).unwrap();
    let shown = format!("{config:?} {:?}", config.find("default"));
    assert!(shown.contains("aws_secret_access_key"), "{shown}");
    assert!(!shown.to_lowercase().contains("canary"), "{shown}");
    // A line that cannot be read may be a secret with a slip in it.
    let told = format!("{:?}", config.settings("default").warnings);
    let error = config.chain("default", &options()).unwrap_err().to_string();
    assert!(!format!("{told} {error}").to_lowercase().contains("canary"), "{told} {error}");
}

/// `AWS_ROLE_SESSION_NAME` and `AWS_ROLE_ARN` are of the profile asked for, and of no other.
#[test]
fn the_environment_beats_the_profile_asked_for() {
    let text = b"[profile a]\nrole_arn = arn:aws:iam::111122223333:role/x\nsource_profile = w\n\
        role_session_name = file\n[profile w]\nrole_arn = arn:aws:iam::111122223333:role/y\n\
        web_identity_token_file = /nonexistent\nrole_session_name = file\n";
    let (_folder, files) = written(Some(text), None);
    let config = SharedConfig::load(&files).unwrap();
    let other = "arn:aws:iam::111122223333:role/z";
    let options = ChainOptions {
        session_name: Some(SessionName::made_from("environment")),
        role: Some(RoleArn::parse(other, Dialect::Aws).unwrap()),
        ..options()
    };
    let calls = |profile: &str| {
        let Start { hops, .. } = config.chain(profile, &options).unwrap().start;
        let call = |hop: &Hop| {
            let session = expectation::names(hop)["session"].as_str().unwrap().to_owned();
            (hop.role().unwrap().to_string(), session)
        };
        hops.iter().map(call).collect::<Vec<_>>()
    };
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    let (file, environment) = ("file".to_owned(), "environment".to_owned());
    assert_eq!(calls("w"), [(other.to_owned(), environment.clone())]);
    assert_eq!(calls("a"), [(role("y"), file), (role("x"), environment)]);
}

fn answers_without_panic(config: &[u8], credentials: &[u8]) {
    let (_folder, files) = written(Some(config), Some(credentials));
    let Ok(config) = SharedConfig::load(&files) else { return };
    let names: Vec<String> = config.profiles.keys().cloned().collect();
    for name in names.iter().map(String::as_str).chain(["default", "", "missing"]) {
        config.settings(name);
        config.has_credentials(name);
        let answers =
            [config.chain(name, &options()).map(drop), config.credential_kind(name).map(drop)];
        for error in answers.into_iter().filter_map(Result::err) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// Pieces of which files are made, so that random files are often nearly right.
fn piece() -> impl Strategy<Value = Vec<u8>> {
    const PIECES: [&str; 24] = [
        "[",
        "]",
        "[profile a]\n",
        "[profile b]\n",
        "[default]\n",
        "[a]\n",
        "[b]\n",
        "[sso-session s]\n",
        "[services v]\n",
        "=",
        ":",
        "#",
        ";",
        "\"",
        "\n",
        "\r\n",
        " ",
        "\t",
        "role_arn = arn:aws:iam::111122223333:role/x\n",
        "source_profile = a\n",
        "source_profile = b\n",
        "aws_access_key_id = AKIA\n",
        "sso_session = s\n",
        "\u{feff}é",
    ];
    prop_oneof![
        8 => proptest::sample::select(&PIECES[..]).prop_map(|text| text.as_bytes().to_vec()),
        1 => proptest::collection::vec(any::<u8>(), 1..4),
    ]
}

proptest! {
    #[test]
    fn any_bytes_are_answered(
        config in proptest::collection::vec(any::<u8>(), 0..200),
        credentials in proptest::collection::vec(any::<u8>(), 0..200),
    ) {
        answers_without_panic(&config, &credentials);
    }

    #[test]
    fn files_that_are_nearly_right_are_answered(
        config in proptest::collection::vec(piece(), 0..30),
        credentials in proptest::collection::vec(piece(), 0..30),
    ) {
        answers_without_panic(&config.concat(), &credentials.concat());
    }
}

/// Where a test's files are is no part of what it expects.
fn without_place(text: &str, folder: &Path) -> String {
    text.replace(&format!("{}/", folder.display()), "")
}

//! Who asks: profiles as hops, one MFA code for a run, tokens, processes, endpoints of profiles.

use jiff::SignedDuration;
use rolecall_emulator::TokenRequest;

use crate::harness::{ALICE_KEY_ID, Case, Sink, Sts};

const HUB: &str = "arn:aws:iam::111122223333:role/hub";
const DEPLOYER: &str = "arn:aws:iam::111122223333:role/deployer";
const GUARDED: &str = "arn:aws:iam::111122223333:role/guarded";
const SPOKE: &str = "arn:aws:iam::444455556666:role/spoke";
const WEB: &str = "arn:aws:iam::111122223333:role/web";
const DEVICE: &str = "arn:aws:iam::111122223333:mfa/alice";

/// A run whose identity is in the AWS config files, at this STS.
fn with_files(sts: &Sts, config: &str) -> Case {
    let mut case = sts.alice();
    case.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY").unset("AWS_REGION");
    case.file("config", config);
    let credentials = format!(
        "[base]\naws_access_key_id = {ALICE_KEY_ID}\naws_secret_access_key = {}\n",
        sts.alice_secret
    );
    case.file("credentials", credentials);
    case.env("AWS_CONFIG_FILE", "config").env("AWS_SHARED_CREDENTIALS_FILE", "credentials");
    case
}

/// The role and session name of each call, as the emulator saw it.
fn calls(sts: &Sts) -> Vec<(String, String)> {
    let requests = sts.emulator.requests();
    requests
        .iter()
        .map(|request| {
            let name = |text: &Option<String>| text.clone().unwrap_or_default();
            (name(&request.operation), name(&request.role))
        })
        .collect()
}

#[track_caller]
fn succeeds(case: &Case, sts: &Sts, args: &[&str]) -> (String, String) {
    let ran = case.run(args, Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let mut case = Case::new();
    sts.add_canaries(&mut case);
    case.search(&ran, Sink::Stdout);
    (ran.stdout, ran.stderr)
}

const CHAIN: &str = "\
[profile app]
role_arn = arn:aws:iam::111122223333:role/hub
role_session_name = from-the-profile
source_profile = base
region = eu-central-1
[profile base]
region = us-east-1
";

#[test]
fn a_profile_is_a_hop_of_the_plan() {
    let sts = Sts::start();
    let case = with_files(&sts, CHAIN);
    let (stdout, stderr) = succeeds(&case, &sts, &["assume", SPOKE, "--profile", "app", "-v"]);
    let role = |role: &str| ("AssumeRole".to_owned(), role.to_owned());
    assert_eq!(calls(&sts), [role(HUB), role(SPOKE)]);
    // The target profile's region is exported, nobody else's.
    assert!(stdout.contains("AWS_REGION='eu-central-1'\n"), "no region of the profile");
    assert!(stderr.contains("source: profile base\n"), "{stderr}");
    assert!(stderr.contains("assumed-role/hub/from-the-profile until"), "{stderr}");
}

#[test]
fn a_profiles_own_role_is_the_target_where_none_is_named() {
    let sts = Sts::start();
    let mut case = with_files(&sts, CHAIN);
    let args = ["assume", "--profile", "app", "-o", "json"];
    let (stdout, _) = succeeds(&case, &sts, &args);
    assert!(stdout.contains(":assumed-role/hub/from-the-profile\""), "{stdout}");
    // The environment beats the file, and a flag both.
    case.env("AWS_ROLE_SESSION_NAME", "from-the-environment");
    let (stdout, _) = succeeds(&case, &sts, &args);
    assert!(stdout.contains(":assumed-role/hub/from-the-environment\""), "{stdout}");
    let flag = [&args[..], &["--session-name", "from-the-flag", "--duration", "15m"]].concat();
    let (stdout, _) = succeeds(&case, &sts, &flag);
    assert!(stdout.contains(":assumed-role/hub/from-the-flag\""), "{stdout}");
}

#[test]
fn a_named_profile_beats_keys_of_the_environment_and_a_variable_does_not() {
    let sts = Sts::start();
    let mut case = with_files(&sts, CHAIN);
    case.env("AWS_ACCESS_KEY_ID", "AKIAEMULATEDBOB00001");
    case.env("AWS_SECRET_ACCESS_KEY", "emulated/bob/not/a/real/secret/000000001");
    case.env("AWS_REGION", "eu-west-1");
    succeeds(&case, &sts, &["assume", HUB, "--profile", "base"]);
    case.env("AWS_PROFILE", "base");
    // Bob is not admitted to hub, and he is who the environment names.
    let ran = case.run(&["assume", HUB], Sink::None);
    assert_eq!(ran.status, 3, "{}", ran.stderr);
    assert!(ran.stderr.contains("user/bob"), "{}", ran.stderr);
}

#[test]
fn the_endpoint_and_services_of_a_profile_are_called() {
    let sts = Sts::start();
    let config = format!(
        "[profile app]\nregion = eu-west-1\nservices = local\nrole_arn = {HUB}\nsource_profile = base\n\
         [services local]\nsts =\n  endpoint_url = {}\n",
        sts.emulator.sts_url()
    );
    let mut case = with_files(&sts, &config);
    case.unset("AWS_ENDPOINT_URL_STS");
    succeeds(&case, &sts, &["assume", "--profile", "app"]);
    assert_eq!(sts.calls("AssumeRole"), 1);
}

#[test]
fn a_process_gives_keys_and_its_complaints_are_seen() {
    let sts = Sts::start();
    let process = format!(
        "echo reading the vault >&2; printf '{{\"Version\":1,\"AccessKeyId\":\"{ALICE_KEY_ID}\",\"SecretAccessKey\":\"%s\"}}' \"$VAULT\""
    );
    let config = format!("[profile app]\nregion = eu-west-1\ncredential_process = {process}\n");
    let mut case = with_files(&sts, &config);
    case.env("VAULT", &sts.alice_secret);
    let (_, stderr) = succeeds(&case, &sts, &["assume", HUB, "--profile", "app", "-v"]);
    assert!(stderr.contains("reading the vault\n"), "{stderr}");
    assert!(stderr.contains("source: credential_process of profile app\n"), "{stderr}");
}

#[test]
fn a_web_identity_profile_asks_with_its_duration() {
    let sts = Sts::start();
    let config = format!(
        "[profile app]\nregion = eu-west-1\nrole_arn = {WEB}\nweb_identity_token_file = token.jwt\n\
         duration_seconds = 7200\nsource_profile = base\n"
    );
    let mut case = with_files(&sts, &config);
    let token = token();
    case.canary(&token).file("token.jwt", &token);
    let (stdout, _) = succeeds(&case, &sts, &["assume", "--profile", "app", "-o", "json"]);
    assert_eq!(sts.calls("AssumeRoleWithWebIdentity"), 1);
    let json: serde_json::Value = serde_json::from_str(&stdout).unwrap();
    let ends: jiff::Timestamp =
        json["Credentials"]["Expiration"].as_str().unwrap().parse().unwrap();
    assert!(ends.duration_since(now()) > SignedDuration::from_mins(90), "{ends}");
}

#[test]
fn a_token_comes_from_a_variable_or_a_command() {
    let sts = Sts::start();
    let mut case = sts.alice();
    let token = token();
    case.canary(&token).env("CI_JOB_JWT", &token);
    for (flag, value) in [
        ("--web-identity-token-env", "CI_JOB_JWT"),
        ("--web-identity-command", "echo \"$CI_JOB_JWT\""),
    ] {
        let (_, stderr) = succeeds(&case, &sts, &["assume", WEB, flag, value, "-v"]);
        assert!(stderr.contains("source: token "), "{stderr}");
    }
    assert_eq!(sts.calls("AssumeRoleWithWebIdentity"), 2);
}

#[test]
fn the_environment_of_a_pod_asks_for_its_own_role_or_for_another() {
    let sts = Sts::start();
    let mut case = sts.alice();
    case.unset("AWS_ACCESS_KEY_ID").unset("AWS_SECRET_ACCESS_KEY");
    let token = token();
    case.canary(&token).file("token.jwt", &token);
    case.env("AWS_WEB_IDENTITY_TOKEN_FILE", "token.jwt").env("AWS_ROLE_ARN", WEB);
    // Its own role is one call, as long as the role allows.
    succeeds(&case, &sts, &["assume", WEB, "--duration", "2h"]);
    succeeds(&case, &sts, &["exec", "--", "true"]);
    assert_eq!(sts.calls("AssumeRoleWithWebIdentity"), 2);
    assert_eq!(sts.calls("AssumeRole"), 0);
    succeeds(&case, &sts, &["assume", DEPLOYER]);
    assert_eq!(sts.calls("AssumeRole"), 1);
}

const GUARDED_GRANTS: &str = "\
apiVersion: generators.external-secrets.io/v1alpha1
kind: STSAssumeRoleToken
metadata: {name: one}
spec: {region: eu-west-1, role: \"arn:aws:iam::111122223333:role/guarded\"}
---
apiVersion: generators.external-secrets.io/v1alpha1
kind: STSAssumeRoleToken
metadata: {name: two}
spec:
  region: eu-west-1
  role: arn:aws:iam::444455556666:role/spoke
  via: [{role: \"arn:aws:iam::111122223333:role/hub\"}]
";

#[test]
fn one_code_serves_every_grant_of_a_run() {
    let sts = Sts::start();
    let mut case = sts.alice();
    case.file("grants.yaml", GUARDED_GRANTS);
    let code = sts.emulator.mfa_code(DEVICE).unwrap();
    let args =
        ["generate", "-f", "grants.yaml", "-o", "json", "--mfa-serial", DEVICE, "--mfa-code"];
    succeeds(&case, &sts, &[&args[..], &[code.as_str()]].concat());
    assert_eq!(sts.calls("GetSessionToken"), 1);
    assert_eq!(sts.calls("AssumeRole"), 3);
}

#[test]
fn a_code_comes_from_the_command_of_a_source_profile() {
    let sts = Sts::start();
    let config = format!(
        "[profile app]\nregion = eu-west-1\nrole_arn = {GUARDED}\nsource_profile = keys\nmfa_serial = {DEVICE}\n\
         [profile keys]\nmfa_process = echo \"$CODE\"\naws_access_key_id = {ALICE_KEY_ID}\naws_secret_access_key = {}\n",
        sts.alice_secret
    );
    let mut case = with_files(&sts, &config);
    case.env("CODE", sts.emulator.mfa_code(DEVICE).unwrap());
    succeeds(&case, &sts, &["assume", "--profile", "app"]);
}

/// A profile with keys and a device, two roles in between, and a target.
#[cfg(target_os = "linux")]
#[test]
fn a_chain_behind_a_profile_with_a_device_asks_once() {
    use std::io::{Read, Write};

    const VIA: &str = "arn:aws:iam::111122223333:role/deployer";
    let sts = Sts::start();
    let config = format!(
        "[profile keys]\nregion = eu-west-1\nmfa_serial = {DEVICE}\naws_access_key_id = {ALICE_KEY_ID}\n\
         aws_secret_access_key = {}\n",
        sts.alice_secret
    );
    let mut case = with_files(&sts, &config);
    // The program `script` gives it a terminal, and passes on what is written to it.
    let line = format!(
        "{} assume {DEPLOYER} --via {DEPLOYER} --via {VIA} --profile keys > out",
        env!("CARGO_BIN_EXE_rolecall")
    );
    case.file("out", "");
    let mut command = case.command_of("script", &["-qec", &line, "/dev/null"]);
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut screen = child.stdout.take().unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.contains("MFA code of") {
        let count = screen.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended without a question: {seen}");
        seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }
    let mut keyboard = child.stdin.take().unwrap();
    writeln!(keyboard, "{}", sts.emulator.mfa_code(DEVICE).unwrap()).unwrap();
    screen.read_to_string(&mut seen).unwrap();
    drop(keyboard);
    assert!(child.wait().unwrap().success(), "{seen}");
    assert_eq!(seen.matches("MFA code of").count(), 1, "{seen}");
    assert_eq!(sts.calls("AssumeRole"), 3);
    let out = std::fs::read_to_string(case.folder("work").join("out")).unwrap();
    assert!(out.contains("AWS_SESSION_TOKEN="), "{seen}");
}

pub(crate) fn token() -> String {
    let request = TokenRequest {
        issuer: None,
        subject: "system:serviceaccount:team-a:app".to_owned(),
        audience: "sts.amazonaws.com".to_owned(),
        lifetime: SignedDuration::from_hours(1),
    };
    rolecall_emulator::World::builtin().unwrap().sign_token(&request, now()).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "the test's clock")]
fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

/// The throw-away CA of an emulator that serves TLS is trusted where it is named, and nowhere else.
#[test]
fn a_ca_bundle_is_trusted_in_place_of_the_machines_roots() {
    let sts = Sts::over_tls();
    let mut case = with_files(
        &sts,
        "[profile app]\nregion = eu-west-1\nca_bundle = ca.pem\n[default]\nregion = eu-west-1\n",
    );
    case.file("ca.pem", sts.emulator.ca_certificate().unwrap());
    case.env("AWS_ACCESS_KEY_ID", ALICE_KEY_ID).env("AWS_SECRET_ACCESS_KEY", &sts.alice_secret);
    succeeds(&case, &sts, &["assume", HUB, "--ca-bundle", "ca.pem"]);
    case.env("AWS_PROFILE", "app");
    succeeds(&case, &sts, &["assume", HUB]);
    case.unset("AWS_PROFILE");
    let ran = case.run(&["assume", HUB], Sink::None);
    assert_eq!(ran.status, 4, "{}", ran.stderr);
    assert!(ran.stderr.contains("TLS failed"), "{}", ran.stderr);
    case.env("AWS_CA_BUNDLE", "ca.pem");
    succeeds(&case, &sts, &["assume", HUB]);
}

/// Every pod with IRSA has the variable; a profile that was named knows its role better.
#[test]
fn the_role_of_the_environment_is_not_that_of_a_named_profile() {
    let sts = Sts::start();
    let config = format!(
        "[profile app]\nregion = eu-west-1\nrole_arn = {WEB}\nweb_identity_token_file = token.jwt\n"
    );
    let mut case = with_files(&sts, &config);
    let token = token();
    case.canary(&token).file("token.jwt", &token);
    case.env("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/pod");
    let (stdout, _) = succeeds(&case, &sts, &["assume", "--profile", "app", "-o", "json"]);
    assert!(stdout.contains(":assumed-role/web/"), "another role");
}

/// Other tools leave an `mfa_serial` beside keys alone, so a job without a terminal goes on.
#[cfg(target_os = "linux")]
#[test]
fn a_device_beside_keys_is_no_obstacle_where_nobody_can_be_asked() {
    let sts = Sts::start();
    let config = format!(
        "[profile keys]\nregion = eu-west-1\nmfa_serial = {DEVICE}\nsource_profile = base\n\
         aws_access_key_id = {ALICE_KEY_ID}\naws_secret_access_key = {}\n",
        sts.alice_secret
    );
    let mut case = with_files(&sts, &config);
    case.without_terminal();
    let (_, stderr) = succeeds(&case, &sts, &["assume", HUB, "--profile", "keys"]);
    assert!(stderr.contains("no code is asked for"), "{stderr}");
}

#[test]
fn a_token_command_is_run_once() {
    let sts = Sts::start();
    let mut case = sts.alice();
    let token = token();
    case.canary(&token).env("TOKEN", &token);
    let command = "echo asked >&2; echo \"$TOKEN\"";
    let (_, stderr) = succeeds(&case, &sts, &["assume", WEB, "--web-identity-command", command]);
    assert_eq!(stderr.matches("asked").count(), 1, "{stderr}");
}

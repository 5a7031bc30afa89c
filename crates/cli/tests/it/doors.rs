//! What each door does when all is well.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::harness::{Case, Ran, Sink, Sts};

const HUB: &str = "arn:aws:iam::111122223333:role/hub";

/// Runs the binary, which must succeed, and gives its output back.
#[track_caller]
fn succeed(sts: &Sts, case: &mut Case, arguments: &[&str]) -> Ran {
    let ran = case.run(arguments, Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    sts.add_canaries(case);
    case.search(&ran, Sink::Stdout);
    ran
}

#[test]
fn every_format_carries_the_credentials() {
    let sts = Sts::start();
    let formats = ["env", "fish", "powershell", "dotenv", "json", "credential-process"];
    for format in formats {
        let ran = succeed(&sts, &mut sts.alice(), &["assume", HUB, "-o", format]);
        let issued = sts.emulator.issued();
        let carried =
            issued.iter().any(|issued| issued.texts().iter().all(|text| ran.stdout.contains(text)));
        assert!(carried, "{format}");
        assert_eq!(ran.stderr, "", "{format}");
    }
}

#[test]
fn a_shell_takes_the_credentials_over() {
    let sts = Sts::start();
    let ran = succeed(&sts, &mut sts.alice(), &["assume", HUB]);
    let script = format!("{}printf %s \"$AWS_SESSION_TOKEN\"", ran.stdout);
    let shell = Command::new("sh").arg("-c").arg(script).output().unwrap();
    let token = String::from_utf8(shell.stdout).unwrap();
    assert_eq!(token, sts.session_token());
}

/// W5-29: the second attempt is signed with the skew that the first answer showed.
#[test]
fn a_clock_that_is_off_is_corrected_by_the_first_answer() {
    let sts = Sts::ahead(jiff::SignedDuration::from_hours(2));
    succeed(&sts, &mut sts.alice(), &["assume", HUB]);
    assert_eq!(sts.calls("AssumeRole"), 2);
}

#[test]
fn an_hour_is_asked_for_unless_told_otherwise() {
    let sts = Sts::start();
    succeed(&sts, &mut sts.alice(), &["assume", HUB]);
    succeed(&sts, &mut sts.alice(), &["assume", HUB, "--duration", "15m"]);
    let asked: Vec<_> =
        sts.emulator.requests().iter().map(|request| request.duration_seconds).collect();
    assert_eq!(asked, [Some(3_600), Some(900)]);
}

#[test]
fn the_default_session_name_is_the_same_from_run_to_run() {
    let sts = Sts::start();
    for _ in 0..2 {
        succeed(&sts, &mut sts.alice(), &["assume", HUB]);
    }
    let requests = sts.emulator.requests();
    let names: Vec<_> =
        requests.iter().filter_map(|request| request.session_name.as_deref()).collect();
    assert!(names[0].starts_with("tester@"), "{names:?}");
    assert_eq!(names[0], names[1]);
}

#[test]
fn what_is_just_inside_the_bounds_is_sent() {
    let sts = Sts::start();
    let deployer = "arn:aws:iam::111122223333:role/deployer";
    let long_name = "x".repeat(64);
    for (duration, name) in [("900", "ab"), ("43200", long_name.as_str()), ("12h", "+=,.@-_")] {
        let arguments = ["assume", deployer, "--duration", duration, "--session-name", name];
        succeed(&sts, &mut sts.alice(), &arguments);
    }
    let requests = sts.emulator.requests();
    let asked: Vec<_> = requests.iter().filter_map(|request| request.duration_seconds).collect();
    assert_eq!(asked, [900, 43_200, 43_200]);
}

/// What was asked reaches STS whole: a policy that is lost would make the session wider.
#[test]
fn every_flag_reaches_sts() {
    let sts = Sts::start();
    let deployer = "arn:aws:iam::111122223333:role/deployer";
    let policy =
        r#"{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Action":"*","Resource":"*"}]}"#;
    let arguments = [
        "assume",
        deployer,
        "--policy",
        policy,
        "--policy-arn",
        "arn:aws:iam::aws:policy/ReadOnlyAccess",
        "--tag",
        "a=b",
        "--transitive-tag",
        "a",
        "--source-identity",
        "alice",
        "--external-id",
        "id",
    ];
    succeed(&sts, &mut sts.alice(), &arguments);
    let sent = sts.emulator.requests()[0].parameters.clone();
    for parameter in [
        "Policy",
        "PolicyArns.member.1.arn",
        "Tags.member.1.Key",
        "Tags.member.1.Value",
        "TransitiveTagKeys.member.1",
        "SourceIdentity",
        "ExternalId",
    ] {
        assert!(sent.iter().any(|name| name == parameter), "{parameter}: {sent:?}");
    }
    // Of our own accord nothing optional but the duration.
    succeed(&sts, &mut sts.alice(), &["assume", deployer]);
    let mut sent = sts.emulator.requests()[1].parameters.clone();
    sent.sort_unstable();
    assert_eq!(sent, ["Action", "DurationSeconds", "RoleArn", "RoleSessionName", "Version"]);
}

/// W5-07: two roles before the target, each with parameters of its own.
#[test]
fn a_chain_sends_each_hop_its_own_parameters() {
    let sts = Sts::start();
    let deployer = "arn:aws:iam::111122223333:role/deployer";
    let via = |role: &str, name: &str| {
        format!(r#"{{"role":"{role}","requestParameters":{{"roleSessionName":"{name}"}}}}"#)
    };
    let (first, second) = (via(HUB, "first"), via(deployer, "second"));
    let arguments =
        ["assume", deployer, "--via", &first, "--via", &second, "--session-name", "third"];
    succeed(&sts, &mut sts.alice(), &arguments);
    let requests = sts.emulator.requests();
    let hops: Vec<_> = requests
        .iter()
        .map(|request| (request.caller.as_deref(), request.session_name.as_deref()))
        .collect();
    assert_eq!(
        hops,
        [
            (Some("arn:aws:iam::111122223333:user/alice"), Some("first")),
            (Some("arn:aws:sts::111122223333:assumed-role/hub/first"), Some("second")),
            (Some("arn:aws:sts::111122223333:assumed-role/deployer/second"), Some("third")),
        ]
    );
}

#[test]
fn a_temporary_caller_is_refused_a_long_duration_before_the_call() {
    let sts = Sts::start();
    let ran = succeed(&sts, &mut sts.alice(), &["assume", HUB, "-o", "json"]);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    let part = |name: &str| answer["Credentials"][name].as_str().unwrap().to_owned();
    let mut case = sts.alice();
    case.env("AWS_ACCESS_KEY_ID", part("AccessKeyId"));
    case.env("AWS_SECRET_ACCESS_KEY", part("SecretAccessKey"));
    case.env("AWS_SESSION_TOKEN", part("SessionToken"));
    let spoke = "arn:aws:iam::444455556666:role/spoke";
    let ran = case.run(&["assume", spoke, "--duration", "2h"], Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("role chaining allows at most 3600 s"), "{}", ran.stderr);
    assert_eq!(sts.calls("AssumeRole"), 1);
    succeed(&sts, &mut case, &["assume", spoke]);
}

/// W5-23, W5-24, W5-35: the keys are static and say so, and `AWS_PROFILE` is not left set.
#[test]
fn exec_gives_the_child_its_credentials_and_nothing_of_another_identity() {
    let sts = Sts::start();
    let mut case = sts.alice();
    let others = [
        "AWS_SECURITY_TOKEN",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_SESSION_EXPIRATION",
        "AWS_PROFILE",
        "AWS_DEFAULT_PROFILE",
        "AWS_ROLE_ARN",
        "AWS_ROLE_SESSION_NAME",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CREDENTIAL_FILE",
        "AWS_ACCOUNT_ID",
        "AWS_CREDENTIAL_SCOPE",
    ];
    for name in others {
        case.env(name, "other");
    }
    case.file("config", "[profile other]\nregion = us-east-1\n");
    case.env("AWS_CONFIG_FILE", case.folder("work").join("config").display().to_string());
    let ran = succeed(&sts, &mut case, &["exec", HUB, "--", "env"]);
    assert!(ran.stdout.contains(&format!("AWS_SESSION_TOKEN={}", sts.session_token())));
    assert!(ran.stdout.contains("AWS_DEFAULT_REGION=eu-west-1\n"), "{}", ran.stdout);
    assert!(!ran.stdout.contains("=other"), "{}", ran.stdout);
    assert!(ran.stderr.contains("note: the credentials end at "), "{}", ran.stderr);
}

#[test]
fn exec_is_replaced_by_the_command() {
    let sts = Sts::start();
    let case = sts.alice();
    let ran = case.run(&["exec", HUB, "-q", "--", "sh", "-c", "exit 42"], Sink::Stdout);
    assert_eq!((ran.status, ran.stderr.as_str()), (42, ""));
    let mut child = case.command(&["exec", HUB, "--", "sh", "-c", "echo $$; kill -TERM $$"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let pid = child.id();
    let output = child.wait_with_output().unwrap();
    // The same process, ended by the command's own signal.
    assert_eq!(String::from_utf8(output.stdout).unwrap(), format!("{pid}\n"));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&output.status), Some(15));
}

/// W5-18, W5-21.
#[test]
fn the_profiles_region_and_keys_are_used() {
    let sts = Sts::start();
    let mut case = sts.alice();
    let (id, secret) = (crate::harness::ALICE_KEY_ID, &sts.alice_secret);
    case.file(
        "config",
        format!(
            "[default]\nregion = us-east-1\n[profile target]\nregion = eu-north-1\n\
             aws_access_key_id = {id}\naws_secret_access_key = {secret}\n"
        ),
    );
    case.env("AWS_CONFIG_FILE", case.folder("work").join("config").display().to_string());
    case.unset("AWS_REGION");
    // The profile beats the keys in the environment, which are wrong here.
    case.env("AWS_SECRET_ACCESS_KEY", "wrong");
    let ran = succeed(&sts, &mut case, &["exec", HUB, "--profile", "target", "--", "env"]);
    assert!(ran.stdout.contains("AWS_REGION=eu-north-1\n"), "{}", ran.stdout);
    assert_eq!(sts.emulator.requests()[0].region.as_deref(), Some("eu-north-1"));
    let ran = succeed(&sts, &mut case, &["assume", HUB, "--profile", "target", "-o", "json"]);
    assert!(ran.stdout.contains(":assumed-role/hub/"), "{}", ran.stdout);
}

#[test]
fn emulated_credentials_cannot_be_taken_for_real() {
    let mut case = Case::new();
    case.env("AWS_ACCESS_KEY_ID", "AKIAREAL").env("AWS_SECRET_ACCESS_KEY", "canary-real");
    case.env("AWS_REGION", "ap-south-1").env("AWS_PROFILE", "nowhere");
    case.canary("canary-real");
    let ran = case.run(&["assume", HUB, "--emulate", "-q", "-o", "dotenv"], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert!(ran.stderr.starts_with("EMULATED: "), "{}", ran.stderr);
    assert!(ran.stdout.starts_with("AWS_ACCESS_KEY_ID=ASIAEMULATED"), "{}", ran.stdout);
    // The region is the world's, not the environment's.
    assert!(ran.stdout.contains("AWS_REGION=eu-west-1\n"), "{}", ran.stdout);
}

/// A proxy of the environment must see neither the request nor the token.
#[test]
fn what_goes_to_this_machine_goes_through_no_proxy() {
    let mut case = Case::new();
    for name in ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        case.env(name, "http://127.0.0.1:9");
    }
    let ran = case.run(&["assume", HUB, "--emulate"], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

#[test]
fn a_process_that_would_call_itself_is_refused() {
    let mut case = Case::new();
    let rolecall = env!("CARGO_BIN_EXE_rolecall");
    let command = format!("{rolecall} assume {HUB} -o credential-process");
    case.file("config", format!("[default]\nregion = eu-west-1\ncredential_process = {command}\n"));
    case.env("AWS_CONFIG_FILE", case.folder("work").join("config").display().to_string());
    let ran = case.run(&["assume", HUB], Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("calls itself"), "{}", ran.stderr);
}

#[test]
fn half_a_key_is_not_passed_over() {
    let sts = Sts::start();
    let mut case = sts.alice();
    case.unset("AWS_SECRET_ACCESS_KEY");
    let ran = case.run(&["assume", HUB], Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("AWS_SECRET_ACCESS_KEY is not"), "{}", ran.stderr);
}

#[test]
fn exec_beside_the_emulator_passes_the_status_on() {
    let mut case = Case::new();
    case.env("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true").env("NO_PROXY", "example.net");
    let script = "test -n \"$AWS_ENDPOINT_URL_STS\" && test \"$NO_PROXY\" = example.net,127.0.0.1 && \
                  test -z \"$AWS_IGNORE_CONFIGURED_ENDPOINT_URLS\" && exit 7";
    let ran = case.run(&["exec", HUB, "--emulate", "-q", "--", "sh", "-c", script], Sink::Stdout);
    assert_eq!(ran.status, 7, "{}", ran.stderr);
    let ran =
        case.run(&["exec", HUB, "--emulate", "-q", "--", "sh", "-c", "kill -9 $$"], Sink::Stdout);
    assert_eq!(ran.status, 137);
}

#[test]
fn exec_beside_the_emulator_passes_signals_on() {
    let case = Case::new();
    let script = "trap 'exit 9' TERM; echo ready; while :; do sleep 0.05; done";
    let mut command = case.command(&["exec", HUB, "--emulate", "--", "sh", "-c", script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let killed = Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(killed.success());
    assert_eq!(child.wait().unwrap().code(), Some(9));
}

#[test]
fn output_that_cannot_be_written_is_exit_1() {
    let sts = Sts::start();
    let case = sts.alice();
    let mut command = case.command(&["assume", HUB]);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command.stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.starts_with("error: could not write to standard output"), "{stderr}");
}

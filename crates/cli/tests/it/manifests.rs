//! Manifests that are right, among them what people really write (`W` numbers).

use serde_json::{Value, json};

use crate::harness::{ALICE_KEY_ID, Case, Sink, Sts};

const ROLE: &str = "arn:aws:iam::111122223333:role";

fn grant(name: &str, spec: &Value) -> String {
    let document = json!({
        "apiVersion": "generators.external-secrets.io/v1alpha1",
        "kind": "STSAssumeRoleToken",
        "metadata": {"name": name, "namespace": "team-a"},
        "spec": spec,
    });
    format!("---\n{document}\n")
}

fn keyed(role: &str, more: &Value) -> Value {
    let mut spec = json!({
        "region": "eu-west-1",
        "role": format!("{ROLE}/{role}"),
        "auth": {"secretRef": {
            "accessKeyIDSecretRef": {"name": "base", "key": "id"},
            "secretAccessKeySecretRef": {"name": "base", "key": "secret"},
        }},
    });
    spec.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    spec
}

fn key_secret(sts: &Sts) -> String {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "base", "namespace": "team-a"},
        "stringData": {"id": ALICE_KEY_ID, "secret": sts.alice_secret},
    });
    format!("---\n{secret}\n")
}

/// A run at this STS with neither keys nor a region in the environment.
fn bare(sts: &Sts) -> Case {
    let mut case = sts.alice();
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"] {
        case.unset(name);
    }
    case
}

#[track_caller]
fn generate(sts: &Sts, case: &mut Case, arguments: &[&str]) -> String {
    let arguments: Vec<&str> = ["generate"].iter().chain(arguments).copied().collect();
    let ran = case.run(&arguments, Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    sts.add_canaries(case);
    case.search(&ran, Sink::Stdout);
    ran.stdout
}

/// Conformance A: one AssumeRole, signed for the manifest's region (W5-01), with its parameters.
#[test]
fn the_documented_example_makes_one_call() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let parameters = json!({"requestParameters": {"sessionDuration": 3600, "externalID": "abc"}});
    case.file("a.yaml", key_secret(&sts) + &grant("reader", &keyed("reader", &parameters)));
    let keys = generate(&sts, &mut case, &["-f", "a.yaml"]);
    let lines: Vec<&str> = keys.lines().map(|line| line.split('=').next().unwrap()).collect();
    assert_eq!(lines, ["access_key_id", "secret_access_key", "session_token", "expiration"]);
    let requests = sts.emulator.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].session_name.as_deref(), Some("team-a.reader"));
    assert_eq!(requests[0].region.as_deref(), Some("eu-west-1"));
    assert!(requests[0].external_id_given);
}

/// W1-20: `status` is ignored and the order of documents is any. W1-07: v1beta1 is read as v1.
#[test]
fn charts_write_status_and_sort_documents_by_name() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let external = json!({
        "apiVersion": "external-secrets.io/v1beta1", "kind": "ExternalSecret",
        "metadata": {"name": "hub"},
        "spec": {"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "STSAssumeRoleToken", "name": "hub"}}}]},
        "status": {},
    });
    let generator = grant("hub", &keyed("hub", &json!({})));
    let generator = generator.trim_end().trim_end_matches('}').to_owned() + "},\"status\":{}}\n";
    let empty = "---\n---\n";
    case.file("a.yaml", format!("---\n{external}\n{generator}{empty}{}", key_secret(&sts)));
    generate(&sts, &mut case, &["-f", "a.yaml"]);
}

#[test]
fn several_grants_are_one_map_and_share_a_prefix() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let via = json!({"via": [{"role": format!("{ROLE}/hub")}],
        "role": "arn:aws:iam::444455556666:role/spoke"});
    let grants = grant("one", &keyed("x", &via)) + &grant("two", &keyed("x", &via));
    case.file("a.yaml", key_secret(&sts) + &grants);
    let text = generate(&sts, &mut case, &["-f", "a.yaml", "-o", "json"]);
    let map: Value = serde_json::from_str(&text).unwrap();
    assert!(map["one"]["session_token"] != map["two"]["session_token"], "{map}");
    assert!(map["one"]["expiration"].is_string());
    // Each grant's hub session has a name of its own, so the hub is asked for each.
    assert_eq!(sts.calls("AssumeRole"), 4);
    let text = generate(&sts, &mut case, &["-f", "a.yaml", "-o", "yaml", "--name", "two"]);
    let map: Value = serde_saphyr::from_str(&text).unwrap();
    assert!(map["expiration"].is_string(), "{map}");
}

#[test]
fn a_service_account_goes_through_its_own_role() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let target = json!({"region": "eu-west-1", "role": format!("{ROLE}/target"),
        "auth": {"jwt": {"serviceAccountRef": {"name": "app"}}}});
    case.file("a.yaml", account("pod") + &grant("target", &target));
    case.file("token", token(&sts));
    generate(&sts, &mut case, &["-f", "a.yaml", "--web-identity-token-file", "token"]);
    let calls: Vec<_> = sts
        .emulator
        .requests()
        .iter()
        .map(|request| (request.operation.clone().unwrap(), request.session_name.clone().unwrap()))
        .collect();
    assert_eq!(
        calls,
        [
            ("AssumeRoleWithWebIdentity".to_owned(), "external-secrets-provider-aws".to_owned()),
            ("AssumeRole".to_owned(), "team-a.target".to_owned()),
        ]
    );
    let asked: Vec<_> = sts.emulator.requests().iter().map(|r| r.duration_seconds).collect();
    assert_eq!(asked, [Some(3_600), Some(3_600)]);
}

/// One hop, for longer than a chained one could last; W5-28: the duration is sent.
#[test]
fn a_service_account_with_the_role_itself_makes_one_call() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let own = json!({"region": "eu-west-1", "role": format!("{ROLE}/web"),
        "auth": {"jwt": {"serviceAccountRef": {"name": "app"}}},
        "requestParameters": {"sessionDuration": 3600, "roleSessionName": "mine"}});
    case.file("a.yaml", account("web") + &grant("web", &own)).file("token", token(&sts));
    let path = case.folder("work").join("token").display().to_string();
    case.env("AWS_WEB_IDENTITY_TOKEN_FILE", path);
    generate(&sts, &mut case, &["-f", "a.yaml"]);
    let requests = sts.emulator.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].operation.as_deref(), Some("AssumeRoleWithWebIdentity"));
    assert_eq!(requests[0].session_name.as_deref(), Some("mine"));
    assert_eq!(requests[0].duration_seconds, Some(3_600));
}

/// W5-08: a token of any issuer, from the command line, with a further hop.
#[test]
fn a_token_from_the_command_line_begins_the_chain() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    case.file("token", token(&sts)).env("AWS_REGION", "eu-west-1");
    let (pod, target) = (format!("{ROLE}/pod"), format!("{ROLE}/target"));
    let arguments = ["assume", &target, "--via", &pod, "--web-identity-token-file", "token"];
    let ran = case.run(&arguments, Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    let requests = sts.emulator.requests();
    let operations: Vec<_> = requests.iter().filter_map(|r| r.operation.as_deref()).collect();
    assert_eq!(operations, ["AssumeRoleWithWebIdentity", "AssumeRole"]);
    // The same from a grant that does not say who asks.
    case.file("a.yaml", grant("web", &json!({"region": "", "role": format!("{ROLE}/web")})));
    generate(&sts, &mut case, &["-f", "a.yaml", "--web-identity-token-file", "token"]);
}

#[test]
fn a_token_may_come_through_a_pipe() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let own = json!({"region": "eu-west-1", "role": format!("{ROLE}/web"),
        "auth": {"jwt": {"serviceAccountRef": {"name": "app"}}}});
    case.file("a.yaml", account("web") + &grant("web", &own)).file("token", token(&sts));
    case.stdin("token");
    let script = "cat | exec \"$0\" generate -f a.yaml --web-identity-token-file /dev/fd/0";
    let mut shell = std::process::Command::new("sh");
    let rolecall = case.command::<&str>(&[]);
    shell.args(["-c", script]).arg(rolecall.get_program()).env_clear();
    shell.envs(rolecall.get_envs().filter_map(|(name, value)| Some((name, value?))));
    shell.current_dir(case.folder("work"));
    shell.stdin(std::fs::File::open(case.folder("work").join("token")).unwrap());
    let output = shell.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn account(role: &str) -> String {
    let account = json!({
        "apiVersion": "v1", "kind": "ServiceAccount",
        "metadata": {"name": "app", "namespace": "team-a",
            "annotations": {"eks.amazonaws.com/role-arn": format!("{ROLE}/{role}")}},
    });
    format!("---\n{account}\n")
}

fn token(sts: &Sts) -> String {
    let case = Case::new();
    let subject = "system:serviceaccount:team-a:app";
    let ran = case.run(&["emulate", "token", "--sub", subject], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    assert_eq!(sts.emulator.requests().len(), 0);
    ran.stdout
}

/// W5-03: a Secret with temporary keys is signed with its token, and counts as chained.
#[test]
fn temporary_keys_in_a_secret_are_signed_with_their_token() {
    let sts = Sts::start();
    let ran = sts.alice().run(&["assume", &format!("{ROLE}/hub"), "-o", "json"], Sink::Stdout);
    let answer: Value = serde_json::from_str(&ran.stdout).unwrap();
    let credentials = &answer["Credentials"];
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret",
        "metadata": {"name": "base", "namespace": "team-a"},
        "stringData": {"id": credentials["AccessKeyId"], "secret": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"]},
    });
    let spoke = |seconds: u32| {
        let mut spec = keyed(
            "x",
            &json!({
            "role": "arn:aws:iam::444455556666:role/spoke",
            "requestParameters": {"sessionDuration": seconds}}),
        );
        spec["auth"]["secretRef"]["sessionTokenSecretRef"] =
            json!({"name": "base", "key": "token"});
        grant("spoke", &spec)
    };
    let mut case = bare(&sts);
    sts.add_canaries(&mut case);
    case.file("a.yaml", format!("{secret}\n{}", spoke(3_600)));
    generate(&sts, &mut case, &["-f", "a.yaml"]);
    case.file("a.yaml", format!("{secret}\n{}", spoke(7_200)));
    let ran = case.run(&["generate", "-f", "a.yaml"], Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("role chaining"), "{}", ran.stderr);
}

#[test]
fn secrets_may_come_from_a_directory_and_manifests_from_standard_input() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    case.file("a.yaml", grant("hub", &keyed("hub", &json!({})))).stdin("a.yaml");
    case.file("secrets/base/id", ALICE_KEY_ID).file("secrets/base/secret", &sts.alice_secret);
    generate(&sts, &mut case, &["-f", "-", "--secrets-dir", "secrets"]);
}

#[test]
fn a_second_factor_is_sent_with_its_device() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let serial = "arn:aws:iam::111122223333:mfa/alice";
    let shown = case.run(&["emulate", "mfa-code", serial], Sink::None);
    assert_eq!((shown.status, shown.stdout.len()), (0, 7), "{}", shown.stderr);
    let parameters = json!({"serialNumber": serial, "tokenCode": shown.stdout.trim_end()});
    let spec = keyed("x", &json!({"role": null, "requestParameters": parameters}));
    let text = grant("own", &spec).replace("STSAssumeRoleToken", "STSSessionToken");
    case.file("a.yaml", key_secret(&sts) + &text);
    generate(&sts, &mut case, &["-f", "a.yaml"]);
    let sent = sts.emulator.requests()[0].parameters.clone();
    for parameter in ["SerialNumber", "TokenCode"] {
        assert!(sent.iter().any(|name| name == parameter), "{sent:?}");
    }
    let again = case.run(&["generate", "-f", "a.yaml"], Sink::None);
    assert_eq!(again.status, 3, "{}", again.stderr);
    assert!(again.stderr.contains("invalid MFA one time pass code"), "{}", again.stderr);
}

/// Invariant 13: only files that the command line names.
#[test]
fn emulated_grants_take_no_token_from_the_environment() {
    let sts = Sts::start();
    let mut case = Case::new();
    let own = json!({"region": "eu-west-1", "role": format!("{ROLE}/web"),
        "auth": {"jwt": {"serviceAccountRef": {"name": "app"}}}});
    case.file("a.yaml", account("web") + &grant("web", &own)).file("token", token(&sts));
    let path = case.folder("work").join("token").display().to_string();
    case.env("AWS_WEB_IDENTITY_TOKEN_FILE", path);
    let ran = case.run(&["generate", "-f", "a.yaml", "--emulate"], Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(ran.stderr.contains("there is no token of ServiceAccount app"), "{}", ran.stderr);
}

#[test]
fn a_session_token_is_asked_without_a_duration() {
    let sts = Sts::start();
    let mut case = bare(&sts);
    let spec = keyed("x", &json!({"role": null}));
    let text = grant("own", &spec).replace("STSAssumeRoleToken", "STSSessionToken");
    case.file("a.yaml", key_secret(&sts) + &text);
    generate(&sts, &mut case, &["-f", "a.yaml"]);
    let requests = sts.emulator.requests();
    assert_eq!(requests[0].operation.as_deref(), Some("GetSessionToken"));
    assert_eq!(requests[0].duration_seconds, None);
}

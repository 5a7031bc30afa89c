//! Registries, cluster-wide generators, and the Secrets of ExternalSecrets.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::harness::{Sink, Sts};

const PULL: &str = "\
apiVersion: external-secrets.io/v1beta1
kind: ExternalSecret
metadata: {name: pull, namespace: team-a}
spec:
  target: {name: registry}
  dataFrom:
    - sourceRef: {generatorRef: {kind: ClusterGenerator, name: shared}}
      rewrite: [{regexp: {source: '^(.*)$', target: 'ecr_$1'}}]
---
apiVersion: generators.external-secrets.io/v1alpha1
kind: ClusterGenerator
metadata: {name: shared}
spec:
  kind: ECRAuthorizationToken
  generator:
    ecrAuthorizationTokenSpec: {region: eu-west-1, role: \"arn:aws:iam::111122223333:role/puller\"}
";

#[test]
fn an_external_secret_gives_the_secret_it_would_write() {
    let sts = Sts::start();
    let mut case = sts.alice();
    case.file("pull.yaml", PULL);
    let ran = case.run(&["generate", "-f", "pull.yaml", "-o", "secret", "-v"], Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    sts.add_canaries(&mut case);
    case.search(&ran, Sink::Stdout);
    // The session has the name that it has in a cluster.
    assert!(ran.stderr.contains("assumed-role/puller/team-a.pull until"), "{}", ran.stderr);
    let object: serde_json::Value = serde_saphyr::from_str(&ran.stdout).unwrap();
    assert_eq!(object["metadata"]["name"], "registry");
    assert_eq!(object["metadata"]["namespace"], "team-a");
    let mut keys: Vec<&String> = object["data"].as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["ecr_expires_at", "ecr_password", "ecr_proxy_endpoint", "ecr_username"]);
    assert_eq!(object["data"]["ecr_username"], "QVdT");
}

#[test]
fn registries_give_the_keys_of_eso() {
    let sts = Sts::start();
    let mut case = sts.alice();
    let grant = |scope: &str| {
        format!(
            "apiVersion: generators.external-secrets.io/v1alpha1\nkind: ECRAuthorizationToken\n\
             metadata: {{name: pull}}\nspec: {{region: eu-central-1, scope: {scope}}}\n"
        )
    };
    case.file("private.yaml", grant("private")).file("public.yaml", grant("public"));
    let run = |args: &[&str]| {
        let ran = case.run(args, Sink::Stdout);
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        ran.stdout
    };
    let stdout = run(&["generate", "-f", "private.yaml"]);
    assert!(stdout.starts_with("username=AWS\npassword="), "another shape");
    let host = "proxy_endpoint=https://111122223333.dkr.ecr.eu-central-1.amazonaws.com\n";
    assert!(stdout.contains(host), "another host");
    let stdout = run(&["generate", "-f", "public.yaml"]);
    assert!(!stdout.contains("proxy_endpoint") && stdout.contains("\nexpires_at="), "other keys");
    // Public ECR answers there only, whatever the region of the grant.
    let requests = sts.emulator.requests();
    assert_eq!(requests.last().unwrap().region.as_deref(), Some("us-east-1"));
}

const TEMPLATED: &str = "\
apiVersion: external-secrets.io/v1
kind: ExternalSecret
metadata: {name: files, namespace: team-a, labels: {team: blue}}
spec:
  target:
    template:
      type: example.com/credentials
      metadata:
        labels: {region: '{{ \"eu\" | lower }}'}
        annotations: {expires: '{{ .expiration }}'}
      data:
        credentials: |
          [default]
          aws_access_key_id = {{ .access_key_id }}
          aws_secret_access_key = {{ .secret_access_key }}
          aws_session_token = {{ .session_token }}
      templateFrom:
        - configMap: {name: texts, items: [{key: header}, {key: map, templateAs: KeysAndValues}]}
        - secret: {name: hidden, items: [{key: text}]}
  dataFrom:
    - sourceRef: {generatorRef: {kind: STSAssumeRoleToken, name: hub}}
---
apiVersion: generators.external-secrets.io/v1alpha1
kind: STSAssumeRoleToken
metadata: {name: hub, namespace: team-a}
spec: {region: eu-west-1, role: \"arn:aws:iam::111122223333:role/hub\"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: texts, namespace: team-a}
data:
  header: 'key {{ .access_key_id | trunc 4 }}'
  map: \"a: yes\\nb: {{ .access_key_id | quote }}\"
";

#[test]
fn a_template_makes_the_secret() {
    let sts = Sts::start();
    let mut case = sts.alice();
    case.file("files.yaml", TEMPLATED);
    case.file("dir/hidden/text", "id {{ .access_key_id }} of a canary-text-of-a-secret");
    case.canary("canary-text-of-a-secret");
    let args = ["generate", "-f", "files.yaml", "-o", "secret", "--secrets-dir", "dir"];
    let ran = case.run(&args, Sink::Stdout);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    sts.add_canaries(&mut case);
    let object: serde_json::Value = serde_saphyr::from_str(&ran.stdout).unwrap();
    let decoded = |key: &str| {
        let text = object["data"][key].as_str().unwrap();
        String::from_utf8(STANDARD.decode(text).unwrap()).unwrap()
    };
    let token = sts.session_token();
    let credentials = decoded("credentials");
    assert!(credentials.starts_with("[default]\naws_access_key_id = ASIA"), "another text");
    assert!(credentials.ends_with(&format!("\naws_session_token = {token}\n")), "another text");
    let id = credentials.lines().nth(1).unwrap().rsplit(' ').next().unwrap();
    assert_eq!(decoded("header"), "key ASIA");
    assert_eq!((decoded("a"), decoded("b").as_str()), ("true".to_owned(), id));
    assert_eq!(decoded("text"), format!("id {id} of a canary-text-of-a-secret"));
    assert_eq!(object["data"].as_object().unwrap().len(), 5);
    assert_eq!(object["type"], "example.com/credentials");
    // A template has its own labels; those of the ExternalSecret are not copied.
    assert_eq!(object["metadata"]["labels"]["region"], "eu");
    assert!(object["metadata"]["labels"].get("team").is_none());
    let expires = object["metadata"]["annotations"]["expires"].as_str().unwrap();
    assert!(expires.parse::<i64>().is_ok_and(|seconds| seconds > 1_700_000_000), "{expires}");
}

/// What no value could mend is told before a call is made.
#[test]
fn a_key_that_is_missing_costs_no_call() {
    let sts = Sts::start();
    let mut case = sts.alice();
    case.file("files.yaml", TEMPLATED.replace("{{ .session_token }}", "{{ .sesion_token }}"));
    case.file("dir/hidden/text", "x");
    let args = ["generate", "-f", "files.yaml", "-o", "secret", "--secrets-dir", "dir"];
    let ran = case.run(&args, Sink::None);
    assert_eq!(ran.status, 2, "{}", ran.stderr);
    assert!(
        ran.stderr.contains("4:23: map has no entry for key \"sesion_token\""),
        "{}",
        ran.stderr
    );
    assert_eq!(sts.calls("AssumeRole"), 0);
}

/// What is likely a mistake is said, and what Kubernetes refuses.
#[test]
fn a_diff_tells_what_is_odd() {
    let sts = Sts::start();
    let mut case = sts.alice();
    let asked = TEMPLATED.replace("target:\n", "target:\n    creationPolicy: None\n");
    assert_ne!(asked, TEMPLATED);
    case.file("files.yaml", asked);
    let live = "kind: Secret\nmetadata: {name: other}\nimmutable: true\n\
                type: a/b\ndata: {\"k\\u001b\": YQ==}\n";
    case.file("live.yaml", live);
    case.file(
        "text.yaml",
        "kind: Secret\nmetadata: {name: hidden, namespace: team-a}\nstringData: {text: x}\n",
    );
    let args = ["template", "-f", "files.yaml", "-f", "text.yaml", "-o", "diff", "live.yaml"];
    let ran = case.run(&args, Sink::None);
    assert_eq!(ran.status, 0, "{}", ran.stderr);
    for line in [
        "warning: team-a/files: its creationPolicy is None, and a controller writes no Secret for it",
        "warning: the Secret that is there is team-a/other, not team-a/files",
    ] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
    for line in [
        "~ immutable: true -> false (Kubernetes refuses it: delete it first)",
        "~ type: a/b -> example.com/credentials (Kubernetes refuses another type: delete it first)",
        "- data.k\\u{1b}\n",
    ] {
        assert!(ran.stdout.contains(line), "{}", ran.stdout);
    }
    assert_eq!(sts.calls("AssumeRole"), 0);
}

//! Registries, cluster-wide generators, and the Secrets of ExternalSecrets.

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

//! Sample files as people write them.

use std::fmt::Write as _;

use serde_json::json;

use super::*;

const SAMPLE: &str = r#"
  connections:
      aws/my-account: {accessKeyID: AKIA1, secretAccessKey: "s3", note: '${not.evaluated}'}
  secrets:
      region: "eu-west-1"
      tagged: !Fn.concat [a, b]
      list: [1, 2, 3]
  runs:
      '1':
          parameters: &p {role: "arn:role", seconds: 900, name: job}
          steps:
              first:
                  outputs: {connection: {accessKeyID: ASIA1}}
              default:
                  filter: {}
                  spec:
                      aws: &aws
                          connection: !Connection {type: aws, name: my-account}
                          region: !Secret region
                      copy: *aws
                      merged: {<<: *p, role: mine}
                      roleARN: !Parameter role
                      roleSessionName: "${parameters.name}-x"
                      duration: ${parameters.seconds}
                      externalID: ${connections.aws.my-account.secretAccessKey}
                      policy: !!binary e30=
                      tags: !Output [first, connection]
                      sourceIdentity: !Parameter gone
                      endpoint: !Fn.concat [a, b]
                      via: [!Connection [aws, other]]
                      policyARNs: ["${secrets.list[-1]}", "${$.parameters.'name'}", "${secrets.'a}(b'}"]
                      transitiveTagKeys: !Secret tagged
                      allowHTTP: !Output {taskName: first, name: connection}
                      mfa: ${concat(parameters.name, 'x')}
"#;

fn field(path: &[&str]) -> Field {
    let root = node::read(SAMPLE).unwrap();
    let sample = Sample::of(&root, "f", "1", "default").unwrap();
    assert_eq!(sample.unknown, ["runs.RUN.steps.STEP.filter"]);
    let world = World { root: &root, run: sample.run, left: Cell::new(MOST_VISITS) };
    world.field(sample.spec.unwrap(), path, 0)
}

#[track_caller]
fn check(path: &str, expected: &Field) {
    let path: Vec<&str> = path.split('.').collect();
    assert_eq!(field(&path), *expected, "{path:?}");
}

#[test]
fn references_are_resolved() {
    check("aws.connection.accessKeyID", &Field::Value(json!("AKIA1")));
    check("copy.region", &Field::Value(json!("eu-west-1")));
    check("roleARN", &Field::Value(json!("arn:role")));
    check("roleSessionName", &Field::Value(json!("job-x")));
    check("duration", &Field::Value(json!(900)));
    check("externalID", &Field::Value(json!("s3")));
    check("policy", &Field::Value(json!("{}")));
    check("tags", &Field::Value(json!({"accessKeyID": "ASIA1"})));
    check("aws.connection.note", &Field::Value(json!("${not.evaluated}")));
    check("aws.connection.sessionToken", &Field::Missing);
    check("merged", &Field::Value(json!({"role": "mine", "seconds": 900, "name": "job"})));
}

#[test]
fn what_is_not_there_is_told_apart_from_what_cannot_be_evaluated() {
    let unresolved = |what: &str| Field::Unresolved(what.to_owned());
    let invalid = |what: &str| Field::Invalid(format!("{what}, which is not evaluated here"));
    check("sourceIdentity", &unresolved("the parameter gone"));
    check("via", &unresolved("the connection aws/other"));
    check("endpoint", &invalid("has !Fn.concat"));
    check("mfa", &invalid("calls concat()"));
    check("policyARNs", &unresolved("the secret a}(b"));
    let form = "has a tag that is not of the form !Output {from: STEP, name: NAME}".to_owned();
    check("allowHTTP", &Field::Invalid(form));
    let tagged = "names the secret tagged, which has a tag where values belong".to_owned();
    check("transitiveTagKeys", &Field::Invalid(tagged));
}

#[test]
fn what_is_no_sample_is_refused() {
    for text in ["", "- a", "a: [", "a: 1\na: 2\n", "a: *b", "? {a: b}\n: c"] {
        assert!(node::read(text).is_err(), "{text:?}");
    }
    let deep = format!("a: {}1{}", "[".repeat(500), "]".repeat(500));
    assert!(node::read(&deep).is_err());
}

#[test]
fn aliases_that_grow_are_refused() {
    let mut chain = "c0: &c0 [x]\n".to_owned();
    for index in 1..30_000 {
        writeln!(chain, "c{index}: &c{index} [*c{}]", index - 1).unwrap();
    }
    assert!(node::read(&chain).is_err());
    let mut laughs = "l0: &l0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for index in 1..10 {
        let alias = format!("*l{}", index - 1);
        writeln!(laughs, "l{index}: &l{index} [{}]", [alias.as_str(); 10].join(", ")).unwrap();
    }
    let root = node::read(&laughs).unwrap();
    let world = World { root: &root, run: &root, left: Cell::new(MOST_VISITS) };
    assert!(matches!(world.field(&root, &["l9"], 0), Field::Invalid(_)));
    assert!(world.plain(&root, "it").is_err());
}

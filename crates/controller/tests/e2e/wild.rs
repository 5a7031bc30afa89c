//! What people really wrote: pull secrets and Argo CD repositories of ECR, in each way to ask.

use serde_json::{Value, json};

use crate::objects::eventually;
use crate::place::{Place, keys, role_arn};

const ECR: &str = "ECRAuthorizationToken";

fn pull_secret() -> Value {
    let text = r#"{"auths":{"{{ .proxy_endpoint | replace "https://" "" }}":{"username":"{{ .username }}","password":"{{ .password }}","auth":"{{ printf "%s:%s" .username .password | b64enc }}"}}}"#;
    json!({"template": {"type": "kubernetes.io/dockerconfigjson", "data": {".dockerconfigjson": text}}})
}

fn repository() -> Value {
    json!({"template": {
    "metadata": {"labels": {"argocd.argoproj.io/secret-type": "repository"}},
    "data": {
        "name": "charts", "type": "helm", "enableOCI": "true",
        "url": "{{ .proxy_endpoint | replace \"https://\" \"\" }}/charts",
        "username": "{{ .username }}", "password": "{{ .password }}",
    }}})
}

/// W1-02, W1-11: a pull secret by a service account, one key; renewed by its end and not by 11 h.
#[tokio::test(flavor = "multi_thread")]
async fn a_pull_secret_by_a_service_account() {
    let place = Place::new("wild-pull", &["app"], 1, &[]).await;
    let annotations = json!({"eks.amazonaws.com/role-arn": role_arn("app")});
    place
        .apply("v1", "ServiceAccount", "app", json!({"metadata": {"annotations": annotations}}))
        .await;
    let auth = json!({"jwt": {"serviceAccountRef": {"name": "app"}}});
    place.generator(ECR, "ecr", json!({"region": "eu-west-1", "auth": auth})).await;
    let more = json!({"refreshInterval": "11h", "target": pull_secret()});
    place.external_secret("pull", ECR, "ecr", more).await;
    place.wait_ready("pull", "True").await;
    let secret = place.get("Secret", "pull").await.unwrap();
    assert_eq!(secret.data["type"], "kubernetes.io/dockerconfigjson");
    let data = place.data("pull").await;
    assert_eq!(data.len(), 1);
    let config: Value = serde_json::from_str(&data[".dockerconfigjson"]).unwrap();
    let (host, entry) = config["auths"].as_object().unwrap().iter().next().unwrap();
    assert_eq!(host, "111122223333.dkr.ecr.eu-west-1.amazonaws.com");
    assert!(entry["password"].as_str().unwrap().starts_with("EMULATED"));
    let status = place.status("pull").await;
    let time = |field: &str| status[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    let wait = time("renewalTime").duration_since(time("refreshTime")).as_secs();
    assert!(wait < 36 * 960 + 2, "renewed after {wait} s");
    assert!(
        eventually(10.0, || async {
            place.events("pull").await.contains(&"IntervalTooLong".to_owned())
        })
        .await
    );
    place.leaks_nothing().await;
}

/// W1-08, W1-09, W1-23: repositories of Argo CD, by the controller's identity and by keys, owned and
/// merged; what looks like a boolean stays text.
#[tokio::test(flavor = "multi_thread")]
async fn a_repository_of_argo_cd() {
    let place = Place::new("wild-argo", &[], 1, &[]).await;
    place.generator(ECR, "ambient", json!({"region": "eu-west-1"})).await;
    place.generator(ECR, "keys", json!({"region": "eu-west-1", "auth": keys()})).await;
    let labels = json!({"argocd.argoproj.io/secret-type": "repository"});
    let there = json!({"metadata": {"labels": labels}, "stringData": {"project": "default"}});
    place.apply("v1", "Secret", "merged", there).await;
    let mut merged = repository();
    merged["creationPolicy"] = json!("Merge");
    place.external_secret("ambient", ECR, "ambient", json!({"target": repository()})).await;
    place.external_secret("merged", ECR, "keys", json!({"target": merged})).await;
    for name in ["ambient", "merged"] {
        place.wait_ready(name, "True").await;
        let data = place.data(name).await;
        assert_eq!(data["enableOCI"], "true", "{name}");
        assert_eq!(data["url"], "111122223333.dkr.ecr.eu-west-1.amazonaws.com/charts");
        let labels = place.get("Secret", name).await.unwrap().metadata.labels.unwrap();
        assert_eq!(labels["argocd.argoproj.io/secret-type"], "repository");
    }
    assert_eq!(place.data("merged").await["project"], "default");
    place.leaks_nothing().await;
}

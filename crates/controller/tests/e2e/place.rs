//! A namespace with an emulator and a controller of its own, and what tests ask of it.

use std::collections::{BTreeMap, HashSet};

use kube::api::DynamicObject;
use rolecall_emulator::{Emulator, RequestRecord};
use serde_json::{Value, json};

use crate::bed::{BASE_KEY, BASE_SECRET, Bed, Controller};
use crate::compare::decoded;
use crate::objects::{api, apply, eventually, kind_named, list, make_namespace, patch, ready};

pub(crate) struct Place {
    pub(crate) bed: Bed,
    pub(crate) namespace: String,
    pub(crate) emulator: Emulator,
    pub(crate) controller: Controller,
    flags: Vec<String>,
}

impl Place {
    /// A namespace with the key Secret `base`; roles of these names trust everybody.
    pub(crate) async fn new(namespace: &str, roles: &[&str], divisor: u32, flags: &[&str]) -> Self {
        Self::on(Bed::new().await, namespace, roles, divisor, flags).await
    }

    /// The same on an API server of one's own.
    pub(crate) async fn on(
        bed: Bed,
        namespace: &str,
        roles: &[&str],
        divisor: u32,
        flags: &[&str],
    ) -> Self {
        make_namespace(&bed.client, namespace).await;
        let roles: Vec<String> = roles.iter().map(|name| role_arn(name)).collect();
        let emulator = bed.emulator(&roles, divisor).await;
        let controller = bed.controller(namespace, &emulator, flags).await;
        let flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        let place = Self { bed, namespace: namespace.to_owned(), emulator, controller, flags };
        let keys = json!({"id": BASE_KEY, "secret": BASE_SECRET});
        place.apply("v1", "Secret", "base", json!({"stringData": keys})).await;
        place
    }

    /// A namespace that is there, and an emulator; the controllers are the test's own.
    pub(crate) async fn without_controller(bed: Bed, namespace: &str, roles: &[String]) -> Self {
        let emulator = bed.emulator(roles, 1).await;
        let controller = Controller::none();
        let flags = Vec::new();
        Self { bed, namespace: namespace.to_owned(), emulator, controller, flags }
    }

    /// Applies an object of this namespace.
    pub(crate) async fn apply(&self, version: &str, kind: &str, name: &str, more: Value) {
        let mut document = json!({"apiVersion": version, "kind": kind,
            "metadata": {"name": name, "namespace": self.namespace}});
        for (key, value) in more.as_object().unwrap() {
            if key == "metadata" {
                for (key, value) in value.as_object().unwrap() {
                    document["metadata"][key] = value.clone();
                }
            } else {
                document[key] = value.clone();
            }
        }
        apply(&self.bed.client, &document).await.unwrap();
    }

    /// A generator with these fields of its spec.
    pub(crate) async fn generator(&self, kind: &str, name: &str, spec: Value) {
        self.apply(GENERATORS, kind, name, json!({"spec": spec})).await;
    }

    /// A role that is asked for with the key of `base`.
    pub(crate) async fn role(&self, name: &str, more: Value) {
        let mut spec = json!({"region": "eu-west-1", "role": role_arn(name), "auth": keys()});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.generator("STSAssumeRoleToken", name, spec).await;
    }

    /// An ExternalSecret of one generator with these fields of its spec beside it.
    pub(crate) async fn external_secret(
        &self,
        name: &str,
        kind: &str,
        generator: &str,
        more: Value,
    ) {
        let reference = json!({"kind": kind, "name": generator});
        let mut spec = json!({"dataFrom": [{"sourceRef": {"generatorRef": reference}}]});
        for (key, value) in more.as_object().unwrap() {
            spec[key] = value.clone();
        }
        self.apply("external-secrets.io/v1", "ExternalSecret", name, json!({"spec": spec})).await;
    }

    pub(crate) async fn get(&self, kind: &str, name: &str) -> Option<DynamicObject> {
        api(&self.bed.client, &kind_named(kind), &self.namespace).get_opt(name).await.unwrap()
    }

    /// Waits until `Ready` is this.
    pub(crate) async fn wait_ready(&self, name: &str, status: &str) {
        let is_so = eventually(30.0, || async {
            let found = self.get("ExternalSecret", name).await;
            found.as_ref().and_then(ready).is_some_and(|it| it["status"] == status)
        })
        .await;
        let status_now = self.get("ExternalSecret", name).await.map(|it| it.data["status"].clone());
        assert!(is_so, "{name} is not {status}: {status_now:?}");
    }

    /// Waits until the condition `Refreshing` has this reason.
    pub(crate) async fn wait_refreshing(&self, name: &str, reason: &str) {
        let is_so = eventually(40.0, || async { self.refreshing(name).await == reason }).await;
        assert!(is_so, "{name} is not {reason} but {}", self.refreshing(name).await);
    }

    pub(crate) async fn refreshing(&self, name: &str) -> String {
        let status = self.status(name).await;
        let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
        let found = conditions.iter().find(|it| it["type"] == "Refreshing");
        found.map_or_else(String::new, |it| it["reason"].as_str().unwrap().to_owned())
    }

    pub(crate) async fn status(&self, name: &str) -> Value {
        self.get("ExternalSecret", name).await.unwrap().data["status"].clone()
    }

    /// The data of a Secret as text.
    pub(crate) async fn data(&self, name: &str) -> BTreeMap<String, String> {
        self.get("Secret", name).await.map(|it| decoded(&it.data["data"])).unwrap_or_default()
    }

    /// The calls of an operation so far.
    pub(crate) fn calls(&self, operation: &str) -> Vec<RequestRecord> {
        let all = self.emulator.requests().into_iter();
        all.filter(|it| it.operation.as_deref() == Some(operation)).collect()
    }

    /// The reasons of the Events of an object.
    pub(crate) async fn events(&self, name: &str) -> Vec<String> {
        let events = list(&self.bed.client, "Event", &self.namespace).await;
        let of_it = events.into_iter().filter(|it| it.data["regarding"]["name"] == name);
        of_it.map(|it| it.data["reason"].as_str().unwrap_or_default().to_owned()).collect()
    }

    pub(crate) async fn annotate(&self, kind: &str, name: &str, key: &str, value: &str) {
        let with = json!({"metadata": {"annotations": {key: value}}});
        patch(&self.bed.client, [kind, &self.namespace, name], &with, None).await.unwrap();
    }

    /// Ends the controller as the kernel would, and starts another one.
    pub(crate) async fn restart(&mut self) {
        self.controller.kill();
        let flags: Vec<&str> = self.flags.iter().map(String::as_str).collect();
        self.controller = self.bed.controller(&self.namespace, &self.emulator, &flags).await;
    }

    /// No secret that was issued stands in the logs, the Events, the statuses or the metrics.
    pub(crate) async fn leaks_nothing(&self) {
        let metrics =
            crate::bed::get(self.controller.metrics, "/metrics").await.unwrap_or_default();
        let log = Controller::logs(&self.bed, &self.namespace);
        assert!(!log.is_empty(), "nothing was logged");
        let mut texts = vec![("metrics", metrics), ("log", log)];
        for kind in ["Event", "ExternalSecret"] {
            for object in list(&self.bed.client, kind, &self.namespace).await {
                texts.push((kind, object.data.to_string()));
            }
        }
        let audit = std::fs::read_to_string(self.bed.folder.join("audit.log")).unwrap();
        // Any twelve characters in a row of a secret count.
        let parts: Vec<(&str, HashSet<&[u8]>)> = texts
            .iter()
            .map(|(place, text)| (*place, text.as_bytes().windows(12).collect()))
            .collect();
        for secrets in self.emulator.issued() {
            for secret in secrets.texts() {
                assert!(!audit.contains(secret), "the audit log holds a secret");
                for (place, parts) in &parts {
                    let part = secret.as_bytes().windows(12).find(|part| parts.contains(part));
                    assert!(part.is_none(), "{place} holds a part of a secret");
                }
            }
        }
        for (place, text) in &texts {
            assert!(!text.contains(BASE_SECRET), "{place} holds the base key");
        }
    }
}

pub(crate) fn role_arn(name: &str) -> String {
    format!("arn:aws:iam::111122223333:role/{name}")
}

/// Who asks: the key of `base`.
pub(crate) fn keys() -> Value {
    json!({"secretRef": {"accessKeyIDSecretRef": {"name": "base", "key": "id"},
        "secretAccessKeySecretRef": {"name": "base", "key": "secret"}}})
}

const GENERATORS: &str = "generators.external-secrets.io/v1alpha1";

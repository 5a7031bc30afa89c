//! Runs the steps of a scenario, and takes down what is there after them.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use kube::api::DynamicObject;
use rolecall_emulator::{Emulator, IssuedSecrets};
use serde_json::{Value, json};

use crate::bed::{BASE_KEY, Bed, Controller, SECOND_KEY};
use crate::objects::{self, apply, create, delete, list, make_namespace, patch, ready, store_crd};

/// What is there at one `observe`.
#[derive(Debug, Default)]
pub(crate) struct Observation {
    pub(crate) at: String,
    /// By name, or `NAMESPACE/NAME` in a second namespace.
    pub(crate) secrets: BTreeMap<String, Value>,
    pub(crate) external_secrets: BTreeMap<String, Value>,
    /// Type, reason and note since the observation before.
    pub(crate) events: Vec<(String, String, String)>,
    /// Calls since the observation before.
    pub(crate) calls: usize,
    /// What the API server refused since the observation before.
    pub(crate) notes: Vec<String>,
    /// What is told as metrics, where these are looked at and nothing else.
    pub(crate) metrics: Option<String>,
}

/// A scenario that runs.
pub(crate) struct Scenario<'a> {
    bed: &'a Bed,
    namespaces: Vec<String>,
    pub(crate) emulator: Emulator,
    controllers: Vec<Controller>,
    seen_events: BTreeMap<String, i64>,
    seen_calls: usize,
    notes: Vec<String>,
    observations: Vec<Observation>,
    is_settled: &'a (dyn Fn(&Observation) -> bool + Send + Sync),
}

/// Runs a scenario: its observations, and what was issued.
///
/// `is_settled` says of an observation whether it is worth waiting for another one.
pub(crate) async fn run(
    bed: &Bed,
    scenario: &Value,
    is_settled: &(dyn Fn(&Observation) -> bool + Send + Sync),
) -> (Vec<Observation>, Vec<IssuedSecrets>) {
    let id = scenario["id"].as_str().unwrap();
    let text = scenario["steps"].to_string();
    let mut namespaces = vec![id.to_owned()];
    if text.contains(&format!("\"{id}-2\"")) {
        namespaces.push(format!("{id}-2"));
    }
    let mut roles: Vec<String> = Vec::new();
    for part in text.split("arn:aws:iam::").skip(1) {
        let end = part.find('"').unwrap_or(part.len());
        roles.push(format!("arn:aws:iam::{}", &part[..end]));
    }
    roles.sort();
    roles.dedup();
    if text.contains("\"SecretStore\"") {
        store_crd(&bed.client).await;
    }
    let flags = scenario["flags"].as_array().into_iter().flatten();
    let flags: Vec<&str> = flags.filter_map(Value::as_str).collect();
    let divisor = if text.contains("lapse") { 360 } else { 1 };
    let emulator = bed.emulator(&roles, divisor).await;
    let mut controllers = Vec::new();
    for namespace in &namespaces {
        make_namespace(&bed.client, namespace).await;
        controllers.push(bed.controller(namespace, &emulator, &flags).await);
    }
    let mut running = Scenario {
        bed,
        namespaces,
        emulator,
        controllers,
        seen_events: BTreeMap::new(),
        seen_calls: 0,
        notes: Vec::new(),
        observations: Vec::new(),
        is_settled,
    };
    for step in scenario["steps"].as_array().unwrap() {
        running.step(step).await;
    }
    let issued = running.emulator.issued();
    drop(running.controllers);
    (running.observations, issued)
}

impl Scenario<'_> {
    async fn step(&mut self, step: &Value) {
        let (word, what) = step.as_object().unwrap().iter().next().unwrap();
        match word.as_str() {
            "apply" | "create" => {
                let one = [what.clone()];
                for document in what.as_array().map_or(one.as_slice(), Vec::as_slice) {
                    self.put(word == "create", document).await;
                }
            }
            "patch" => {
                let target = self.target(what);
                let target = target.each_ref().map(String::as_str);
                let with = self.filled(&what["with"]).await;
                let done = patch(&self.bed.client, target, &with, what["sub"].as_str()).await;
                self.notes.extend(done.err());
            }
            "delete" => {
                let target = self.target(what);
                let seconds =
                    if what["wait"] == true { what["timeout"].as_u64().unwrap_or(15) } else { 0 };
                delete(&self.bed.client, target.each_ref().map(String::as_str), seconds).await;
            }
            "wait" => self.wait(what).await,
            "settle" => self.settle().await,
            "sleep" => tokio::time::sleep(Duration::from_secs_f64(what.as_f64().unwrap())).await,
            "mood" => self.mood(what),
            "restart" => self.restart(what).await,
            "observe" => self.observe(what.as_str().unwrap()).await,
            "metrics" => self.metrics(what.as_str().unwrap()).await,
            other => panic!("no step {other}"),
        }
    }

    fn target(&self, what: &Value) -> [String; 3] {
        let text = |key: &str| what[key].as_str().map(str::to_owned);
        let namespace = text("ns").unwrap_or_else(|| self.namespaces[0].clone());
        [text("kind").unwrap(), namespace, text("name").unwrap()]
    }

    async fn put(&mut self, creates: bool, document: &Value) {
        let document = self.filled(document).await;
        let client = &self.bed.client;
        let done =
            if creates { create(client, &document).await } else { apply(client, &document).await };
        self.notes.extend(done.err());
    }

    /// Placeholders of the files: key IDs, times to come, UIDs.
    async fn filled(&self, value: &Value) -> Value {
        let mut text = value.to_string();
        text = text.replace("<base key id>", BASE_KEY).replace("<second key id>", SECOND_KEY);
        while let Some(start) = text.find("$FUTURE+") {
            let digits: String =
                text[start + 8..].chars().take_while(char::is_ascii_digit).collect();
            let seconds = SignedDuration::from_secs(digits.parse().unwrap());
            let time = Timestamp::now() + seconds;
            let time = format!("{}", time.strftime("%Y-%m-%dT%H:%M:%SZ"));
            text.replace_range(start..start + 8 + digits.len(), &time);
        }
        while let Some(start) = text.find("$UID:") {
            let end = start + text[start..].find('"').unwrap();
            let (kind, name) = text[start + 5..end].split_once('/').unwrap();
            let kind = objects::kind_named(kind);
            let api = objects::api(&self.bed.client, &kind, &self.namespaces[0]);
            let uid = api.get(name).await.unwrap().metadata.uid.unwrap();
            text.replace_range(start..end, &uid);
        }
        serde_json::from_str(&text).unwrap()
    }

    async fn wait(&mut self, what: &Value) {
        let client = &self.bed.client;
        let namespace = what["ns"].as_str().unwrap_or(&self.namespaces[0]).to_owned();
        let seconds = what["timeout"].as_f64().unwrap_or(20.0);
        let is_there = objects::eventually(seconds, || async {
            if let Some(name) = what["es"].as_str() {
                let kind = objects::kind_named("ExternalSecret");
                let found = objects::api(client, &kind, &namespace).get_opt(name).await.unwrap();
                let Some(condition) = found.as_ref().and_then(ready) else { return false };
                let is_status = what["ready"].is_null() || condition["status"] == what["ready"];
                let is_reason = what["reason"].is_null() || condition["reason"] == what["reason"];
                return is_status && is_reason;
            }
            if let Some(name) = what["secret"].as_str() {
                let kind = objects::kind_named("Secret");
                let found = objects::api(client, &kind, &namespace).get_opt(name).await.unwrap();
                return found.is_some() != (what["gone"] == true);
            }
            if let Some(calls) = what["calls"].as_u64() {
                return u64::try_from(self.emulator.requests().len()).unwrap() >= calls;
            }
            true
        })
        .await;
        if !is_there {
            self.notes.push(format!("waited in vain for {what}"));
        }
    }

    /// Waits until nothing has moved for a second, twelve seconds at most.
    async fn settle(&self) {
        let mut last = String::new();
        let mut quiet = 0;
        for _ in 0..120 {
            let mut state = self.emulator.requests().len().to_string();
            for namespace in &self.namespaces {
                for kind in ["Secret", "ExternalSecret"] {
                    for object in list(&self.bed.client, kind, namespace).await {
                        state.push_str(&object.metadata.resource_version.unwrap_or_default());
                        state.push(' ');
                    }
                }
            }
            quiet = if state == last { quiet + 1 } else { 0 };
            if quiet >= 12 {
                return;
            }
            last = state;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    fn mood(&self, what: &Value) {
        let mode = what["mode"].as_str().unwrap_or("ok");
        let (mode, action) = mode.split_once('@').map_or((mode, None), |(a, b)| (a, Some(b)));
        self.emulator.clear_faults();
        let fault = match mode {
            "ok" => return,
            "badkey" => {
                "error=InvalidClientTokenId:403:The security token included in the request is invalid."
            }
            "expired" => {
                "error=ExpiredToken:403:The security token included in the request is expired"
            }
            "invalid" => "error=ValidationError:400:invalid",
            "badtoken" => {
                "error=InvalidIdentityToken:400:No OpenIDConnect provider found in your account"
            }
            same => same,
        };
        // What moods call the action, by its whole name.
        let action =
            action.map(|it| if it == "WebIdentity" { "AssumeRoleWithWebIdentity" } else { it });
        let operation = action.map(|it| format!("operation={it} ")).unwrap_or_default();
        self.emulator.inject(format!("{operation}{fault}").parse().unwrap());
    }

    async fn restart(&mut self, what: &Value) {
        for controller in &mut self.controllers {
            controller.kill();
        }
        for step in what["while_down"].as_array().into_iter().flatten() {
            Box::pin(self.step(step)).await;
        }
        self.controllers.clear();
        for namespace in &self.namespaces {
            self.controllers.push(self.bed.controller(namespace, &self.emulator, &[]).await);
        }
    }

    async fn metrics(&mut self, at: &str) {
        let mut observation = Observation { at: at.to_owned(), ..Observation::default() };
        for _ in 0..16 {
            observation.metrics = Some(self.controllers[0].metrics_text().await);
            if (self.is_settled)(&observation) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self.observations.push(observation);
    }

    /// The garbage collector takes its time, and a repair waits for the one before.
    async fn observe(&mut self, at: &str) {
        let mut observation = self.look(at).await;
        for _ in 0..16 {
            if (self.is_settled)(&observation) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
            let again = self.look(at).await;
            observation.events.extend(again.events);
            observation.calls += again.calls;
            observation.secrets = again.secrets;
            observation.external_secrets = again.external_secrets;
        }
        observation.events.sort();
        observation.events.dedup();
        self.observations.push(observation);
    }

    async fn look(&mut self, at: &str) -> Observation {
        let mut secrets = BTreeMap::new();
        let mut external_secrets = BTreeMap::new();
        let mut events = Vec::new();
        for (index, namespace) in self.namespaces.clone().iter().enumerate() {
            let named = |object: &DynamicObject| {
                let name = object.metadata.name.clone().unwrap();
                if index == 0 { name } else { format!("{namespace}/{name}") }
            };
            for object in list(&self.bed.client, "Secret", namespace).await {
                secrets.insert(named(&object), document(&object));
            }
            for object in list(&self.bed.client, "ExternalSecret", namespace).await {
                external_secrets.insert(named(&object), document(&object));
            }
            for event in list(&self.bed.client, "Event", namespace).await {
                let count =
                    event.data.pointer("/series/count").and_then(Value::as_i64).unwrap_or(1);
                let name = event.metadata.name.clone().unwrap();
                if self.seen_events.insert(name, count) != Some(count) {
                    let text = |key: &str| event.data[key].as_str().unwrap_or_default().to_owned();
                    events.push((text("type"), text("reason"), text("note")));
                }
            }
        }
        let calls = self.emulator.requests().len();
        let observation = Observation {
            at: at.to_owned(),
            secrets,
            external_secrets,
            events,
            calls: calls - self.seen_calls,
            notes: std::mem::take(&mut self.notes),
            metrics: None,
        };
        self.seen_calls = calls;
        observation
    }
}

fn document(object: &DynamicObject) -> Value {
    let mut document = object.data.clone();
    document["metadata"] = serde_json::to_value(&object.metadata).unwrap();
    json!(document)
}

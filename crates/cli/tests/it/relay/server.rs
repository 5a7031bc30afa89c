//! Relay's metadata API, as far as a step meets it: the spec with what it refers to, outputs, and
//! refusals on cue. What it answers is in the table of `errors.yaml`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{Method, Response};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::{RUNTIME, wait};

/// What a run of a workflow has.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Run {
    /// The spec; `{"$type": …}` refers to what is below, and `{"$fail": …}` cannot be evaluated.
    pub(super) spec: Option<Value>,
    pub(super) connections: BTreeMap<String, Value>,
    pub(super) outputs: BTreeMap<String, Value>,
    pub(super) parameters: BTreeMap<String, Value>,
    pub(super) secrets: BTreeMap<String, Value>,
    /// What goes wrong, in this order.
    pub(super) faults: Vec<Fault>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// The beginning of `METHOD /path`, with its query decoded.
    on: String,
    /// How often; 0 is always.
    #[serde(default)]
    times: usize,
    /// A name of the table, or `reset` or `hang`.
    answer: String,
}

#[derive(Clone, Debug, Deserialize)]
struct Answer {
    status: u16,
    #[serde(default)]
    r#type: Option<String>,
    body: String,
}

struct Shared {
    run: Mutex<Run>,
    table: BTreeMap<String, Answer>,
    token: Option<String>,
    asked: Mutex<Vec<String>>,
    /// What was written, by path.
    written: Mutex<BTreeMap<String, Value>>,
    stopped: watch::Receiver<bool>,
}

/// The server on a free port; it ends when it is dropped.
pub(super) struct Server {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    task: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(listen: &str, run: Run, token: Option<&str>) -> Self {
        let (stop, stopped) = watch::channel(false);
        let shared = Arc::new(Shared {
            run: Mutex::new(run),
            table: serde_saphyr::from_str(include_str!("errors.yaml")).unwrap(),
            token: token.map(str::to_owned),
            asked: Mutex::default(),
            written: Mutex::default(),
            stopped: stopped.clone(),
        });
        let router = Router::new().fallback(serve).with_state(Arc::clone(&shared));
        let listener = wait(TcpListener::bind(listen)).unwrap();
        let address = listener.local_addr().unwrap();
        let task = RUNTIME.spawn(async move {
            axum::serve(listener, router).with_graceful_shutdown(ended(stopped)).await.unwrap();
        });
        Self { address, shared, stop, task: Some(task) }
    }

    /// Every request in short; one that was repeated stands once.
    pub(super) fn asked(&self) -> Vec<String> {
        let mut asked = self.shared.asked.lock().unwrap().clone();
        asked.dedup();
        asked
    }

    pub(super) fn written(&self) -> BTreeMap<String, Value> {
        self.shared.written.lock().unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        if let Some(task) = self.task.take() {
            wait(task).unwrap();
        }
    }
}

async fn ended(mut stopped: watch::Receiver<bool>) {
    stopped.wait_for(|stopped| *stopped).await.ok();
}

async fn serve(State(shared): State<Arc<Shared>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().and_then(|query| query.strip_prefix("q="));
    let query = query.map(|text| percent_decode_str(text).decode_utf8().unwrap().into_owned());
    let short = match &query {
        Some(query) => format!("{} {path} {query}", parts.method),
        None => format!("{} {path}", parts.method),
    };
    shared.asked.lock().unwrap().push(short.clone());
    let header = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(token) = &shared.token {
        let accepted = [format!(":{token}"), format!("token:{token}")].map(basic);
        if !accepted.iter().any(|value| Some(value.as_str()) == header("authorization")) {
            return shared.answer("unauthorized");
        }
    }
    if let Some(answer) = shared.fault(&short) {
        return match answer.as_str() {
            "reset" => broken(),
            "hang" => {
                ended(shared.stopped.clone()).await;
                shared.answer("unavailable")
            }
            name => shared.answer(name),
        };
    }
    match (&parts.method, path.strip_prefix("/outputs/")) {
        (&Method::GET, None) if path == "/spec" => shared.spec(query.as_deref()),
        (&Method::GET, Some(name)) => shared.output(name),
        (&Method::PUT, Some(name)) => {
            let bytes = to_bytes(body, 1 << 20).await.unwrap();
            let is_mark = name.ends_with("/metadata");
            // Byte for byte, but for the mark, which takes any type.
            if !is_mark && header("content-type") != Some("application/json") {
                return shared.answer("unknown-media-type");
            }
            match serde_json::from_slice(&bytes) {
                Ok(value) => {
                    shared.written.lock().unwrap().insert(name.to_owned(), value);
                    response(201, None, String::new())
                }
                Err(_) => shared.answer("malformed-request"),
            }
        }
        _ => shared.answer("no-route"),
    }
}

fn basic(text: String) -> String {
    use base64::Engine as _;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(text))
}

fn response(status: u16, kind: Option<&str>, body: String) -> Response<Body> {
    let mut response = Response::builder().status(status).header("connection", "close");
    if let Some(kind) = kind {
        response = response.header("content-type", kind);
    }
    response.body(Body::from(body)).unwrap()
}

/// Begins to answer and breaks off.
fn broken() -> Response<Body> {
    let pieces = [Ok(Bytes::from_static(b"{")), Err(std::io::Error::other("reset"))];
    Response::new(Body::from_stream(futures_util::stream::iter(pieces)))
}

impl Shared {
    fn answer(&self, name: &str) -> Response<Body> {
        let answer = &self.table[name];
        let kind = answer.r#type.as_deref().unwrap_or("application/json");
        response(answer.status, Some(kind), answer.body.clone())
    }

    /// `STEP/NAME`: every step of this run has written the same.
    fn output(&self, name: &str) -> Response<Body> {
        let written = self.written.lock().unwrap();
        let (step, key) = name.split_once('/').unwrap_or_default();
        let Some(value) = written.get(key) else { return self.answer("not-found") };
        let mark = written.get(&format!("{key}/metadata")).is_some();
        let metadata = if mark { json!({"Sensitive": true}) } else { Value::Null };
        let body = json!({"task_name": step, "key": key, "value": value, "metadata": metadata});
        response(200, Some("application/json"), body.to_string())
    }

    fn fault(&self, short: &str) -> Option<String> {
        let mut run = self.run.lock().unwrap();
        let index = run.faults.iter().position(|fault| short.starts_with(&fault.on))?;
        let fault = &mut run.faults[index];
        let answer = fault.answer.clone();
        if fault.times > 0 {
            fault.times -= 1;
            if fault.times == 0 {
                run.faults.remove(index);
            }
        }
        Some(answer)
    }

    fn spec(&self, query: Option<&str>) -> Response<Body> {
        let run = self.run.lock().unwrap().clone();
        let Some(spec) = &run.spec else { return self.answer("no-spec") };
        let mut missing = Map::new();
        let value = match query {
            None => run.resolve(spec, &mut missing),
            Some(query) => run.look_up(spec, query, &mut missing),
        };
        match value {
            Err(Unfit::Key(key)) => {
                let path = query.unwrap_or_default().replace("[\"", ".").replace("\"]", "");
                let said = format!("path \"{path}\": unknown key {key}");
                let body =
                    self.table["evaluation"].body.replace("SAID", &said.replace('"', "\\\""));
                response(422, Some("application/json"), body)
            }
            Err(Unfit::Evaluation(said)) => {
                let body = self.table["evaluation"].body.replace("SAID", &said);
                response(422, Some("application/json"), body)
            }
            Ok(value) => {
                let complete = missing.is_empty();
                let value =
                    if !complete && value.get("$type").is_some() { Value::Null } else { value };
                let body = json!({"value": value, "unresolvable": missing, "complete": complete});
                response(200, Some("application/json"), body.to_string())
            }
        }
    }
}

enum Unfit {
    Key(String),
    Evaluation(String),
}

impl Run {
    fn resolve(&self, value: &Value, missing: &mut Map<String, Value>) -> Result<Value, Unfit> {
        Ok(match value {
            Value::Object(map) if map.contains_key("$fail") => {
                let said = map["$fail"].as_str().unwrap().to_owned();
                return Err(Unfit::Evaluation(said));
            }
            Value::Object(map) if map.contains_key("$type") => self.refer(map, missing),
            Value::Object(map) => {
                let pairs =
                    map.iter().map(|(key, value)| Ok((key.clone(), self.resolve(value, missing)?)));
                Value::Object(pairs.collect::<Result<_, _>>()?)
            }
            Value::Array(items) => {
                let items = items.iter().map(|item| self.resolve(item, missing));
                Value::Array(items.collect::<Result<_, _>>()?)
            }
            other => other.clone(),
        })
    }

    /// What a reference stands for; one that is not there keeps its raw form.
    fn refer(&self, map: &Map<String, Value>, missing: &mut Map<String, Value>) -> Value {
        let text = |key: &str| map.get(key).and_then(Value::as_str).unwrap_or_default();
        let name = text("name");
        let (list, item, found) = match text("$type") {
            "Connection" => {
                let key = format!("{}/{name}", text("type"));
                let item = json!({"type": text("type"), "name": name});
                ("connections", item, self.connections.get(&key))
            }
            "Output" => {
                let key = format!("{}/{name}", text("from"));
                let item = json!({"from": text("from"), "name": name});
                ("outputs", item, self.outputs.get(&key))
            }
            "Parameter" => ("parameters", json!({"name": name}), self.parameters.get(name)),
            other => {
                assert_eq!(other, "Secret");
                ("secrets", json!({"name": name}), self.secrets.get(name))
            }
        };
        found.cloned().unwrap_or_else(|| {
            let list = missing.entry(list).or_insert_with(|| json!([]));
            list.as_array_mut().unwrap().push(item);
            Value::Object(map.clone())
        })
    }

    /// `a["b"]["c"]`: only what stands on the way is resolved.
    fn look_up(
        &self,
        spec: &Value,
        query: &str,
        missing: &mut Map<String, Value>,
    ) -> Result<Value, Unfit> {
        let mut value = spec.clone();
        for key in query.split(['[', ']']).filter(|part| !part.is_empty()) {
            let key = key.trim_matches('"');
            if value.get("$type").is_some() || value.get("$fail").is_some() {
                value = self.resolve(&value, missing)?;
                if !missing.is_empty() {
                    return Ok(Value::Null);
                }
            }
            value = match &value {
                Value::Object(map) => {
                    map.get(key).cloned().ok_or_else(|| Unfit::Key(key.to_owned()))?
                }
                _ => return Err(Unfit::Evaluation("unable to index a value".to_owned())),
            };
        }
        self.resolve(&value, missing)
    }
}

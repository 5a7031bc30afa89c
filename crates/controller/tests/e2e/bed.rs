//! Where a test runs: an API server that all share, and an emulator and a controller of its own.

use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kube::Client;
use kube::config::{KubeConfigOptions, Kubeconfig};
use rolecall_emulator::{Emulator, Options, Transport, World};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

/// The control plane, as `cargo xtask e2e` has started it.
#[derive(Clone)]
pub(crate) struct Bed {
    pub(crate) client: Client,
    pub(crate) folder: PathBuf,
    controller: PathBuf,
    jwks: Value,
}

impl Bed {
    pub(crate) async fn new() -> Self {
        Self::at(PathBuf::from(variable("ROLECALL_E2E_FOLDER"))).await
    }

    /// An API server without any CRD.
    pub(crate) async fn stock() -> Self {
        Self::at(PathBuf::from(variable("ROLECALL_E2E_STOCK"))).await
    }

    async fn at(folder: PathBuf) -> Self {
        // Whichever test is first does it.
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let client = client_of(&folder.join("kubeconfig")).await;
        let request = http::Request::get("/openid/v1/jwks").body(Vec::new()).unwrap();
        let jwks = client.request(request).await.unwrap();
        Self { client, folder, controller: variable("ROLECALL_E2E_CONTROLLER").into(), jwks }
    }

    /// An emulator that believes in the tokens of this cluster, whose roles trust everybody.
    pub(crate) async fn emulator(&self, roles: &[String], divisor: u32) -> Emulator {
        let statement =
            |action: Value| json!({"Effect": "Allow", "Principal": "*", "Action": action});
        let web_identity = json!({
            "Effect": "Allow",
            "Principal": {"Federated": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}")},
            "Action": "sts:AssumeRoleWithWebIdentity",
        });
        let trust = json!({"Statement": [
            statement(json!(["sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity"])),
            web_identity,
        ]});
        let roles: Vec<Value> = roles
            .iter()
            .map(|arn| json!({"arn": arn, "trustPolicy": trust, "maxSessionDuration": 43200}))
            .collect();
        let world = json!({
            "region": "eu-west-1",
            "lifetime_divisor": divisor,
            "ambient": format!("arn:aws:iam::{ACCOUNT}:user/controller"),
            "users": [
                {"arn": format!("arn:aws:iam::{ACCOUNT}:user/base"), "accessKeys": [
                    {"id": BASE_KEY, "secret": BASE_SECRET}, {"id": SECOND_KEY, "secret": SECOND_SECRET},
                ]},
                {"arn": format!("arn:aws:iam::{ACCOUNT}:user/controller"), "accessKeys": [
                    {"id": CONTROLLER_KEY, "secret": BASE_SECRET},
                ]},
            ],
            "roles": roles,
            "oidcProviders": [{
                "arn": format!("arn:aws:iam::{ACCOUNT}:oidc-provider/{HOST}"),
                "url": format!("https://{HOST}"),
                "clientIds": ["sts.amazonaws.com", "x.example", "y.example", "z.example"],
                "jwks": self.jwks,
            }],
        });
        let world = World::parse(&world.to_string()).unwrap();
        let options = Options {
            listen: ([127, 0, 0, 1], 0).into(),
            transport: Transport::Http,
            clock: Arc::new(jiff::Timestamp::now),
        };
        Emulator::start(world, options).await.unwrap()
    }

    /// A controller of one namespace, with the default chain that the flags say.
    pub(crate) async fn controller(
        &self,
        namespace: &str,
        emulator: &Emulator,
        flags: &[&str],
    ) -> Controller {
        let mut command = Command::new(&self.controller);
        // Replicas of one namespace have a log each.
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let log = self.folder.join(format!("controller-{namespace}-{number}.log"));
        let file = File::options().create(true).append(true).open(&log).unwrap();
        command
            .arg("--metrics-addr=127.0.0.1:0")
            .arg("--live-addr=127.0.0.1:0")
            .args(flags)
            .env_clear()
            .env("KUBECONFIG", self.folder.join("controller"))
            .env("HOME", &self.folder)
            .env("AWS_ENDPOINT_URL", emulator.sts_url())
            .env("AWS_REGION", "eu-west-1")
            // Nobody listens there: the API server and this machine are never asked through it.
            .env("HTTPS_PROXY", "http://127.0.0.1:9")
            .env("AWS_ACCESS_KEY_ID", CONTROLLER_KEY)
            .env("AWS_SECRET_ACCESS_KEY", BASE_SECRET)
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let has = |name: &str| flags.iter().any(|flag| flag.starts_with(name));
        if !has("--enable-leader-election") {
            command.arg("--enable-leader-election=false");
        }
        if !has("--namespace") {
            command.arg(format!("--namespace={namespace}"));
        }
        let child = command.spawn().unwrap();
        let mut controller = Controller { child, metrics: 0, live: 0, log };
        controller.wait_until_ready().await;
        controller
    }
}

/// A controller that runs; ended when dropped.
pub(crate) struct Controller {
    child: Child,
    pub(crate) metrics: u16,
    pub(crate) live: u16,
    pub(crate) log: PathBuf,
}

impl Controller {
    /// Everything that the controllers of a namespace have logged.
    pub(crate) fn logs(bed: &Bed, namespace: &str) -> String {
        let prefix = format!("controller-{namespace}-");
        let files = std::fs::read_dir(&bed.folder).unwrap().map(|file| file.unwrap().path());
        let is_of_it = |path: &PathBuf| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            let number = name.strip_prefix(&prefix).and_then(|it| it.strip_suffix(".log"));
            number.is_some_and(|number| number.chars().all(|it| it.is_ascii_digit()))
        };
        let texts = files.filter(is_of_it).map(|path| std::fs::read_to_string(path).unwrap());
        texts.collect()
    }

    /// None: a program that has nothing to do.
    pub(crate) fn none() -> Self {
        let child = Command::new("true").spawn().unwrap();
        Self { child, metrics: 0, live: 0, log: PathBuf::new() }
    }

    async fn wait_until_ready(&mut self) {
        for _ in 0..1_200 {
            if let Some(status) = self.child.try_wait().unwrap() {
                let log = std::fs::read_to_string(&self.log).unwrap();
                panic!("the controller ended with {status}:\n{log}");
            }
            self.read_ports();
            if self.live != 0
                && get(self.live, "/readyz").await.is_some_and(|it| it.starts_with("HTTP/1.1 200"))
            {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the controller is not ready after a minute");
    }

    /// Free ports are given by the kernel, and told in the log.
    fn read_ports(&mut self) {
        let text = std::fs::read_to_string(&self.log).unwrap();
        for line in text.lines() {
            let Ok(entry) = serde_json::from_str::<Value>(line) else { continue };
            let port = entry["address"].as_str().and_then(|it| it.rsplit(':').next()?.parse().ok());
            match (entry["what"].as_str(), port) {
                (Some("metrics"), Some(port)) => self.metrics = port,
                (Some("probes"), Some(port)) => self.live = port,
                _ => {}
            }
        }
    }

    /// As the kernel ends a process: nothing is written any more.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Controller {
    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended by itself.
    pub(crate) async fn ended(&mut self) -> std::process::ExitStatus {
        for _ in 0..6_000 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        panic!("the controller does not end");
    }

    /// What it serves as metrics.
    pub(crate) async fn metrics_text(&self) -> String {
        get(self.metrics, "/metrics").await.unwrap_or_default()
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It may have been killed already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// What a server on this machine answers, its head included; nothing while it does not listen.
pub(crate) async fn get(port: u16, path: &str) -> Option<String> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut stream = tokio::net::TcpStream::connect(("127.0.0.1", port)).await.ok()?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.ok()?;
    Some(answer)
}

pub(crate) async fn client_of(kubeconfig: &std::path::Path) -> Client {
    let config = Kubeconfig::read_from(kubeconfig).unwrap();
    let options = KubeConfigOptions::default();
    let config = kube::Config::from_custom_kubeconfig(config, &options).await.unwrap();
    Client::try_from(config).unwrap()
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run cargo xtask e2e"))
}

pub(crate) const ACCOUNT: &str = "111122223333";
/// Who signs the tokens of this cluster's service accounts.
const HOST: &str = "oidc.cluster.test";
pub(crate) const BASE_KEY: &str = "AKIABASEEXAMPLE00001";
pub(crate) const BASE_SECRET: &str = "basesecretvalue";
pub(crate) const SECOND_KEY: &str = "AKIASECONDEXAMPLE001";
pub(crate) const SECOND_SECRET: &str = "secondsecretvalue";
pub(crate) const CONTROLLER_KEY: &str = "AKIACONTROLLER000001";
static NUMBER: AtomicU64 = AtomicU64::new(0);

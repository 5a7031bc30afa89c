//! A real control plane on loopback: etcd, kube-apiserver and kube-controller-manager.

use std::fs::File;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::tools::{cache, root, run, say};

/// The programs, built from their Go modules and kept in the cache.
#[derive(Debug)]
pub(crate) struct Programs(PathBuf);

impl Programs {
    /// Builds them when they are missing: minutes, once per machine.
    pub(crate) fn get() -> Result<Self> {
        let folder = cache()?.join(format!("kubernetes-{VERSION}"));
        let done = folder.join("done");
        if !done.exists() {
            say(&format!("building Kubernetes {VERSION} and etcd into {}", folder.display()));
            std::fs::create_dir_all(&folder).context("cannot make the folder of the tools")?;
            let version = "k8s.io/component-base/version";
            let flags = format!(
                "-s -w -X {version}.gitVersion={VERSION} -X {version}.gitMajor=1 -X {version}.gitMinor=36"
            );
            let mut build = Command::new("go");
            build.args(["build", "-mod=readonly", "-trimpath", "-ldflags", &flags, "-o"]);
            build.arg(format!("{}/", folder.display())).arg("./...");
            build.current_dir(root().join("tools/go/cluster"));
            build.env("GOFLAGS", "-buildvcs=false").env("CGO_ENABLED", "0");
            run(&mut build).context("Go 1.26 or newer builds the control plane")?;
            std::fs::write(&done, b"").context("cannot mark the tools as done")?;
        }
        Ok(Self(folder))
    }

    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(self.0.join(name));
        command.env_remove("KUBECONFIG").stdin(Stdio::null());
        command
    }
}

/// A control plane that runs; ended when dropped.
#[derive(Debug)]
pub(crate) struct Plane {
    programs: Programs,
    /// Where its files are: kubeconfig, audit.log, the logs of each part.
    pub(crate) folder: PathBuf,
    // In the order in which they are ended.
    parts: Vec<Child>,
}

impl Plane {
    /// Starts etcd and the API server, and waits until it is ready.
    pub(crate) fn start(folder: &Path) -> Result<Self> {
        let programs = Programs::get()?;
        std::fs::create_dir_all(folder).context("cannot make the folder of the cluster")?;
        run(programs.command("keys").arg(folder)).context("cannot make the keys of the cluster")?;
        let mut plane = Self { programs, folder: folder.to_owned(), parts: Vec::new() };
        let (client, peer, api) = (free_port()?, free_port()?, free_port()?);
        plane.start_etcd(client, peer)?;
        plane.start_api_server(client, api)?;
        plane.write_kubeconfig("kubeconfig", api, ADMIN_TOKEN)?;
        plane.wait_until_ready()?;
        Ok(plane)
    }

    /// Where the kubeconfig of the administrator is.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.folder.join("kubeconfig")
    }

    /// Where kubectl is.
    pub(crate) fn kubectl_path(&self) -> PathBuf {
        self.programs.0.join("kubectl")
    }

    /// `kubectl`, as the administrator.
    pub(crate) fn kubectl(&self, words: &[&str]) -> Command {
        let mut command = self.programs.command("kubectl");
        command.args(words).env("KUBECONFIG", self.kubeconfig()).env("HOME", &self.folder);
        command
    }

    /// What `kubectl` prints.
    pub(crate) fn ask(&self, words: &[&str]) -> Result<String> {
        let output = self.kubectl(words).stderr(Stdio::inherit()).output()?;
        ensure!(output.status.success(), "kubectl {} failed", words.join(" "));
        String::from_utf8(output.stdout).context("kubectl prints no text")
    }

    /// One field of an object, as in `externalsecret/reader` and `{.metadata.uid}`.
    pub(crate) fn field(&self, object: &str, namespace: &str, path: &str) -> Result<String> {
        self.ask(&["get", object, "--namespace", namespace, "-o", &format!("jsonpath={path}")])
    }

    /// A kubeconfig that acts by a token; `name` is its file in the folder.
    pub(crate) fn kubeconfig_for(&self, name: &str, token: &str) -> Result<PathBuf> {
        let text = std::fs::read_to_string(self.kubeconfig()).context("there is no kubeconfig")?;
        let path = self.folder.join(name);
        std::fs::write(&path, text.replace(ADMIN_TOKEN, token)).context("cannot write it")?;
        Ok(path)
    }

    fn part(&mut self, name: &str, arguments: &[String]) -> Result<()> {
        let log = File::create(self.folder.join(format!("{name}.log")))?;
        let mut command = self.programs.command(name);
        command.args(arguments).stdout(log.try_clone()?).stderr(log);
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        self.parts.insert(0, child);
        Ok(())
    }

    fn file(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    fn start_etcd(&mut self, client: u16, peer: u16) -> Result<()> {
        let (client, peer) = (url(client), url(peer));
        let arguments = [
            format!("--data-dir={}", self.file("etcd")),
            format!("--listen-client-urls={client}"),
            format!("--advertise-client-urls={client}"),
            format!("--listen-peer-urls={peer}"),
            format!("--initial-advertise-peer-urls={peer}"),
            format!("--initial-cluster=default={peer}"),
            // The data is gone with the cluster.
            "--unsafe-no-fsync".to_owned(),
            "--log-level=warn".to_owned(),
        ];
        self.part("etcd", &arguments)
    }

    fn start_api_server(&mut self, etcd: u16, port: u16) -> Result<()> {
        let tokens = format!("{ADMIN_TOKEN},admin,admin,system:masters\n");
        std::fs::write(self.file("tokens.csv"), tokens)?;
        std::fs::write(self.file("audit.yaml"), AUDIT_POLICY)?;
        let arguments = [
            format!("--etcd-servers={}", url(etcd)),
            "--bind-address=127.0.0.1".to_owned(),
            format!("--secure-port={port}"),
            format!("--cert-dir={}", self.file("certificates")),
            format!("--token-auth-file={}", self.file("tokens.csv")),
            "--authorization-mode=RBAC".to_owned(),
            "--endpoint-reconciler-type=none".to_owned(),
            "--enable-admission-plugins=OwnerReferencesPermissionEnforcement".to_owned(),
            "--service-cluster-ip-range=10.0.0.0/24".to_owned(),
            format!("--service-account-issuer={ISSUER}"),
            format!("--service-account-signing-key-file={}", self.file("sa.key")),
            format!("--service-account-key-file={}", self.file("sa.pub")),
            format!("--audit-policy-file={}", self.file("audit.yaml")),
            format!("--audit-log-path={}", self.file("audit.log")),
            "--v=1".to_owned(),
        ];
        self.part("apiserver", &arguments)
    }

    /// Starts the controllers of Kubernetes; after the CRDs, since the garbage collector looks for new
    /// kinds every half minute only.
    pub(crate) fn start_controller_manager(&mut self) -> Result<()> {
        let arguments = [
            format!("--kubeconfig={}", self.file("kubeconfig")),
            "--use-service-account-credentials=true".to_owned(),
            format!("--service-account-private-key-file={}", self.file("sa.key")),
            "--leader-elect=false".to_owned(),
            "--controllers=garbage-collector-controller,namespace-controller,serviceaccount-controller,serviceaccount-token-controller".to_owned(),
            "--secure-port=0".to_owned(),
            "--v=1".to_owned(),
        ];
        self.part("controller-manager", &arguments)
    }

    fn write_kubeconfig(&self, name: &str, port: u16, token: &str) -> Result<()> {
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "local", "cluster": {
                "server": format!("https://127.0.0.1:{port}"),
                "certificate-authority": self.file("certificates/apiserver.crt"),
            }}],
            "users": [{"name": "user", "user": {"token": token}}],
            "contexts": [{"name": "local", "context": {"cluster": "local", "user": "user"}}],
            "current-context": "local",
        });
        std::fs::write(self.file(name), config.to_string()).context("cannot write the kubeconfig")
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        for _ in 0..600 {
            for part in &mut self.parts {
                if let Some(status) = part.try_wait()? {
                    bail!("a part ended with {status}: see {}", self.folder.display());
                }
            }
            let mut ask = self.kubectl(&["get", "--raw", "/readyz"]);
            let answer = ask.stdout(Stdio::null()).stderr(Stdio::null()).status();
            if answer.is_ok_and(|status| status.success()) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        bail!("the API server is not ready after a minute: see {}", self.folder.display())
    }
}

impl Drop for Plane {
    fn drop(&mut self) {
        for part in &mut self.parts {
            // One that ended by itself is as well.
            part.kill().ok();
            part.wait().ok();
        }
    }
}

fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// A port that was free just now.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).context("there is no free port")?;
    Ok(listener.local_addr()?.port())
}

const VERSION: &str = "v1.36.3";
/// Who signs the tokens of service accounts.
pub(crate) const ISSUER: &str = "https://oidc.cluster.test";
const ADMIN_TOKEN: &str = "admin-token";
/// Who did what; no bodies, so that the log holds no Secret by itself.
const AUDIT_POLICY: &str = "apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata}]
";

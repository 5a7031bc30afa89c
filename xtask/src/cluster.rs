//! `cargo xtask cluster`: everything on one machine, to be looked at with kubectl.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::judge::RunningEmulator;
use crate::plane::{ISSUER, Plane, free_port};
use crate::tools::{cargo, root, run, say, target};

/// A control plane, the emulator and the controller; ended when dropped.
#[derive(Debug)]
pub(crate) struct Cluster {
    // In the order in which they are ended.
    controller: Child,
    #[expect(dead_code, reason = "it is ended with the cluster")]
    emulator: RunningEmulator,
    /// The control plane.
    pub(crate) plane: Plane,
    /// Where metrics and probes of the controller are.
    pub(crate) metrics: u16,
    live: u16,
}

/// Runs a cluster until Ctrl-C.
pub(crate) fn cluster() -> Result<()> {
    let folder = target()?.join("cluster");
    // What an earlier one left would be in the way.
    std::fs::remove_dir_all(&folder).ok();
    let cluster = Cluster::start(&folder, "debug", &root().join("examples/cluster/world.yaml"))?;
    for example in ["reader.yaml", "pull-secret.yaml"] {
        let file = root().join("examples/cluster").join(example);
        cluster.plane.ask(&["apply", "-f", &file.display().to_string()])?;
    }
    let ready = ["wait", "--for=condition=Ready", "externalsecrets", "--all", "--all-namespaces"];
    cluster.plane.ask(&ready)?;
    let kubectl = cluster.plane.kubectl_path();
    let kubectl = kubectl.display();
    say(&format!(
        "\nThe cluster runs until Ctrl-C. Look at it with\n\n\
         export KUBECONFIG={}\n\
         {kubectl} get externalsecrets --all-namespaces\n\
         {kubectl} describe externalsecret --namespace team-a reader\n\
         {kubectl} get secret --namespace team-a reader -o yaml\n\n\
         Metrics: http://127.0.0.1:{}/metrics. Logs: {}",
        cluster.plane.kubeconfig().display(),
        cluster.metrics,
        folder.display(),
    ));
    wait_for_interrupt()
}

impl Cluster {
    /// Starts all of it; `profile` is how our programs are built.
    pub(crate) fn start(folder: &Path, profile: &str, world: &Path) -> Result<Self> {
        let mut build = cargo(&["build", "--locked", "--package", "rolecall"]);
        let mut controller = cargo(&["build", "--locked", "--package", "rolecall-controller"]);
        if profile == "release" {
            build.arg("--release");
            controller.arg("--release");
        }
        run(&mut build)?;
        run(&mut controller)?;
        let programs = target()?.join(profile);
        let mut plane = Plane::start(folder)?;
        let emulator = start_emulator(&plane, &programs.join("rolecall"), world)?;
        install(&mut plane, &programs.join("rolecall-controller"))?;
        let kubeconfig = controller_kubeconfig(&plane)?;
        let (metrics, live) = (free_port()?, free_port()?);
        let controller = start_controller(
            &programs.join("rolecall-controller"),
            &kubeconfig,
            &emulator,
            folder,
            [metrics, live],
            &[],
        )?;
        let mut cluster = Self { controller, emulator, plane, metrics, live };
        cluster.wait_until_ready()?;
        Ok(cluster)
    }

    fn wait_until_ready(&mut self) -> Result<()> {
        for _ in 0..600 {
            if let Some(status) = self.controller.try_wait()? {
                bail!("the controller ended with {status}: see {}", self.plane.folder.display());
            }
            if get(self.live, "/readyz").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("the controller is not ready after half a minute")
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        self.controller.kill().ok();
        self.controller.wait().ok();
    }
}

/// What a server on this machine answers, its head included.
fn get(port: u16, path: &str) -> Result<String> {
    get_with(&format!("127.0.0.1:{port}"), path, "")
}

/// The same, with a line more in the head.
pub(crate) fn get_with(address: &str, path: &str, header: &str) -> Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(address)?;
    let head =
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{header}\r\n");
    stream.write_all(head.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

/// The emulator believes in the tokens that this cluster makes.
pub(crate) fn start_emulator(
    plane: &Plane,
    program: &Path,
    world: &Path,
) -> Result<RunningEmulator> {
    let jwks = plane.ask(&["get", "--raw", "/openid/v1/jwks"])?;
    let text = std::fs::read_to_string(world).context("cannot read the world")?;
    let host = ISSUER.trim_start_matches("https://");
    let provider = format!(
        "oidcProviders:\n- arn: arn:aws:iam::111122223333:oidc-provider/{host}\n  url: {ISSUER}\n  \
         clientIds: [sts.amazonaws.com]\n  jwks: {jwks}\n"
    );
    let file = plane.folder.join("world.yaml");
    std::fs::write(&file, format!("{text}{provider}")).context("cannot write the world")?;
    RunningEmulator::start_with(program, &file)
}

/// A kubeconfig that acts as the controller's service account.
pub(crate) fn controller_kubeconfig(plane: &Plane) -> Result<PathBuf> {
    let token =
        ["create", "token", "rolecall-controller", "--namespace=rolecall", "--duration=24h"];
    plane.kubeconfig_for("controller", plane.ask(&token)?.trim())
}

/// The CRDs, and the role that the controller runs under.
pub(crate) fn install(plane: &mut Plane, controller: &Path) -> Result<()> {
    let crds = Command::new(controller).arg("crds").output().context("cannot print the CRDs")?;
    let file = plane.folder.join("crds.yaml");
    std::fs::write(&file, crds.stdout).context("cannot write the CRDs")?;
    plane.ask(&["apply", "--server-side", "-f", &file.display().to_string()])?;
    let established = ["wait", "--for=condition=Established", "crds", "--all"];
    plane.ask(&established)?;
    plane.start_controller_manager()?;
    install_role(plane)
}

/// The role that the controller runs under.
pub(crate) fn install_role(plane: &Plane) -> Result<()> {
    let manifests = root().join("deploy/manifests/rolecall-controller.yaml");
    plane.ask(&["apply", "-f", &manifests.display().to_string()])?;
    Ok(())
}

pub(crate) fn start_controller(
    program: &Path,
    kubeconfig: &Path,
    emulator: &RunningEmulator,
    folder: &Path,
    [metrics, live]: [u16; 2],
    flags: &[String],
) -> Result<Child> {
    let log = File::options().create(true).append(true).open(folder.join("controller.log"))?;
    let mut command = Command::new(program);
    command.args([
        format!("--metrics-addr=127.0.0.1:{metrics}"),
        format!("--live-addr=127.0.0.1:{live}"),
    ]);
    command.args(flags);
    let kept = |name: &str| name.starts_with("AWS_ENDPOINT_URL") || name.ends_with("REGION");
    let variables = emulator.environment.iter().filter(|(name, _)| kept(name));
    command.env_clear().envs(variables.map(|(name, value)| (name, value)));
    command.env("KUBECONFIG", kubeconfig).env("HOME", folder).env("POD_NAMESPACE", "rolecall");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    command.spawn().context("cannot start the controller")
}

/// The shell's Ctrl-C reaches this process and its children alike.
fn wait_for_interrupt() -> Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([
        signal_hook::consts::SIGINT,
        signal_hook::consts::SIGTERM,
    ])
    .context("cannot wait for Ctrl-C")?;
    signals.forever().next();
    Ok(())
}

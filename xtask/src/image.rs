//! Images, run without a daemon: from their unpacked root, read-only, as nobody's user.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use crate::cluster::{controller_kubeconfig, get_with, install, start_emulator};
use crate::dist::{CONTROLLER, archive};
use crate::guides::{Page, run_page};
use crate::oci::unpack;
use crate::plane::{Plane, free_port};
use crate::tools::{go_tool, root, run, say, target};

/// The root of an image, and how it begins.
pub(crate) struct Unpacked {
    folder: PathBuf,
    entrypoint: Vec<String>,
}

impl Unpacked {
    /// Unpacks the archive that `dist` has made.
    pub(crate) fn of(image: &str) -> Result<Self> {
        let folder = target()?.join("dist").join("root").join(image);
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).context("cannot make the root of the image")?;
        let config = unpack(&archive(image)?, &folder)?;
        ensure!(
            config["config"]["User"] == "65532:65532",
            "the image runs as {}",
            config["config"]["User"]
        );
        let words = config["config"]["Entrypoint"].as_array().into_iter().flatten();
        let entrypoint = words.filter_map(Value::as_str).map(str::to_owned).collect();
        Ok(Self { folder, entrypoint })
    }

    /// A file that is mounted into it.
    fn mount(&self, name: &str, text: &str) -> Result<()> {
        let path = self.folder.join(name);
        std::fs::create_dir_all(path.parent().context("a file has a folder")?)?;
        std::fs::write(path, text).context("cannot mount a file")
    }

    /// The command that runs it: another user than its own, as Kubernetes may choose one.
    pub(crate) fn words(&self, arguments: &[String]) -> Vec<String> {
        let script = "root=$1; shift; mount --bind \"$root\" \"$root\" && \
                      mount -o remount,ro,bind \"$root\" && \
                      exec chroot --userspec=65534:65534 \"$root\" \"$@\"";
        let root = self.folder.to_string_lossy().into_owned();
        let words = ["unshare", "--mount", "sh", "-c", script, "sh"].map(str::to_owned);
        let words = words.into_iter().chain([root]).chain(self.entrypoint.iter().cloned());
        words.chain(arguments.iter().cloned()).collect()
    }
}

/// The image of the controller, against a control plane.
pub(crate) fn judge_controller(programs: &Path) -> Result<()> {
    say("the image of the controller, from its unpacked root");
    let folder = target()?.join("image");
    // What an earlier run left would be in the way.
    std::fs::remove_dir_all(&folder).ok();
    let mut plane = Plane::start(&folder)?;
    let world = root().join("examples/cluster/world.yaml");
    let emulator = start_emulator(&plane, &programs.join("rolecall"), &world)?;
    install(&mut plane, &programs.join("rolecall-controller"))?;
    let image = Unpacked::of(CONTROLLER)?;
    let kubeconfig = std::fs::read_to_string(controller_kubeconfig(&plane)?)?;
    let mut kubeconfig: Value = serde_json::from_str(&kubeconfig)?;
    let cluster = &mut kubeconfig["clusters"][0]["cluster"];
    let authority = cluster["certificate-authority"].as_str().context("no authority")?.to_owned();
    image.mount("mounted/ca.crt", &std::fs::read_to_string(authority)?)?;
    cluster["certificate-authority"] = "/mounted/ca.crt".into();
    image.mount("mounted/kubeconfig", &kubeconfig.to_string())?;
    let (metrics, live) = (free_port()?, free_port()?);
    let flags = [format!("--metrics-addr=:{metrics}"), format!("--live-addr=:{live}")];
    let words = image.words(&flags);
    let log = File::create(folder.join("controller.log"))?;
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.env("KUBECONFIG", "/mounted/kubeconfig").env("POD_NAMESPACE", "rolecall");
    let kept = |name: &str| name.starts_with("AWS_ENDPOINT_URL") || name.ends_with("REGION");
    command.envs(emulator.environment.iter().filter(|(name, _)| kept(name)).cloned());
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    let mut running = Running(command.spawn().context("cannot start the image")?);
    wait_until_ready(&mut running, live, &folder)?;
    let object = root().join("examples/cluster/reader.yaml").display().to_string();
    plane.ask(&["apply", "-f", &object])?;
    let wait =
        ["wait", "--for=condition=Ready", "--timeout=30s", "-n", "team-a", "externalsecret/reader"];
    plane.ask(&wait)?;
    // Both address families, as the flags say.
    for address in ["127.0.0.1", "[::1]"] {
        let answer = get_with(&format!("{address}:{metrics}"), "/metrics", "")?;
        ensure!(answer.contains("leader_election_master_status"), "no metrics at {address}");
    }
    run(Command::new("kill").args(["-TERM", &running.0.id().to_string()]))?;
    let status = running.0.wait()?;
    ensure!(status.success(), "the image ended with {status}: see {}", folder.display());
    say("it serves, at both families of addresses, and ends when it is told to");
    Ok(())
}

/// The guide to images, with real tools and a registry on this machine.
pub(crate) fn judge_guide() -> Result<()> {
    let crane = go_tool("crane", CRANE, "github.com/google/go-containerregistry/cmd/crane")?;
    debian("skopeo")?;
    let folder = target()?.join("images");
    std::fs::remove_dir_all(&folder).ok();
    std::fs::create_dir_all(&folder).context("cannot make the folder of the guide")?;
    std::os::unix::fs::symlink(target()?, folder.join("target"))?;
    let registry = format!("127.0.0.1:{}", free_port()?);
    // It speaks http, as a real one does not.
    let trusts = format!("[[registry]]\nlocation = \"{registry}\"\ninsecure = true\n");
    std::fs::write(folder.join("registries.conf"), trusts)?;
    let wrapper = "#!/bin/sh\nexec /usr/bin/skopeo --registries-conf registries.conf \"$@\"\n";
    std::fs::write(folder.join("skopeo"), wrapper)?;
    run(Command::new("chmod").arg("+x").arg(folder.join("skopeo")))?;
    let mut serve = Command::new(&crane);
    serve.args(["registry", "serve", "--address", &registry]).stderr(Stdio::null());
    let _served = Running(serve.spawn().context("cannot start the registry")?);
    for _ in 0..100 {
        if get_with(&registry, "/v2/", "").is_ok() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let tools = crane.parent().context("crane has no folder")?.display();
    let path = format!("{}:{tools}:/usr/bin:/bin", folder.display());
    run_page(&IMAGES, |line| {
        let mut shell = Command::new("sh");
        shell.args(["-e", "-c", line]).current_dir(&folder);
        shell.env("PATH", &path).env("REGISTRY", &registry);
        Ok(shell)
    })
}

/// Debian's package, installed where it is missing.
fn debian(package: &str) -> Result<()> {
    let found = Command::new(package).arg("--version").stdout(Stdio::null()).status();
    if found.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    say(&format!("installing {package}"));
    let mut install = Command::new("apt-get");
    install.args(["install", "--yes", "--quiet", package]).stdout(Stdio::null());
    run(&mut install).with_context(|| format!("{package} is needed: install it"))
}

fn wait_until_ready(running: &mut Running, live: u16, folder: &Path) -> Result<()> {
    for _ in 0..600 {
        if let Some(status) = running.0.try_wait()? {
            bail!("the image ended with {status}: see {}", folder.display());
        }
        let answer = get_with(&format!("127.0.0.1:{live}"), "/readyz", "");
        if answer.is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("the image is not ready after half a minute: see {}", folder.display())
}

/// Ended when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Of `tools/go/crane/go.mod`.
const CRANE: &str = "v0.22.1";
const IMAGES: Page = Page {
    file: "images.md",
    skipped: &[("buildah bud", "its base image is in no registry that is reached here")],
};

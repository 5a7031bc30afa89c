//! The chart, by real Helm: as it is rendered, and through the life of a release.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use serde_json::json;

use crate::plane::Plane;
use crate::tools::{go_tool, root, run, say};

/// Helm, built from its Go module and kept in the cache.
#[derive(Debug)]
pub(crate) struct Helm(PathBuf);

impl Helm {
    /// Builds it when it is missing: minutes, once per machine.
    pub(crate) fn get() -> Result<Self> {
        Ok(Self(go_tool("helm", VERSION, "helm.sh/helm/v4/cmd/helm")?))
    }

    /// The folder that it is in.
    pub(crate) fn folder(&self) -> &Path {
        self.0.parent().unwrap_or(&self.0)
    }

    /// `helm` for a cluster, with nothing of this machine's own settings.
    fn on(&self, plane: &Plane, words: &[&str]) -> Command {
        let mut command = self.alone(words);
        command.env("KUBECONFIG", plane.kubeconfig()).env("HOME", &plane.folder);
        command
    }

    fn alone(&self, words: &[&str]) -> Command {
        let mut command = Command::new(&self.0);
        command.args(words).env_remove("KUBECONFIG").current_dir(root()).stdin(Stdio::null());
        command
    }

    /// Installs the chart with these flags more.
    pub(crate) fn install(&self, plane: &Plane, flags: &[&str]) -> Result<()> {
        let words = ["install", "rolecall", CHART, "--namespace=rolecall", "--create-namespace"];
        let values = ["--set=fullnameOverride=rolecall-controller", IMAGE];
        let mut install = self.on(plane, &words);
        run(install.args(values).args(flags).stdout(Stdio::null()))
    }

    /// The Roles of one scoped namespace, as the chart renders them.
    pub(crate) fn scoped_role(&self, namespace: &str) -> Result<String> {
        let words = ["template", "rolecall", CHART, "--namespace=rolecall", IMAGE];
        let mut render = self.alone(&words);
        render.args(["--set=fullnameOverride=rolecall-controller", "--set=leaderElect=false"]);
        render.arg("--set").arg(format!("scopedNamespaces={{{namespace}}}"));
        printed(render.args(["--show-only", "templates/rbac.yaml"]))
    }

    /// `deploy/manifests/rolecall-controller.yaml`: the chart, for whoever has no Helm.
    pub(crate) fn manifests(&self) -> Result<String> {
        let words = ["template", "rolecall", CHART, "--namespace=rolecall", "--values"];
        let text = printed(self.alone(&words).arg("deploy/manifests/values.yaml"))?;
        let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with("# Source:"));
        let kept: Vec<&str> = lines.collect();
        Ok(format!("{HEADER}{}\n", kept.join("\n")))
    }

    /// Every way in which the chart is rendered is taken by the API server, and what it refuses it
    /// refuses with a reason.
    pub(crate) fn judge_chart(&self, plane: &Plane) -> Result<()> {
        run(self.alone(&["lint", "--strict", CHART, IMAGE]).stdout(Stdio::null()))?;
        let known = std::fs::read_to_string(root().join(MANIFESTS))?;
        ensure!(
            self.manifests()? == known,
            "{MANIFESTS} is not what the chart renders: cargo xtask gen"
        );
        plane.ask(&["create", "namespace", "chart"])?;
        let restricted = "pod-security.kubernetes.io/warn=restricted";
        plane.ask(&["label", "namespace", "chart", restricted])?;
        monitoring_kinds(plane)?;
        for values in RENDERED {
            let words = ["template", "rolecall", CHART, "--namespace=chart", IMAGE];
            let text = printed(self.alone(&words).arg("--set=installCRDs=false").args(values))?;
            let file = plane.folder.join("chart.yaml");
            std::fs::write(&file, text)?;
            let file = file.display().to_string();
            let apply = ["apply", "--dry-run=server", "--server-side", "-f", &file];
            let output = plane.kubectl(&apply).output()?;
            let told = String::from_utf8_lossy(&output.stderr);
            ensure!(output.status.success(), "the API server refuses {values:?}: {told}");
            ensure!(!told.contains("PodSecurity"), "{values:?} is not restricted: {told}");
        }
        for (values, reason) in REFUSED {
            let words = ["template", "rolecall", CHART, "--namespace=chart"];
            refused(self.alone(&words).args(values), reason)?;
        }
        plane.ask(&["delete", "namespace", "chart", "--wait=false"])?;
        say(&format!("{} ways to render the chart, {} to refuse", RENDERED.len(), REFUSED.len()));
        Ok(())
    }

    /// A release from before is upgraded and uninstalled, and nothing is lost.
    pub(crate) fn judge_release(&self, plane: &Plane) -> Result<()> {
        let object = root().join("examples/cluster/reader.yaml").display().to_string();
        let before = version_before(&plane.folder)?;
        let words = ["install", "one", &before, "--namespace=one", "--create-namespace", IMAGE];
        run(self.on(plane, &words).stdout(Stdio::null()))?;
        plane.ask(&["wait", "--for=condition=Established", "crds", "--all"])?;
        plane.ask(&["apply", "-f", &object])?;
        let uid = || plane.field("externalsecret/reader", "team-a", "{.metadata.uid}");
        let made = uid()?;
        let words = ["upgrade", "one", CHART, "--namespace=one", IMAGE, "--set=replicaCount=2"];
        run(self.on(plane, &words).stdout(Stdio::null()))?;
        let newer = "jsonpath={.spec.versions[0].schema.openAPIV3Schema.properties.status.properties.renewalTime.type}";
        let field = ["get", "crd", "externalsecrets.external-secrets.io", "-o", newer];
        ensure!(plane.ask(&field)? == "string", "the CRDs were not upgraded");
        plane.ask(&["get", "poddisruptionbudget", "--namespace=one", "one-rolecall"])?;

        // The CRDs are somebody's: another release is refused, and one that insists still is where a
        // CRD would be deleted with its owner.
        let words = ["install", "two", CHART, "--namespace=two", "--create-namespace", IMAGE];
        refused(&mut self.on(plane, &words), "owned by the Helm release one in the namespace one")?;
        let unkept =
            ["annotate", "crd", "externalsecrets.external-secrets.io", "helm.sh/resource-policy-"];
        plane.ask(&unkept)?;
        let insists = ["--set=crds.takeOwnership=true", "--take-ownership"];
        refused(self.on(plane, &words).args(insists), "do not carry the annotation")?;
        plane.ask(&[
            "annotate",
            "crd",
            "externalsecrets.external-secrets.io",
            "helm.sh/resource-policy=keep",
        ])?;
        run(self.on(plane, &words).args(insists).stdout(Stdio::null()))?;

        for release in ["two", "one"] {
            let namespace = format!("--namespace={release}");
            run(self.on(plane, &["uninstall", release, &namespace]).stdout(Stdio::null()))?;
            let left =
                plane.ask(&["get", "all,roles,serviceaccounts", &namespace, "-o", "name"])?;
            let left = left.lines().filter(|line| !line.ends_with("/default")).count();
            ensure!(left == 0, "{release} left something behind");
        }
        let clusterwide = plane.ask(&["get", "clusterroles,clusterrolebindings", "-o", "name"])?;
        ensure!(!clusterwide.contains("one-rolecall"), "a ClusterRole is left behind");
        ensure!(uid()? == made, "the ExternalSecret was lost");
        say(
            "a release was installed, upgraded, refused beside another, taken over from and uninstalled",
        );
        Ok(())
    }
}

/// The kinds of the Prometheus operator, as far as the API server looks at them.
fn monitoring_kinds(plane: &Plane) -> Result<()> {
    let (group, any) = (
        "monitoring.coreos.com",
        json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}),
    );
    for kind in ["ServiceMonitor", "PrometheusRule"] {
        let plural = format!("{}s", kind.to_lowercase());
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1",
            "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.{group}")},
            "spec": {
                "group": group,
                "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{"name": "v1", "served": true, "storage": true,
                    "schema": {"openAPIV3Schema": any}}],
            },
        });
        let file = plane.folder.join("crd.json");
        std::fs::write(&file, crd.to_string())?;
        plane.ask(&["apply", "-f", &file.display().to_string()])?;
    }
    plane.ask(&["wait", "--for=condition=Established", "crds", "--all"])?;
    Ok(())
}

/// The chart as a version before this one: another number, and CRDs without some field.
fn version_before(folder: &Path) -> Result<String> {
    let copy = folder.join("before");
    std::fs::create_dir_all(&copy)?;
    run(Command::new("cp").args(["-r", &root().join(CHART).display().to_string()]).arg(&copy))?;
    let chart = copy.join("rolecall");
    let edit = |name: &str, edit: &dyn Fn(String) -> String| -> Result<()> {
        let file = chart.join(name);
        Ok(std::fs::write(&file, edit(std::fs::read_to_string(&file)?))?)
    };
    edit("Chart.yaml", &|text| text.replace("\nversion: ", "\nversion: 0.0.1-"))?;
    edit("files/crds.yaml", &|text| text.replace("renewalTime:", "renewalTimeOld:"))?;
    Ok(chart.display().to_string())
}

/// What a command prints.
fn printed(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().context("cannot start helm")?;
    ensure!(output.status.success(), "{command:?} failed");
    String::from_utf8(output.stdout).context("helm prints no text")
}

/// A command that has to fail, and say why.
fn refused(command: &mut Command, reason: &str) -> Result<()> {
    let output = command.output().context("cannot start helm")?;
    let told = String::from_utf8_lossy(&output.stderr);
    if output.status.success() {
        bail!("{command:?} was not refused");
    }
    ensure!(told.contains(reason), "{command:?} does not say {reason:?}: {told}");
    Ok(())
}

/// Of `tools/go/helm/go.mod`.
const VERSION: &str = "v4.3.1";
const CHART: &str = "deploy/helm/rolecall";
/// Where the manifests are.
pub(crate) const MANIFESTS: &str = "deploy/manifests/rolecall-controller.yaml";
const IMAGE: &str = "--set=image.repository=registry.example/rolecall-controller";
const HEADER: &str = "# The controller, alone in its cluster: one replica, and the least role that it can do its work with.
# Beside External Secrets Operator take beside-eso/ too. Made of the chart by cargo xtask gen.
";
/// Values that people set.
const RENDERED: [&[&str]; 10] = [
    &[],
    &["--set=serviceMonitor.enabled=true", "--set=prometheusRule.enabled=true"],
    &["--set=replicaCount=3", "--set=ambientIdentity=all"],
    &["--set=leaderElect=false"],
    &["--set=scopedNamespaces={chart,default}", "--set=tokenNamespaces={chart}"],
    &["--set=networkPolicy.enabled=true", "--set=metrics.service.enabled=true"],
    &["--set=grafanaDashboard.enabled=true"],
    &[
        "--set=caBundle.configMapName=ca",
        "--set=aws.stsEndpoint=https://sts.internal",
        "--set=proxy.https=http://proxy:3128",
    ],
    &[
        "--set=webhook.create=false",
        "--set=certController.create=false",
        "--set=processPushSecret=false",
        "--set=concurrent=5",
    ],
    &[
        "--set=observe=true",
        "--set=image.digest=sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ],
];
/// Values that cannot be, and what is said of them.
const REFUSED: [(&[&str], &str); 4] = [
    (&[], "image.repository is required"),
    (&[IMAGE, "--set=replicaCount=2", "--set=leaderElect=false"], "needs leaderElect=true"),
    (&[IMAGE, "--set=ambientIdentities=all"], "ambientIdentities"),
    (&[IMAGE, "--set=scopedRBAC=true"], "scopedRBAC needs a namespace"),
];

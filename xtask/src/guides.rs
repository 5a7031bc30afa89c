//! The pages of `docs/guides`, as somebody would follow them: every command, in its order.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::helm::Helm;
use crate::plane::Plane;
use crate::tools::{cargo, root, run, say, target};

/// A page, and what of it is not run, by how it begins.
pub(crate) struct Page {
    pub(crate) file: &'static str,
    pub(crate) skipped: &'static [(&'static str, &'static str)],
}

/// Runs every command of a page.
pub(crate) fn run_page(page: &Page, shell: impl Fn(&str) -> Result<Command>) -> Result<()> {
    let text = std::fs::read_to_string(root().join("docs/guides").join(page.file))?;
    let (mut count, mut block) = (0, None);
    for line in text.lines().map(str::trim) {
        match (line.strip_prefix("```"), block) {
            (Some(kind), None) => block = Some(kind == "sh"),
            (Some(_), Some(_)) => block = None,
            (None, Some(true))
                if !page.skipped.iter().any(|(start, _)| line.starts_with(start)) =>
            {
                say(&format!("$ {line}"));
                run(&mut shell(line)?).with_context(|| page.file)?;
                count += 1;
            }
            _ => {}
        }
    }
    for (start, why) in page.skipped {
        say(&format!("not run: {start} ({why})"));
    }
    say(&format!("{}: {count} commands", page.file));
    ensure!(count > 2, "{} has {count} commands only", page.file);
    Ok(())
}

/// A shell in which our programs, kubectl and helm are found, for the administrator of a cluster.
pub(crate) fn shell(plane: &Plane, helm: &Helm, line: &str) -> Result<Command> {
    let kubectl = plane.kubectl_path();
    let tools = kubectl.parent().context("kubectl has no folder")?;
    let programs = target()?.join("debug");
    let folders = [tools, programs.as_path(), helm.folder()].map(|it| it.display().to_string());
    let mut shell = Command::new("sh");
    shell.args(["-e", "-c", line]).current_dir(root());
    shell.env("PATH", format!("{}:/usr/bin:/bin", folders.join(":")));
    shell.env("KUBECONFIG", plane.kubeconfig()).env("HOME", &plane.folder);
    shell.env("IMAGE", "registry.example/rolecall-controller");
    Ok(shell)
}

/// The installation, and the way from ESO, each on a control plane of its own.
pub(crate) fn judge_guides(folder: &Path, helm: &Helm) -> Result<()> {
    run(&mut cargo(&["build", "--locked", "--package", "rolecall-controller"]))?;
    let mut plane = Plane::start(&folder.join("install"))?;
    plane.start_controller_manager()?;
    run_on(&plane, helm, &INSTALL, "")?;
    drop(plane);
    let mut plane = Plane::start(&folder.join("from-eso"))?;
    plane.start_controller_manager()?;
    from_eso(&plane, helm)
}

fn run_on(plane: &Plane, helm: &Helm, page: &Page, eso: &str) -> Result<()> {
    run_page(page, |line| {
        let mut shell = shell(plane, helm, line)?;
        shell.env("ESO_CHART", eso);
        Ok(shell)
    })
}

/// A cluster with ESO's CRDs as templates of a chart, an ExternalSecret, and a Secret that it owns: all
/// of it is there at the end.
fn from_eso(plane: &Plane, helm: &Helm) -> Result<()> {
    let chart = esos_chart(&plane.folder)?;
    let run_line = |line: &str| -> Result<()> {
        let mut shell = shell(plane, helm, line)?;
        run(shell.env("ESO_CHART", &chart))
    };
    run_line(
        "helm install external-secrets $ESO_CHART --namespace external-secrets --create-namespace --set webhook=false",
    )?;
    plane.ask(&["wait", "--for=condition=Established", "crds", "--all"])?;
    plane.ask(&["create", "namespace", "team-a"])?;
    let object = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "metadata": {"name": "reader", "namespace": "team-a"},
        "spec": {"dataFrom": [{"sourceRef": {"generatorRef": {"kind": "STSSessionToken", "name": "reader"}}}]}});
    apply(plane, &object)?;
    let uid = || plane.field("externalsecret/reader", "team-a", "{.metadata.uid}");
    let made = uid()?;
    let owner = json!([{"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
        "name": "reader", "uid": made, "controller": true, "blockOwnerDeletion": true}]);
    apply(
        plane,
        &json!({"apiVersion": "v1", "kind": "Secret", "stringData": {"key": "value"},
        "metadata": {"name": "reader", "namespace": "team-a", "ownerReferences": owner}}),
    )?;
    run_line(
        "helm upgrade external-secrets $ESO_CHART --namespace external-secrets --set webhook=true",
    )?;
    run_on(plane, helm, &FROM_ESO, &chart.display().to_string())?;
    ensure!(uid()? == made, "the ExternalSecret was lost");
    let kept = plane.field("secret/reader", "team-a", "{.data.key}")?;
    ensure!(kept == "dmFsdWU=", "the Secret was lost");
    let crds = ["get", "crd", "stsassumeroletokens.generators.external-secrets.io", "-o", "name"];
    plane.ask(&crds)?;
    say("from ESO to rolecall and back: nothing was lost");
    Ok(())
}

fn apply(plane: &Plane, document: &Value) -> Result<()> {
    let file = plane.folder.join("object.json");
    std::fs::write(&file, document.to_string())?;
    plane.ask(&["apply", "-f", &file.display().to_string()])?;
    Ok(())
}

/// A chart with what the guide touches of ESO's: CRDs as templates under two values, three Deployments
/// and two webhooks of the known names.
fn esos_chart(folder: &Path) -> Result<PathBuf> {
    let chart = folder.join("external-secrets");
    std::fs::create_dir_all(chart.join("templates"))?;
    std::fs::create_dir_all(chart.join("files"))?;
    std::fs::write(
        chart.join("Chart.yaml"),
        "apiVersion: v2\nname: external-secrets\nversion: 2.9.0\n",
    )?;
    std::fs::write(
        chart.join("values.yaml"),
        "installCRDs: true\nwebhook: true\ncrds: {annotations: {}}\n",
    )?;
    let schema = root().join("crates/controller/tests/data/eso-schema.json");
    std::fs::copy(schema, chart.join("files/crds.json"))?;
    std::fs::write(chart.join("templates/crds.yaml"), CRDS)?;
    std::fs::write(chart.join("templates/rest.yaml"), REST)?;
    Ok(chart)
}

/// The guide to the cluster, with a controller that runs.
pub(crate) const CLUSTER: Page =
    Page { file: "cluster.md", skipped: &[("kubectl rollout status", NO_NODE)] };
/// What to do when something is wrong, in the same cluster.
pub(crate) const OPERATE: Page = Page { file: "operate.md", skipped: &[("kubectl logs", NO_NODE)] };
const INSTALL: Page = Page { file: "install.md", skipped: &[("kubectl rollout status", NO_NODE)] };
const FROM_ESO: Page = Page { file: "from-eso.md", skipped: &[("kubectl logs", NO_NODE)] };
const NO_NODE: &str = "no node of this cluster runs a pod";
const CRDS: &str = r#"{{- if .Values.installCRDs }}
{{- range $name, $crd := .Files.Get "files/crds.json" | fromJson }}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: {{ $name }}
  annotations:
    {{- toYaml $.Values.crds.annotations | nindent 4 }}
spec: {{ toJson $crd.spec }}
{{- end }}
{{- end }}
"#;
const REST: &str = r#"{{- range list "" "-webhook" "-cert-controller" }}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: external-secrets{{ . }}, namespace: {{ $.Release.Namespace }}}
spec:
  selector: {matchLabels: {app: external-secrets{{ . }}}}
  template:
    metadata: {labels: {app: external-secrets{{ . }}}}
    spec: {containers: [{name: main, image: registry.example/eso}]}
{{- end }}
{{- if .Values.webhook }}
{{- range $name, $resource := dict "externalsecret-validate" "externalsecrets" "secretstore-validate" "secretstores" }}
---
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: {{ $name }}}
webhooks:
- name: validate.{{ $resource }}.external-secrets.io
  clientConfig: {service: {name: external-secrets-webhook, namespace: {{ $.Release.Namespace }}}}
  rules: [{apiGroups: [external-secrets.io], apiVersions: [v1], operations: [CREATE, UPDATE, DELETE], resources: [{{ $resource }}]}]
  sideEffects: None
  admissionReviewVersions: [v1]
{{- end }}
{{- end }}
"#;

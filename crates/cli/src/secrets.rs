//! `generate -o secret`: runs ExternalSecrets, and gives the Kubernetes Secrets they would write.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use rolecall_engine::grant::{ExternalSecret, GeneratorKind, Grant};
use rolecall_engine::output::generator_keys;
use rolecall_engine::plan::Plan;
use rolecall_engine::render::{SecretObject, Text, rewrite};
use rolecall_engine::session::Issued;
use rolecall_engine::violation::Violations;

use crate::args::GrantChoiceArgs;
use crate::choice::choose;
use crate::documents::Documents;
use crate::door::Door;
use crate::grants::{Asked, Planned, plan_all};
use crate::inputs::Inputs;
use crate::report::Failure;
use crate::settings::Settings;

/// The ExternalSecrets that were chosen, and the plans of their entries one after the other.
#[derive(Debug)]
pub(crate) struct PlannedSecrets {
    external_secrets: Vec<ExternalSecret>,
    pub(crate) grants: Vec<(Grant, Plan)>,
    pub(crate) inputs: Arc<Inputs>,
}

/// Reads the files, chooses the ExternalSecrets and plans the generators that they name.
pub(crate) async fn plan_secrets(
    files: &[PathBuf],
    choice: &GrantChoiceArgs,
    settings: &Settings,
    door: &Door,
) -> Result<PlannedSecrets, Failure> {
    let mut violations = door.problems();
    let documents = Documents::read(files, door.dialect, &mut violations);
    violations.extend(documents.faults_of_external_secrets);
    let all = documents.external_secrets;
    if all.is_empty() && violations.is_empty() {
        return Err(Failure::usage("the files hold no ExternalSecret")
            .hint("-o secret runs ExternalSecrets; -o keys, json and yaml run generators"));
    }
    let chosen = match choose(all, choice.name.as_deref(), full_name, ExternalSecret::KIND) {
        Err(failure) if violations.is_empty() => return Err(failure),
        chosen => chosen.unwrap_or_default(),
    };
    let mut asked = Vec::new();
    for external_secret in &chosen {
        for warning in &external_secret.warnings {
            door.terminal.warn(&format!("{}: {warning}", full_name(external_secret)));
        }
        asked.extend(entries_of(external_secret, &documents.grants, &mut violations));
    }
    let planned = plan_all(asked, documents.inputs, choice, settings, door, violations).await?;
    let Planned { grants, inputs } = planned;
    Ok(PlannedSecrets { external_secrets: chosen, grants, inputs })
}

impl PlannedSecrets {
    /// The Secrets, from what the plans gave, in their order.
    pub(crate) fn render(
        &self,
        issued: Vec<Issued>,
        door: &Door,
    ) -> Result<Vec<SecretObject>, Failure> {
        let mut issued = issued.into_iter();
        let mut secrets = Vec::new();
        for asked in &self.external_secrets {
            let mut parts: Vec<BTreeMap<_, _>> = Vec::new();
            for (index, (entry, issued)) in asked.entries.iter().zip(issued.by_ref()).enumerate() {
                let keys = generator_keys(&issued);
                let keys = keys.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
                let place = format!("{} spec.dataFrom[{index}]", full_name(asked));
                let rewritten = rewrite(keys, &entry.rewrites).map_err(|error| {
                    Failure::usage(format!("{place}: the keys cannot be rewritten"))
                        .cause(error.to_string())
                        .hint(error.hint())
                })?;
                for warning in &rewritten.warnings {
                    door.terminal.warn(&format!("{place}: {warning}"));
                }
                parts.push(rewritten.keys);
            }
            secrets.push(SecretObject::new(asked, parts));
        }
        Ok(secrets)
    }
}

/// The generators of an ExternalSecret; each acts in its namespace, under its name.
fn entries_of(
    external_secret: &ExternalSecret,
    grants: &[Grant],
    violations: &mut Violations,
) -> Vec<Asked> {
    let mut asked = Vec::new();
    for (index, entry) in external_secret.entries.iter().enumerate() {
        let (generator, namespace) = (&entry.generator, &external_secret.namespace);
        let found = grants.iter().find(|grant| generator.names(grant, namespace));
        let Some(grant) = found else {
            let path = format!(
                "{} spec.dataFrom[{index}].sourceRef.generatorRef",
                full_name(external_secret)
            );
            let place = match generator.kind {
                GeneratorKind::Cluster => String::new(),
                _ => format!(" in namespace {namespace}"),
            };
            let (kind, name) = (generator.kind, &generator.name);
            let problem = format!("there is no {kind} {name}{place} among the documents");
            let hint = "add it to the files given with -f; only a ClusterGenerator is found from \
                        another namespace";
            violations.push_with_hint(path, problem, hint);
            continue;
        };
        // Keys are known before any call, and so is what becomes of them.
        let keys = grant.ask.output_keys().iter().map(|key| ((*key).to_owned(), Text::default()));
        if let Err(error) = rewrite(keys.collect(), &entry.rewrites) {
            let path = format!("{} spec.dataFrom[{index}].rewrite", full_name(external_secret));
            violations.push_with_hint(path, &error, error.hint());
        }
        let mut grant = grant.clone();
        grant.namespace.clone_from(namespace);
        asked.push(Asked { grant, session_name: external_secret.session_name() });
    }
    asked
}

fn full_name(external_secret: &ExternalSecret) -> String {
    format!("{}/{}", external_secret.namespace, external_secret.name)
}

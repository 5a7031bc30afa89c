//! ExternalSecrets: what is asked of their generators, and the Secrets that come of it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rolecall_engine::grant::{CreationPolicy, Entry, ExternalSecret, GeneratorKind, Grant};
use rolecall_engine::output::generator_keys;
use rolecall_engine::plan::Plan;
use rolecall_engine::ports::Clock;
use rolecall_engine::render::{
    Existing, RenderErrors, Rendered, Renderer, SecretObject, Text, rewrite,
};
use rolecall_engine::session::Issued;
use rolecall_engine::violation::Violations;

use crate::args::GrantChoiceArgs;
use crate::choice::choose;
use crate::clock::SystemClock;
use crate::documents::Documents;
use crate::door::Door;
use crate::grants::{Asked, Planned, plan_all};
use crate::inputs::Inputs;
use crate::report::Failure;
use crate::settings::Settings;
use crate::terminal::Terminal;

/// The ExternalSecrets that were chosen, and the plans of their entries one after the other.
#[derive(Debug)]
pub(crate) struct PlannedSecrets {
    renderers: Vec<Renderer>,
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
    let mut documents = Documents::read(files, door.dialect, &mut violations);
    documents.inputs.secrets_dir.clone_from(&choice.secrets_dir);
    let chosen = choose_secrets(&mut documents, choice.name.as_deref(), &mut violations)?;
    let mut asked = Vec::new();
    let mut renderers = Vec::new();
    for external_secret in chosen {
        warn(&external_secret, door.terminal);
        let found = entries_of(&external_secret, &documents.grants, &mut violations);
        let keys = keys_after_rewrite(&external_secret, &found, &mut violations);
        renderers.extend(renderer(external_secret, &documents.inputs, keys, &mut violations));
        asked.extend(found.into_iter().flatten());
    }
    let planned = plan_all(asked, documents.inputs, choice, settings, door, violations).await?;
    let Planned { grants, inputs } = planned;
    Ok(PlannedSecrets { renderers, grants, inputs })
}

/// The ExternalSecrets of the files, or the one of that name; their faults are told with the others.
pub(crate) fn choose_secrets(
    documents: &mut Documents,
    name: Option<&str>,
    violations: &mut Violations,
) -> Result<Vec<ExternalSecret>, Failure> {
    violations.extend(std::mem::take(&mut documents.faults_of_external_secrets));
    let all = std::mem::take(&mut documents.external_secrets);
    if all.is_empty() && violations.is_empty() {
        return Err(Failure::usage("the files hold no ExternalSecret").hint(
            "it is a document of kind ExternalSecret; generate -o keys runs a generator alone",
        ));
    }
    match choose(all, name, full_name, ExternalSecret::KIND) {
        Err(failure) if violations.is_empty() => Err(failure),
        chosen => Ok(chosen.unwrap_or_default()),
    }
}

/// What a person should know of the document though nothing is wrong.
pub(crate) fn warn(external_secret: &ExternalSecret, terminal: Terminal) {
    for warning in &external_secret.warnings {
        terminal.warn(&format!("{}: {warning}", full_name(external_secret)));
    }
    if external_secret.target.creation_policy == CreationPolicy::None {
        let name = full_name(external_secret);
        let warning = "its creationPolicy is None, and a controller writes no Secret for it";
        terminal.warn(&format!("{name}: {warning}"));
    }
}

/// The renderer, with every fault that is seen before there is a value; `keys` are those there will
/// be, where they are known.
pub(crate) fn renderer(
    external_secret: ExternalSecret,
    inputs: &Inputs,
    keys: Option<BTreeSet<String>>,
    violations: &mut Violations,
) -> Option<Renderer> {
    let name = full_name(&external_secret);
    let objects = inputs.objects_for(&external_secret);
    let checked = Renderer::new(external_secret, &objects).and_then(|renderer| match keys {
        Some(keys) => renderer.check(|key| keys.contains(key)).map(|()| renderer),
        None => Ok(renderer),
    });
    match checked {
        Ok(renderer) => Some(renderer),
        Err(errors) => {
            for located in errors.iter() {
                let path = format!("{name} {}", located.path);
                violations.push_with_hint(path, &located.error, located.error.hint());
            }
            None
        }
    }
}

impl PlannedSecrets {
    /// The Secrets, from what the plans gave, in their order.
    pub(crate) fn render(
        &self,
        issued: Vec<Issued>,
        door: &Door,
    ) -> Result<Vec<SecretObject>, Failure> {
        let now = SystemClock.now();
        let mut issued = issued.into_iter();
        let mut secrets = Vec::new();
        for renderer in &self.renderers {
            let issued = issued.by_ref().take(renderer.asked().entries.len());
            let keys = issued.map(|issued| {
                let keys = generator_keys(&issued).into_iter();
                keys.map(|(key, value)| (key.to_owned(), value)).collect()
            });
            let rendered = render(renderer, keys.collect(), None, now, door.terminal)?;
            secrets.push(rendered.secret);
        }
        Ok(secrets)
    }
}

/// Renames the keys of each entry, and renders the Secret from them.
pub(crate) fn render(
    renderer: &Renderer,
    keys: Vec<Vec<(String, Text)>>,
    existing: Option<&Existing>,
    now: Timestamp,
    terminal: Terminal,
) -> Result<Rendered, Failure> {
    let asked = renderer.asked();
    let mut parts: Vec<BTreeMap<_, _>> = Vec::new();
    for (index, (entry, keys)) in asked.entries.iter().zip(keys).enumerate() {
        let place = format!("{} spec.dataFrom[{index}]", full_name(asked));
        let rewritten = rewrite(keys, &entry.rewrites, now).map_err(|error| {
            Failure::usage(format!("{place}: the keys cannot be rewritten"))
                .cause(error.to_string())
                .hint(error.hint())
        })?;
        for warning in &rewritten.warnings {
            terminal.warn(&format!("{place}: {warning}"));
        }
        parts.push(rewritten.keys);
    }
    renderer.render(parts, existing, now).map_err(|errors| failure(asked, &errors))
}

fn failure(asked: &ExternalSecret, errors: &RenderErrors) -> Failure {
    let summary = format!("{}: could not apply template", full_name(asked));
    errors.iter().fold(Failure::usage(summary), |failure, located| {
        let problem = format!("{}: {}", located.path, located.error);
        failure.problem(problem).hint(format!("{}: {}", located.path, located.error.hint()))
    })
}

/// The generators of an ExternalSecret, one for each entry; each acts in its namespace, under its
/// name.
fn entries_of(
    external_secret: &ExternalSecret,
    grants: &[Grant],
    violations: &mut Violations,
) -> Vec<Option<Asked>> {
    let mut asked = Vec::new();
    for (index, entry) in external_secret.entries.iter().enumerate() {
        let Some(grant) = find_grant(external_secret, entry, grants) else {
            push_missing(external_secret, index, entry, violations);
            asked.push(None);
            continue;
        };
        let mut grant = grant.clone();
        grant.namespace.clone_from(&external_secret.namespace);
        asked.push(Some(Asked { grant, session_name: external_secret.session_name() }));
    }
    asked
}

/// The generator that an entry names.
pub(crate) fn find_grant<'a>(
    external_secret: &ExternalSecret,
    entry: &Entry,
    grants: &'a [Grant],
) -> Option<&'a Grant> {
    grants.iter().find(|grant| entry.generator.names(grant, &external_secret.namespace))
}

/// Says that the generator of an entry is not among the documents.
pub(crate) fn push_missing(
    external_secret: &ExternalSecret,
    index: usize,
    entry: &Entry,
    violations: &mut Violations,
) {
    let (generator, namespace) = (&entry.generator, &external_secret.namespace);
    let path =
        format!("{} spec.dataFrom[{index}].sourceRef.generatorRef", full_name(external_secret));
    let place = match generator.kind {
        GeneratorKind::Cluster => String::new(),
        _ => format!(" in namespace {namespace}"),
    };
    let (kind, name) = (generator.kind, &generator.name);
    let problem = format!("there is no {kind} {name}{place} among the documents");
    let hint = "add it to the files given with -f; only a ClusterGenerator is found from another \
                namespace";
    violations.push_with_hint(path, problem, hint);
}

/// The keys that there will be, where every generator is known: they are known before any call, and
/// so is what becomes of them.
fn keys_after_rewrite(
    external_secret: &ExternalSecret,
    asked: &[Option<Asked>],
    violations: &mut Violations,
) -> Option<BTreeSet<String>> {
    let mut all = Some(BTreeSet::new());
    for (index, (entry, asked)) in external_secret.entries.iter().zip(asked).enumerate() {
        let Some(asked) = asked else {
            all = None;
            continue;
        };
        let keys = asked.grant.ask.output_keys().iter();
        let keys = keys.map(|key| ((*key).to_owned(), Text::default())).collect();
        match rewrite(keys, &entry.rewrites, SystemClock.now()) {
            Ok(rewritten) => {
                if let Some(all) = &mut all {
                    all.extend(rewritten.keys.into_keys());
                }
            }
            Err(error) => {
                let name = full_name(external_secret);
                let path = format!("{name} spec.dataFrom[{index}].rewrite");
                violations.push_with_hint(path, &error, error.hint());
                all = None;
            }
        }
    }
    all
}

pub(crate) fn full_name(external_secret: &ExternalSecret) -> String {
    format!("{}/{}", external_secret.namespace, external_secret.name)
}

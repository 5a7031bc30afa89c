//! `rolecall-controller release`: before an uninstall, so that no deletion waits for a controller that
//! is gone, and no Secret goes with its ExternalSecret.

use std::collections::HashMap;

use anyhow::Context as _;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use rolecall_engine::render::created_by;
use serde_json::{Value, json};

use crate::api_error::{ApiProblem, problem_of};
use crate::args::ReleaseArgs;
use crate::object::{FINALIZER, MANAGER, STATUS_MANAGER, external_secrets};
use crate::world::{CREATED_BY, MANAGED};

/// What was done.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Released {
    /// ExternalSecrets that this controller had written.
    pub objects: usize,
    /// Finalizers that were taken off.
    pub finalizers: usize,
    /// Secrets that have no owner any more.
    pub secrets: usize,
}

/// Takes marks off objects until nothing of this controller holds them; `tell` gets a line for each.
///
/// What is done already is not done again, and what changes meanwhile is looked at once more.
///
/// # Errors
///
/// When the API server does not answer, or does not allow it.
pub async fn release(
    client: &Client,
    args: &ReleaseArgs,
    mut tell: impl FnMut(&str),
) -> anyhow::Result<Released> {
    let mut released = Released::default();
    let namespaces: Vec<&str> = match args.namespace.as_slice() {
        [] => vec![""],
        some => some.iter().map(String::as_str).collect(),
    };
    for namespace in namespaces {
        let kind = external_secrets();
        let api: Api<DynamicObject> = match namespace {
            "" => Api::all_with(client.clone(), &kind),
            one => Api::namespaced_with(client.clone(), one, &kind),
        };
        let objects = api.list(&ListParams::default()).await;
        let objects = objects.map_err(|error| told("list ExternalSecrets", &error))?;
        let mut owned = secrets_by_owner(client, namespace).await?;
        for object in objects.items.into_iter().filter(was_written) {
            released.objects += 1;
            let place = format!("{}/{}", object.namespace().unwrap_or_default(), object.name_any());
            let owner = (object.namespace().unwrap_or_default(), object.uid().unwrap_or_default());
            for name in owned.remove(&owner).unwrap_or_default() {
                disown(client, &object, &name).await?;
                tell(&format!("Secret {name} of {place}: its owner is taken off"));
                released.secrets += 1;
            }
            if take_finalizer(client, object).await? {
                tell(&format!("ExternalSecret {place}: its finalizer is taken off"));
                released.finalizers += 1;
            }
        }
    }
    Ok(released)
}

/// Whether this controller has written the object.
fn was_written(object: &DynamicObject) -> bool {
    let entries = object.metadata.managed_fields.iter().flatten();
    let mut managers = entries.filter_map(|entry| entry.manager.as_deref());
    managers.any(|manager| manager == STATUS_MANAGER || manager == MANAGER)
}

/// The names of Secrets with an owner, by namespace and the owner's UID.
async fn secrets_by_owner(
    client: &Client,
    namespace: &str,
) -> anyhow::Result<HashMap<(String, String), Vec<String>>> {
    let api: Api<Secret> = match namespace {
        "" => Api::all(client.clone()),
        one => Api::namespaced(client.clone(), one),
    };
    let ours = ListParams::default().labels(&format!("{MANAGED}=true"));
    // Metadata alone: no value is asked for.
    let found = api.list_metadata(&ours).await.map_err(|error| told("list Secrets", &error))?;
    let mut owned: HashMap<_, Vec<String>> = HashMap::new();
    for secret in found.items {
        let (namespace, name) = (secret.namespace().unwrap_or_default(), secret.name_any());
        for owner in secret.metadata.owner_references.into_iter().flatten() {
            owned.entry((namespace.clone(), owner.uid)).or_default().push(name.clone());
        }
    }
    Ok(owned)
}

/// Takes the reference and the label of the owner off a Secret.
async fn disown(client: &Client, object: &DynamicObject, name: &str) -> anyhow::Result<()> {
    let (api, uid) = (secrets(client, object), object.uid());
    for _ in 0..MOST_TRIES {
        let found =
            api.get_metadata_opt(name).await.map_err(|error| told("read a Secret", &error))?;
        let Some(secret) = found else { return Ok(()) };
        let owners = secret.metadata.owner_references.unwrap_or_default();
        let others: Vec<Value> = owners
            .iter()
            .filter(|owner| Some(&owner.uid) != uid.as_ref())
            .filter_map(|owner| serde_json::to_value(owner).ok())
            .collect();
        let mut patch = json!({"metadata": {
            "resourceVersion": secret.metadata.resource_version,
            "ownerReferences": others,
        }});
        let mark = secret.metadata.labels.as_ref().and_then(|labels| labels.get(CREATED_BY));
        let ours = created_by(&object.namespace().unwrap_or_default(), &object.name_any());
        if mark == Some(&ours) {
            patch["metadata"]["labels"] = json!({CREATED_BY: null});
        }
        match api.patch_metadata(name, &parameters(), &Patch::Merge(&patch)).await {
            Ok(_) => return Ok(()),
            Err(error) => match problem_of(&error) {
                ApiProblem::NotFound => return Ok(()),
                ApiProblem::Conflict => {}
                _ => return Err(told(&format!("take the owner off Secret {name}"), &error)),
            },
        }
    }
    anyhow::bail!("Secret {name} is written again and again: run it once more")
}

/// Takes the finalizer off; whether it was there.
async fn take_finalizer(client: &Client, mut object: DynamicObject) -> anyhow::Result<bool> {
    let (name, namespace) = (object.name_any(), object.namespace().unwrap_or_default());
    let api: Api<DynamicObject> =
        Api::namespaced_with(client.clone(), &namespace, &external_secrets());
    for _ in 0..MOST_TRIES {
        let finalizers = object.finalizers().iter().filter(|it| *it != FINALIZER);
        let others: Vec<&String> = finalizers.collect();
        if others.len() == object.finalizers().len() {
            return Ok(false);
        }
        let patch = json!({"metadata": {
            "resourceVersion": object.metadata.resource_version,
            "finalizers": others,
        }});
        match api.patch(&name, &parameters(), &Patch::Merge(&patch)).await {
            Ok(_) => return Ok(true),
            Err(error) => match problem_of(&error) {
                ApiProblem::NotFound => return Ok(true),
                ApiProblem::Conflict => {}
                _ => {
                    return Err(told(
                        &format!("take the finalizer off {namespace}/{name}"),
                        &error,
                    ));
                }
            },
        }
        // By a list, which the controller's own role allows too.
        let only = ListParams::default().fields(&format!("metadata.name={name}"));
        let again = api.list(&only).await;
        let mut again = again.map_err(|error| told("read an ExternalSecret", &error))?;
        match again.items.pop() {
            Some(found) => object = found,
            None => return Ok(true),
        }
    }
    anyhow::bail!("ExternalSecret {namespace}/{name} is written again and again: run it once more")
}

fn secrets(client: &Client, object: &DynamicObject) -> Api<Secret> {
    Api::namespaced(client.clone(), &object.namespace().unwrap_or_default())
}

fn parameters() -> PatchParams {
    PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() }
}

fn told(what: &str, error: &kube::Error) -> anyhow::Error {
    let problem = problem_of(error);
    let hint = match problem {
        ApiProblem::Forbidden => {
            "; name the namespaces that this role reaches, --namespace=a,b, or ask as an administrator"
        }
        _ => "",
    };
    anyhow::anyhow!("could not {what}: {problem}{hint}")
}

/// Runs it for the cluster of the kubeconfig or of the pod, and prints what was done.
///
/// # Errors
///
/// As [`release`].
pub async fn run(args: ReleaseArgs) -> anyhow::Result<()> {
    use std::io::Write as _;
    let mut config = kube::Config::infer().await.context(crate::run::NO_CLUSTER)?;
    config.proxy_url = None;
    let client = Client::try_from(config).context("cannot make a client of the API server")?;
    let mut out = std::io::stdout();
    let released = release(&client, &args, |line| drop(writeln!(out, "{line}"))).await?;
    let Released { objects, finalizers, secrets } = released;
    writeln!(
        std::io::stdout(),
        "{objects} ExternalSecrets of this controller: {finalizers} finalizers and {secrets} owners taken off"
    )?;
    Ok(())
}

/// How often an object is looked at that somebody else writes too.
const MOST_TRIES: usize = 10;

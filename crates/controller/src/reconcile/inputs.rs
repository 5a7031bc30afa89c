//! Looking at the target and at the generators.

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::api::{Api, ObjectMeta, PartialObjectMeta};
use rolecall_engine::plan::SourceSpec;

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::failure::{Failure, KUBERNETES, Reason};
use crate::object::Key;
use crate::schedule::Life;
use crate::seen::{Inputs, Target, Wanted};
use crate::world::{Input, StoredTarget};

impl Run<'_> {
    /// The key of the Secret that is asked for.
    pub(super) fn target_key(&self) -> Key {
        let name = self.asked.as_ref().map_or(self.key.name.as_str(), |asked| &asked.target.name);
        Key::new(&self.key.namespace, name)
    }

    pub(super) fn secrets(&self) -> Api<Secret> {
        Api::namespaced(self.on.client.clone(), &self.key.namespace)
    }

    /// By the watch where it is there: losing its label looks like its end, so then it is read.
    pub(super) async fn read_target(&mut self) {
        let key = self.target_key();
        self.used.insert(Input::Target(key.clone()));
        if self.used.len() == 1 {
            // The generators are looked at later, or not at all.
            self.on.world.also_uses(&self.key, Input::Target(key.clone()));
        }
        let owned = self.on.world.owned_by(&self.key);
        self.seen.orphans = owned.into_iter().filter(|name| *name != key.name).collect();
        let known = self.on.world.target(&key).filter(|_| self.conflicts == 0);
        if let Some(stored) = known {
            self.is_there(&stored);
            return self.find_ends().await;
        }
        let permit = self.on.requests.acquire(self.seen.past.synced.is_none()).await;
        let read = self.secrets().get_opt(&key.name).await;
        drop(permit);
        match read {
            Ok(None) => self.seen.target = Target::Absent,
            Ok(Some(secret)) => {
                self.is_there(&StoredTarget::of(&secret));
                self.find_ends().await;
            }
            Err(error) => {
                let problem = problem_of(&error);
                let message = format!("could not read Secret {}: {problem}", key.name);
                let reason = match problem {
                    ApiProblem::Forbidden => Reason::AccessDenied,
                    _ => Reason::Unavailable,
                };
                let now = self.on.clock.now();
                let failure = Failure::new(reason, KUBERNETES, message, now);
                let failure = failure.after(self.seen.past.failure.as_ref());
                self.seen.target = Target::Unreadable(failure);
            }
        }
    }

    /// The Secret is there: it is what the object is bound to, whatever becomes of this pass.
    fn is_there(&mut self, stored: &StoredTarget) {
        self.seen.target = Target::Present(stored.facts(&self.key.name));
        let past = &mut self.seen.past;
        if let (true, Some((ends, renewal)), Some(synced)) =
            (past.lives.is_empty(), stored.times, &past.synced)
        {
            past.lives = vec![Life { issued: synced.at.min(ends), ends }];
            past.renewal = Some(renewal);
        }
        self.state.binding = Some(self.target_key().name);
        self.is_to_convert = stored.is_updated_for(&self.key.name);
    }

    pub(super) async fn read_inputs(&mut self) {
        let Some(asked) = self.asked.clone() else { return };
        let now = self.on.clock.now();
        let planned = self.on.planner.plan(&asked, &self.on.world, &mut self.used, now);
        self.on.world.uses(&self.key, &self.used);
        match planned {
            Ok(planned) => {
                let sharers = self.on.world.sharers(&planned.inputs);
                let looks =
                    self.seen.past.failure.as_ref().is_some_and(|it| it.reason.looks_at_key());
                let key_version = if looks { self.key_version(&planned.plans).await } else { None };
                if let Wanted::Secret(spec) = &mut self.seen.wanted {
                    spec.has_both_auths = planned.has_both_auths;
                }
                let plan = planned.digest.clone();
                let is_other = self.seen.past.plan.as_ref().is_some_and(|stored| *stored != plan);
                if is_other {
                    self.seen.past.other_plan_since.get_or_insert(now);
                } else {
                    self.seen.past.other_plan_since = None;
                }
                self.seen.inputs =
                    Inputs::Ready { plan, sharers, key_version: key_version.clone() };
                let asking = self.seen.asking();
                if let Some(failure) = &mut self.seen.past.failure {
                    // One that an earlier process left was of what is there now.
                    failure.asking.get_or_insert(asking);
                    failure.key_version = failure.key_version.take().or(key_version);
                }
                self.planned = Some(planned);
            }
            Err(mut failure) => {
                self.seen.inputs = Inputs::Failed(failure.clone());
                failure.asking = Some(self.seen.asking());
                let failure = failure.after(self.seen.past.failure.as_ref());
                self.seen.inputs = Inputs::Failed(failure);
            }
        }
    }

    /// The Secrets with keys that are not there.
    pub(super) async fn missing_keys(&self, plans: &[rolecall_engine::plan::Plan]) -> Vec<String> {
        let mut names = key_secrets(plans);
        names.sort_unstable();
        names.dedup();
        let mut missing = Vec::new();
        for name in names {
            if let Ok(None) = self.secrets().get_metadata_opt(name).await {
                missing.push(format!("{}/{name}", self.key.namespace));
            }
        }
        missing
    }

    /// What the key Secrets of these plans are, and what templates come from: their UIDs and versions,
    /// or that they are not there. No watch shows them.
    pub(super) async fn key_version(
        &self,
        plans: &[rolecall_engine::plan::Plan],
    ) -> Option<String> {
        let mut names = key_secrets(plans);
        let template = self.asked.as_ref().and_then(|asked| asked.target.template.as_ref());
        let from = template.map(|template| template.from.as_slice()).unwrap_or_default();
        names.extend(from.iter().filter_map(|it| Some(it.secret.as_ref()?.name.as_str())));
        names.sort_unstable();
        names.dedup();
        let mut version = String::new();
        for name in from.iter().filter_map(|it| Some(it.config_map.as_ref()?.name.as_str())) {
            let api: Api<ConfigMap> = Api::namespaced(self.on.client.clone(), &self.key.namespace);
            let found = api.get_opt(name).await.ok()?;
            version.push_str(&stamp(name, found.map(|found| found.metadata)));
        }
        for name in names {
            let read: Result<Option<PartialObjectMeta<Secret>>, _> =
                self.secrets().get_metadata_opt(name).await;
            version.push_str(&stamp(name, read.ok()?.map(|found| found.metadata)));
        }
        (!version.is_empty()).then_some(version)
    }
}

/// The Secrets that hold the keys of these plans.
fn key_secrets(plans: &[rolecall_engine::plan::Plan]) -> Vec<&str> {
    let keys = plans.iter().filter_map(|plan| match &plan.source {
        SourceSpec::Secret { keys, .. } => Some(keys),
        _ => None,
    });
    let references = keys.flat_map(|keys| {
        let token = keys.session_token.as_ref();
        [&keys.access_key_id, &keys.secret_access_key].into_iter().chain(token)
    });
    references.map(|reference| reference.name.as_str()).collect()
}

/// Which object of a name it is, and in which state.
fn stamp(name: &str, metadata: Option<ObjectMeta>) -> String {
    let text = metadata.map_or_else(String::new, |metadata| {
        let uid = metadata.uid.unwrap_or_default();
        format!("{uid}/{}", metadata.resource_version.unwrap_or_default())
    });
    format!("{name}={text} ")
}

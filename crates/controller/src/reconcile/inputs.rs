//! Looking at the target and at the generators.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PartialObjectMeta};
use rolecall_engine::plan::SourceSpec;

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::failure::{Failure, Reason};
use crate::object::Key;
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
        let owned = self.on.world.owned_by(&self.key);
        self.seen.orphans = owned.into_iter().filter(|name| *name != key.name).collect();
        if let Some(stored) = self.on.world.target(&key) {
            self.seen.target = Target::Present(stored.facts(&self.key.name));
            return;
        }
        let permit = self.on.requests.acquire(self.seen.past.synced.is_none()).await;
        let read = self.secrets().get_opt(&key.name).await;
        drop(permit);
        self.seen.target = match read {
            Ok(None) => Target::Absent,
            Ok(Some(secret)) => {
                Target::Present(StoredTarget::of(&secret).facts(&self.key.name))
            }
            Err(error) => {
                let problem = problem_of(&error);
                let message = format!("could not read Secret {}: {problem}", key.name);
                let reason = match problem {
                    ApiProblem::Forbidden => Reason::AccessDenied,
                    _ => Reason::Unavailable,
                };
                let now = self.on.clock.now();
                let failure = Failure::new(reason, "kubernetes", message, now);
                Target::Unreadable(failure.after(self.seen.past.failure.as_ref()))
            }
        };
    }

    pub(super) async fn read_inputs(&mut self) {
        let Some(asked) = self.asked.clone() else { return };
        let now = self.on.clock.now();
        let planned = self.on.planner.plan(&asked, &self.on.world, &mut self.used, now);
        self.on.world.uses(&self.key, self.used.clone());
        match planned {
            Ok(planned) => {
                let sharers = self.on.world.sharers(&planned.inputs);
                let looks = self.seen.past.failure.as_ref().is_some_and(|it| it.reason.looks_at_key());
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
                self.seen.inputs = Inputs::Ready { plan, sharers, key_version };
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

    /// What the key Secrets of these plans are: their UIDs and versions, or that they are not there.
    pub(super) async fn key_version(
        &self,
        plans: &[rolecall_engine::plan::Plan],
    ) -> Option<String> {
        let mut names: Vec<&str> = plans
            .iter()
            .filter_map(|plan| match &plan.source {
                SourceSpec::Secret { keys, .. } => Some(keys),
                _ => None,
            })
            .flat_map(|keys| {
                let token = keys.session_token.as_ref();
                [&keys.access_key_id, &keys.secret_access_key].into_iter().chain(token)
            })
            .map(|reference| reference.name.as_str())
            .collect();
        names.sort_unstable();
        names.dedup();
        if names.is_empty() {
            return None;
        }
        let mut version = String::new();
        for name in names {
            let read: Result<Option<PartialObjectMeta<Secret>>, _> =
                self.secrets().get_metadata_opt(name).await;
            let found = match read {
                Ok(found) => found,
                Err(_) => return None,
            };
            let text = found.map_or_else(String::new, |found| {
                let metadata = found.metadata;
                let uid = metadata.uid.unwrap_or_default();
                format!("{uid}/{}", metadata.resource_version.unwrap_or_default())
            });
            version.push_str(&format!("{name}={text} "));
        }
        Some(version)
    }
}

//! Writing the Secret: by server-side apply, under a manager of the object's own.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use rolecall_engine::grant::{CreationPolicy, ExternalSecret};
use rolecall_engine::output::generator_keys;
use rolecall_engine::render::{
    Existing, RenderErrors, Rendered, Renderer, created_by, data_hash, field_manager, rewrite,
};
use serde_json::{Value, json};

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::failure::{Failure, KUBERNETES, Reason};
use crate::object::MANAGER;
use crate::seen::{Ready, Target, Write};
use crate::world::{CREATED_BY, DATA_HASH, EXPIRATION, MANAGED, News, RENEWAL, StoredTarget};

impl Run<'_> {
    pub(super) async fn apply(&mut self, write: Write, keeps_data: bool) {
        let Some(asked) = self.asked.clone() else { return };
        // An object that went while the watch was away must not get its Secret back.
        if !self.on.is_there(&self.key, &self.seen.object.uid) {
            return self.fail_write(&ApiProblem::NotFound, "the Secret: its object is gone");
        }
        if self.is_to_convert
            && let Err(problem) = self.convert(&asked).await
        {
            return self.fail_apply(&problem, &asked.target.name);
        }
        let existing = match self.existing(&asked, keeps_data).await {
            Ok(existing) => existing,
            Err(problem) => return self.fail_write(&problem, "the Secret"),
        };
        let body = if keeps_data {
            Ok(self.kept_body(&asked, existing.as_ref()))
        } else {
            self.rendered_body(&asked, existing.as_ref()).await
        };
        let Ok(body) = body else { return };
        let manager = field_manager(&asked.name);
        let parameters = PatchParams::apply(&manager).force();
        let permit = self.on.requests.acquire(self.seen.past.synced.is_none()).await;
        let name = &asked.target.name;
        // What the watch tells meanwhile may be this write.
        let writing = self.on.world.writing(&self.target_key(), &self.key);
        let written = self.secrets().patch(name, &parameters, &Patch::Apply(&body)).await;
        drop(permit);
        let news = writing.ends();
        match written {
            Ok(secret) => {
                self.wrote(&secret, write, keeps_data, news);
            }
            Err(error) => {
                self.fail_apply(&problem_of(&error), name);
            }
        }
    }

    fn fail_apply(&mut self, problem: &ApiProblem, name: &str) {
        let most = match problem {
            ApiProblem::Conflict => MOST_CONFLICTS,
            // Another owner may have come first.
            ApiProblem::Invalid(_) => 1,
            _ => 0,
        };
        if self.conflicts < most {
            // It may not be the Secret any more that was looked at: it is looked at again.
            self.conflicts += 1;
            self.seen.target = Target::Unread;
            return;
        }
        self.fail_write(problem, &format!("Secret {name}"));
    }

    fn wrote(&mut self, secret: &Secret, write: Write, keeps_data: bool, news: News) {
        let key = self.target_key();
        let stored = StoredTarget::of(secret);
        self.state.own_version = Some(stored.resource_version.clone());
        self.state.binding = Some(key.name.clone());
        // What the watch told meanwhile may be this write, or somebody's after it.
        if news != News::End {
            self.on.world.put_target(&key, Some(stored.clone()));
        }
        let known = self.on.world.target(&key);
        self.looks_again = known.as_ref() != Some(&stored);
        self.seen.target = Target::Present(stored.facts(&self.key.name));
        self.seen.wrote(write, keeps_data, self.on.clock.now());
    }

    /// The Secret as it is, where it counts for what is written.
    async fn existing(
        &self,
        asked: &ExternalSecret,
        keeps_data: bool,
    ) -> Result<Option<Existing>, ApiProblem> {
        let merges = matches!(
            asked.target.creation_policy,
            CreationPolicy::Merge | CreationPolicy::CreateOrMerge
        );
        if !(merges || keeps_data) {
            return Ok(None);
        }
        let read = self.secrets().get_opt(&asked.target.name).await;
        let Some(secret) = read.map_err(|error| problem_of(&error))? else { return Ok(None) };
        let document = serde_json::to_value(&secret).unwrap_or_default();
        Existing::read(&document).map(Some).map_err(|_| ApiProblem::Invalid(String::new()))
    }

    /// What is rendered from the sessions that are held.
    async fn rendered_body(
        &mut self,
        asked: &ExternalSecret,
        existing: Option<&Existing>,
    ) -> Result<Value, ()> {
        self.prepare_renderer().await?;
        let Some(renderer) = &self.renderer else { return Err(()) };
        let rendered = match self.render(renderer) {
            Ok(rendered) => rendered,
            Err(errors) => {
                if let Some(errors) = errors {
                    self.fail_template(&errors);
                }
                return Err(());
            }
        };
        let Rendered { mut secret, .. } = rendered;
        let mut whole = existing.map(|it| it.foreign_data(&field_manager(&asked.name)));
        let hash = match &mut whole {
            None => data_hash(&secret.data),
            Some(whole) => {
                whole.extend(secret.data.clone());
                data_hash(whole)
            }
        };
        secret.annotations.insert(DATA_HASH.to_owned(), hash);
        if !self.on.served.status().has_times() {
            self.note_times(&mut secret.annotations);
        }
        let mut body = serde_json::to_value(&secret).unwrap_or_default();
        let has_type = asked.target.template.as_ref().is_some_and(|it| it.type_.is_some());
        if !has_type && let Some(body) = body.as_object_mut() {
            body.remove("type");
        }
        self.own(&mut body, asked);
        Ok(body)
    }

    /// Where the status has no room for it, the Secret itself says when its credentials end.
    fn note_times(&self, annotations: &mut BTreeMap<String, String>) {
        let Some(held) = &self.seen.past.held else { return };
        let ends = held.lives.iter().map(|life| life.ends).min();
        let renewal = match (held.is_written, self.seen.past.renewal) {
            (true, Some(renewal)) => Some(renewal),
            _ => self.seen.renewal_of(&held.lives),
        };
        if let Some((ends, renewal)) = ends.zip(renewal) {
            annotations.insert(EXPIRATION.to_owned(), ends.to_string());
            annotations.insert(RENEWAL.to_owned(), renewal.to_string());
        }
    }

    fn render(&self, renderer: &Renderer) -> Result<Rendered, Option<RenderErrors>> {
        let now = self.on.clock.now();
        let mut parts: Vec<BTreeMap<_, _>> = Vec::new();
        let entries = &renderer.asked().entries;
        for (entry, issued) in entries.iter().zip(&self.state.sessions) {
            let keys = generator_keys(issued).into_iter();
            let keys = keys.map(|(key, value)| (key.to_owned(), value)).collect();
            // It was tried with these names before anything was called.
            let rewritten = rewrite(keys, &entry.rewrites, now).map_err(|_| None)?;
            parts.push(rewritten.keys);
        }
        renderer.render(parts, None, now).map_err(Some)
    }

    /// The data stays what it is: only the marks are written.
    fn kept_body(&self, asked: &ExternalSecret, existing: Option<&Existing>) -> Value {
        let manager = field_manager(&asked.name);
        let (mut labels, mut annotations) = (BTreeMap::new(), BTreeMap::new());
        if let Some(existing) = existing.filter(|_| asked.target.immutable) {
            // What is locked keeps what it was made with.
            labels.clone_from(&existing.labels);
            let foreign = existing.foreign_labels(&manager);
            labels.retain(|key, _| !foreign.contains_key(key));
            annotations.clone_from(&existing.annotations);
            let foreign = existing.foreign_annotations(&manager);
            annotations.retain(|key, _| !foreign.contains_key(key));
        } else if asked.target.template.is_none() && self.on.copies_metadata {
            let own = |map: &BTreeMap<String, String>| {
                let kept = map.iter().filter(|(key, _)| !key.starts_with(RESERVED));
                kept.map(|(key, value)| (key.clone(), value.clone())).collect()
            };
            (labels, annotations) = (own(&asked.labels), own(&asked.annotations));
        }
        labels.insert(MANAGED.to_owned(), "true".to_owned());
        if asked.target.creation_policy == CreationPolicy::Owner {
            labels.insert(CREATED_BY.to_owned(), created_by(&asked.namespace, &asked.name));
        }
        let mut data = serde_json::Map::new();
        if let Some(existing) = existing {
            annotations.insert(DATA_HASH.to_owned(), data_hash(&existing.data));
            let foreign = existing.foreign_data(&manager);
            let own = existing.data.iter().filter(|(key, _)| !foreign.contains_key(*key));
            for (key, value) in own {
                let value = k8s_openapi::ByteString((**value).clone());
                data.insert(key.clone(), serde_json::to_value(value).unwrap_or_default());
            }
        }
        let mut body = json!({
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {
                "name": asked.target.name,
                "namespace": asked.namespace,
                "labels": labels,
                "annotations": annotations,
            },
        });
        if let Some(map) = body.as_object_mut() {
            if !data.is_empty() {
                map.insert("data".to_owned(), Value::Object(data));
            }
            // Whoever has locked it: a lock cannot be taken off.
            if asked.target.immutable || existing.is_some_and(|existing| existing.immutable) {
                map.insert("immutable".to_owned(), json!(true));
            }
        }
        self.own(&mut body, asked);
        body
    }

    /// The owner, and for a Secret that must be there already which one it is.
    fn own(&self, body: &mut Value, asked: &ExternalSecret) {
        let Some(metadata) = body.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        if asked.target.creation_policy == CreationPolicy::Owner {
            let owner = json!([{
                "apiVersion": "external-secrets.io/v1",
                "kind": "ExternalSecret",
                "name": asked.name,
                "uid": self.seen.object.uid,
                "controller": true,
                "blockOwnerDeletion": true,
            }]);
            metadata.insert("ownerReferences".to_owned(), owner);
        }
        let merges = matches!(
            asked.target.creation_policy,
            CreationPolicy::Merge | CreationPolicy::CreateOrMerge
        );
        if merges && let Target::Present(facts) = &self.seen.target {
            metadata.insert("uid".to_owned(), json!(facts.uid));
            metadata.insert("resourceVersion".to_owned(), json!(facts.resource_version));
        }
    }

    /// Keys of others go by a patch of their own: an apply leaves them.
    pub(super) async fn wipe(&mut self) {
        self.seen.pass.has_wiped = true;
        let Some(asked) = self.asked.clone() else { return };
        let name = &asked.target.name;
        let read = self.secrets().get_opt(name).await;
        let secret = match read {
            Ok(Some(secret)) => secret,
            Ok(None) => return,
            Err(error) => return self.fail_write(&problem_of(&error), "the Secret"),
        };
        let document = serde_json::to_value(&secret).unwrap_or_default();
        let Ok(existing) = Existing::read(&document) else { return };
        let foreign = existing.foreign_data(&field_manager(&asked.name));
        if foreign.is_empty() {
            return;
        }
        let data: serde_json::Map<String, Value> =
            foreign.keys().map(|key| (key.clone(), Value::Null)).collect();
        let patch = json!({
            "metadata": {"resourceVersion": secret.metadata.resource_version},
            "data": data,
        });
        let parameters =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
        match self.secrets().patch(name, &parameters, &Patch::Merge(&patch)).await {
            Ok(secret) => {
                let stored = StoredTarget::of(&secret);
                self.state.own_version = Some(stored.resource_version.clone());
                self.seen.target = Target::Present(stored.facts(&self.key.name));
                self.on.world.put_target(&self.target_key(), Some(stored));
            }
            Err(error) => self.fail_write(&problem_of(&error), "the Secret"),
        }
    }

    pub(super) async fn delete_secret(&mut self) {
        let Target::Present(facts) = &self.seen.target else { return };
        let (name, uid) = (self.target_key().name, facts.uid.clone());
        let deleted = self.delete(&name, &uid).await;
        match deleted {
            Ok(()) => self.seen.pass.has_deleted = true,
            Err(problem) => {
                let message = format!("could not delete Secret {name}: {problem}");
                let now = self.on.clock.now();
                let failure = Failure::new(Reason::Unavailable, KUBERNETES, message, now);
                self.fail(failure, Some(Ready::NotDeleted));
            }
        }
    }

    pub(super) async fn delete_orphans(&mut self) {
        self.seen.pass.has_deleted = true;
        let names = std::mem::take(&mut self.seen.orphans);
        for name in names {
            let key = crate::object::Key::new(&self.key.namespace, &name);
            let Some(stored) = self.on.world.target(&key) else { continue };
            if let Err(problem) = self.delete(&name, &stored.uid).await {
                return self.fail_write(&problem, "the end of a Secret that is named no more");
            }
        }
    }

    /// Deletes a Secret, if it is still the one that was looked at.
    async fn delete(&self, name: &str, uid: &str) -> Result<(), ApiProblem> {
        let preconditions = Preconditions { uid: Some(uid.to_owned()), resource_version: None };
        let parameters =
            DeleteParams { preconditions: Some(preconditions), ..DeleteParams::default() };
        match self.secrets().delete(name, &parameters).await {
            Ok(_) => Ok(()),
            Err(error) => match problem_of(&error) {
                ApiProblem::NotFound | ApiProblem::Conflict => Ok(()),
                problem => Err(problem),
            },
        }
    }
}

const RESERVED: &str = "reconcile.external-secrets.io/";
/// How often a Secret is looked at again in one pass because somebody else wrote it.
const MOST_CONFLICTS: u32 = 5;

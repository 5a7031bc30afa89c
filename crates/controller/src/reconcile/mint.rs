//! Calling AWS for every entry of an object: all of them, or nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::future::join_all;
use jiff::SignedDuration;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::Api;
use rolecall_engine::error::{Class, Error};
use rolecall_engine::mint::Minted;
use rolecall_engine::output::generator_keys;
use rolecall_engine::plan::Plan;
use rolecall_engine::render::{Data, Objects, RenderErrors, Renderer, Text, rewrite};
use rolecall_engine::session::Issued;

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::failure::{Failure, Reason};
use crate::schedule::{Life, after};
use crate::seen::Ready;

impl Run<'_> {
    pub(super) async fn mint(&mut self, is_urgent: bool) {
        // What no value could mend is told before any call.
        if self.prepare_renderer().await.is_err() {
            return;
        }
        let Some(planned) = self.planned.clone() else { return };
        let now = self.on.clock.now();
        let part = self.seen.seed(0).part(&now.as_millisecond().to_string());
        for plan in &planned.plans {
            let wait = self.on.paces.turn(&plan.source, &plan.region, is_urgent, part);
            if let Some(wait) = wait.and_then(|wait| SignedDuration::try_from(wait).ok()) {
                self.seen.pass.postponed = Some(after(now, wait));
                return;
            }
        }
        let permit = self.on.calls.acquire(is_urgent).await;
        let minted = join_all(planned.plans.iter().map(|plan| self.mint_entry(plan))).await;
        drop(permit);
        let mut sessions = Vec::new();
        let mut lives = Vec::new();
        for (index, (result, plan)) in minted.into_iter().zip(&planned.plans).enumerate() {
            let class = result.as_ref().err().map(|error| error.class());
            match class {
                Some(Class::Throttled) => self.on.paces.throttled(&plan.source, &plan.region),
                _ => self.on.paces.served(&plan.source, &plan.region),
            }
            match result {
                Ok(minted) => {
                    lives.push(life_of(&minted, self.on.clock.now()));
                    sessions.push(Arc::new(minted.issued));
                }
                Err(error) => return self.fail_mint(&error, plan, index, &planned.plans).await,
            }
        }
        self.state.sessions = sessions;
        self.seen.minted(lives, planned.digest);
    }

    /// One live call; a token that did not serve is taken anew, once.
    async fn mint_entry(&self, plan: &Plan) -> Result<Minted, Arc<Error>> {
        let first = self.on.minter.mint(plan).await;
        match first {
            Err(error)
                if matches!(error.class(), Class::ExpiredCaller | Class::Token)
                    && self.on.source.forget(&plan.source) =>
            {
                self.on.minter.mint(plan).await
            }
            // The client has learnt from the answer how far the clocks are apart.
            Err(error) if error.class() == Class::Clock => self.on.minter.mint(plan).await,
            result => result,
        }
    }

    async fn fail_mint(&mut self, error: &Error, plan: &Plan, index: usize, plans: &[Plan]) {
        let now = self.on.clock.now();
        let (mut reason, message, detail) = words(error, plan, index);
        if self.is_provider_gone(error) {
            reason = Reason::AccessDenied;
        }
        let mut failure = Failure::new(reason, code_of(error), message, now);
        failure.detail = detail;
        if reason.looks_at_key() {
            failure.key_version = self.key_version(plans).await;
        }
        tracing::warn!(
            namespace = %self.key.namespace,
            name = %self.key.name,
            class = reason.as_str(),
            code = failure.code,
            detail = failure.detail,
            request_id = request_id(error),
            "no new session"
        );
        self.fail(failure, None);
    }

    /// An identity provider that AWS could not ask for ten minutes is a matter of how it is set up.
    fn is_provider_gone(&self, error: &Error) -> bool {
        const PATIENCE: SignedDuration = SignedDuration::from_mins(10);
        let code = code_of(error);
        let is_provider = matches!(code, "IDPCommunicationError" | "InvalidIdentityToken");
        let since = self.seen.past.failure.as_ref().filter(|failure| failure.code == code);
        is_provider
            && since.is_some_and(|failure| {
                failure.reason == Reason::AccessDenied
                    || self.on.clock.now().duration_since(failure.since) > PATIENCE
            })
    }

    /// Reads what the templates name, and holds them against the keys that there will be.
    pub(super) async fn prepare_renderer(&mut self) -> Result<(), ()> {
        if self.renderer.is_some() {
            return Ok(());
        }
        let Some(asked) = self.asked.clone() else { return Err(()) };
        let mut asked = (*asked).clone();
        if !self.on.copies_metadata {
            asked.labels.clear();
            asked.annotations.clear();
        }
        let objects = match self.objects_of(&asked).await {
            Ok(objects) => objects,
            Err(problem) => {
                self.fail_write(&problem, "the Secret");
                return Err(());
            }
        };
        let now = self.on.clock.now();
        let mut all = BTreeSet::new();
        for (index, (entry, keys)) in asked.entries.iter().zip(self.keys()).enumerate() {
            let keys = keys.into_iter().map(|key| (key.to_owned(), Text::default())).collect();
            match rewrite(keys, &entry.rewrites, now) {
                Ok(rewritten) => all.extend(rewritten.keys.into_keys()),
                Err(error) => {
                    let message = format!("spec.dataFrom[{index}]: {error}");
                    let failure = Failure::new(Reason::InvalidSpec, "template", message, now);
                    self.fail(failure, Some(Ready::NoData));
                    return Err(());
                }
            }
        }
        let checked = Renderer::new(asked, &objects)
            .and_then(|renderer| renderer.check(|key| all.contains(key)).map(|()| renderer));
        match checked {
            Ok(renderer) => {
                self.renderer = Some(renderer);
                Ok(())
            }
            Err(errors) => {
                self.fail_template(&errors);
                if let (Some(planned), Some(failed)) = (&self.planned, &self.seen.pass.failure)
                    && failed.failure.reason.looks_at_key()
                {
                    let version = self.key_version(&planned.plans.clone()).await;
                    if let Some(failed) = &mut self.seen.pass.failure {
                        failed.failure.key_version = version;
                    }
                }
                Err(())
            }
        }
    }

    /// The keys of each entry before they are renamed: by its generator, or where that is gone by the
    /// session that is held.
    fn keys(&self) -> Vec<Vec<&'static str>> {
        match &self.planned {
            Some(planned) => planned.keys.iter().map(|keys| keys.to_vec()).collect(),
            None => {
                let held = self.state.sessions.iter();
                held.map(|issued| generator_keys(issued).into_iter().map(|(key, _)| key).collect())
                    .collect()
            }
        }
    }

    pub(super) fn fail_template(&mut self, errors: &RenderErrors) {
        let now = self.on.clock.now();
        let lines: Vec<String> =
            errors.iter().map(|it| format!("{}: {}", it.path, it.error)).collect();
        let is_missing = errors.iter().any(|it| it.error.is_missing_object());
        let reason = if is_missing { Reason::MissingInput } else { Reason::InvalidSpec };
        let mut failure = Failure::new(reason, "template", lines.join("; "), now);
        failure.detail = format!("could not apply template: {}", failure.message);
        self.fail(failure, Some(Ready::NotWritten));
    }

    /// The ConfigMaps and Secrets that `templateFrom` names, as they are now.
    async fn objects_of(
        &self,
        asked: &rolecall_engine::grant::ExternalSecret,
    ) -> Result<Objects, ApiProblem> {
        let mut objects = Objects::default();
        let from = asked.target.template.iter().flat_map(|template| &template.from);
        for item in from {
            if let Some(reference) = &item.config_map {
                let api: Api<ConfigMap> =
                    Api::namespaced(self.on.client.clone(), &self.key.namespace);
                let found = api.get_opt(&reference.name).await.map_err(|it| problem_of(&it))?;
                if let Some(found) = found {
                    let keys = found.data.unwrap_or_default().into_iter().collect();
                    objects.add_config_map(&reference.name, keys);
                }
            }
            if let Some(reference) = &item.secret {
                let found = self.secrets().get_opt(&reference.name).await;
                if let Some(found) = found.map_err(|it| problem_of(&it))? {
                    let keys = found.data.unwrap_or_default().into_iter();
                    let keys: BTreeMap<String, Data> =
                        keys.map(|(key, value)| (key, Data::new(value.0))).collect();
                    objects.add_secret(&reference.name, keys);
                }
            }
        }
        Ok(objects)
    }
}

/// From when to when: bounded by the base session too, where a child dies with it.
fn life_of(minted: &Minted, now: jiff::Timestamp) -> Life {
    match &minted.issued {
        Issued::Session(session) => Life { issued: session.received_at, ends: session.ends_at() },
        Issued::RegistryToken(token) => Life { issued: now, ends: token.expires_at },
    }
}

/// Reason, sentence for the status, and more of it for the Event: the words that people look for.
fn words(error: &Error, plan: &Plan, index: usize) -> (Reason, String, String) {
    let place = format!("error processing spec.dataFrom[{index}].sourceRef.generatorRef");
    let reason = Reason::of(error.class());
    match error {
        Error::Plan(problem) => {
            let message = problem.to_string();
            let detail = format!("{place}, err: error using generator: {message}");
            (Reason::InvalidRequest, message, detail)
        }
        Error::Source(problem) | Error::Factor(problem) => {
            let message = problem.to_string();
            let detail = format!(
                "{place}, err: error using generator: unable to create aws session: {message}"
            );
            (reason, message, detail)
        }
        Error::Call { facts, failure } => {
            let role = facts.role.as_ref().map(|role| format!(" of {role}")).unwrap_or_default();
            let message =
                format!("{}{role} by {}: {}", facts.operation, plan.source, reason.cure());
            let said = match failure {
                rolecall_engine::error::CallFailure::Refused {
                    service,
                    status,
                    code,
                    message,
                    ..
                } => {
                    format!(
                        "operation error {service}: {}, https response error StatusCode: {status}, \
                         api error {code}: {message}",
                        facts.operation
                    )
                }
                other => format!("operation error {}: {other}", facts.operation),
            };
            let detail = format!("{place}, err: error using generator: {said}");
            (reason, message, detail)
        }
        _ => (reason, error.to_string(), error.to_string()),
    }
}

fn code_of(error: &Error) -> &str {
    match error {
        Error::Call {
            failure: rolecall_engine::error::CallFailure::Refused { code, .. }, ..
        } => code,
        error => error.code(),
    }
}

fn request_id(error: &Error) -> Option<&str> {
    match error {
        Error::Call {
            failure: rolecall_engine::error::CallFailure::Refused { request_id, .. },
            ..
        } => request_id.as_deref(),
        _ => None,
    }
}

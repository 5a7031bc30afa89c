//! Telling what was done: the status, Events, and one line of the log for each refresh.

use kube::Resource;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::decide::Verdict;
use crate::failure::{Failure, KUBERNETES, Reason};
use crate::object::{STATUS_MANAGER, external_secrets, version_of};
use crate::seen::{Announcement, Owner, Ready, Target, Wanted};
use crate::served;
use crate::status::Report;

impl Run<'_> {
    pub(super) async fn write_status(&mut self, verdict: &Verdict) {
        self.on.served.refresh(&self.on.client, served::ROUTINE).await;
        let now = self.on.clock.now();
        let before = (self.seen.past.ready, self.seen.past.refreshing);
        self.seen.reported(verdict);
        let report = Report {
            verdict,
            past: &self.seen.past,
            generation: self.seen.object.generation,
            binding: self.state.binding.as_deref(),
            before: self.state.status.as_ref(),
            now,
        };
        let status = report.status(&self.on.served.status());
        let body = json!({
            "apiVersion": "external-secrets.io/v1",
            "kind": "ExternalSecret",
            "metadata": {"name": self.key.name, "namespace": self.key.namespace},
            "status": status,
        });
        let parameters = PatchParams::apply(STATUS_MANAGER).force();
        let permit = self.on.requests.acquire(true).await;
        let written =
            self.objects().patch_status(&self.key.name, &parameters, &Patch::Apply(&body)).await;
        drop(permit);
        self.log(verdict);
        match written {
            Ok(object) => {
                self.state.status = Some(status);
                self.state.status_version = version_of(&object);
                self.state.status_time = Some(now);
            }
            Err(error) => {
                let problem = problem_of(&error);
                // The next pass tells it again.
                (self.seen.past.ready, self.seen.past.refreshing) = before;
                if problem != ApiProblem::NotFound {
                    self.seen.past.is_unreported = true;
                    // The CRD may be another one by now.
                    self.on.served.refresh(&self.on.client, served::REFUSED).await;
                    tracing::warn!(object = %self.key, %problem, "the status could not be written");
                }
            }
        }
    }

    pub(super) fn announce(&mut self, what: Announcement) {
        let failure = self.seen.pass.failure.as_ref().map(|it| &it.failure);
        let of_inputs = match &self.seen.inputs {
            crate::seen::Inputs::Failed(failure) => Some(failure),
            _ => None,
        };
        let unread = match &self.seen.wanted {
            Wanted::Invalid { message, .. } => Some(Failure::new(
                Reason::InvalidSpec,
                "invalid-spec",
                message.clone(),
                self.on.clock.now(),
            )),
            _ => None,
        };
        let of_target = self.failure_of_target(what);
        let failure = failure.or(unread.as_ref()).or(of_inputs).or(of_target.as_ref());
        let failure = failure.or(self.seen.past.failure.as_ref());
        let reference = self.object.object_ref(&external_secrets());
        self.on.events.say(reference, what, failure);
        self.seen.announced(what);
    }

    /// What stands in the way of a write, and what to do about it.
    fn failure_of_target(&self, what: Announcement) -> Option<Failure> {
        let Target::Present(target) = &self.seen.target else { return None };
        let (reason, ready) = match (what, target.owner) {
            (Announcement::Failed(reason @ Reason::TargetConflict), Owner::OtherExternalSecret) => {
                (reason, Ready::OwnedByAnother)
            }
            (Announcement::Failed(reason @ Reason::TargetConflict), _) => (reason, Ready::NotTaken),
            (Announcement::Failed(reason @ Reason::TargetImmutable), _) => {
                (reason, Ready::Immutable)
            }
            _ => return None,
        };
        let name = self.target_key().name;
        let message = format!("Secret {name}: {}; {}", ready.message(), reason.cure());
        Some(Failure::new(reason, KUBERNETES, message, self.on.clock.now()))
    }

    /// One line for each refresh.
    fn log(&self, verdict: &Verdict) {
        let expires = self.seen.ends().map(|time| time.to_string());
        let next = verdict.next.map(|time| time.to_string());
        let minted = self.seen.pass.has_minted;
        match &verdict.failure {
            None => tracing::info!(
                namespace = %self.key.namespace,
                name = %self.key.name,
                ready = verdict.ready.is_ready(),
                minted,
                expires,
                next,
                "refreshed"
            ),
            Some(failure) => tracing::warn!(
                namespace = %self.key.namespace,
                name = %self.key.name,
                ready = verdict.ready.is_ready(),
                reason = verdict.refreshing.reason(),
                code = failure.code,
                attempts = failure.attempts,
                message_of_status = failure.message,
                expires,
                next,
                "not refreshed"
            ),
        }
    }
}

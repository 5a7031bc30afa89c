//! The finalizer of an object whose Secret is deleted with it.

use std::sync::Arc;

use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::object::{FINALIZER, MANAGER};

impl Run<'_> {
    pub(super) async fn set_finalizer(&mut self, wanted: bool) {
        let mut finalizers = self.object.metadata.finalizers.clone().unwrap_or_default();
        finalizers.retain(|it| it != FINALIZER);
        if wanted {
            finalizers.push(FINALIZER.to_owned());
        }
        // The version stands guard: whoever else changed the list meanwhile is not overwritten.
        let patch = json!({"metadata": {
            "resourceVersion": self.object.metadata.resource_version,
            "finalizers": finalizers,
        }});
        let parameters =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
        let patched =
            self.objects().patch(&self.key.name, &parameters, &Patch::Merge(&patch)).await;
        match patched {
            Ok(object) => {
                self.object = Arc::new(object);
                self.seen.object.has_finalizer = wanted;
            }
            Err(error) => match problem_of(&error) {
                ApiProblem::NotFound if !wanted => self.seen.object.has_finalizer = false,
                problem => self.fail_write(&problem, "the finalizer"),
            },
        }
    }
}

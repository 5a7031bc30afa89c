//! What another controller left behind is taken as it is: External Secrets Operator keeps no end of a
//! credential, and writes Secrets by updates.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams};
use rolecall_engine::grant::ExternalSecret;
use rolecall_engine::render::{Text, field_manager, rewrite};
use serde_json::{Value, json};

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::object::MANAGER;
use crate::schedule::Life;
use crate::seen::Target;
use crate::world::StoredTarget;

impl Run<'_> {
    /// Where nothing tells when the stored credentials end, the Secret's own data does, under the key
    /// that the entry's renaming gives it.
    pub(super) async fn find_ends(&mut self) {
        let (Some(asked), Some(synced)) = (self.asked.clone(), &self.seen.past.synced) else {
            return;
        };
        if self.state.has_looked_for_ends || !self.seen.past.lives.is_empty() {
            return;
        }
        let issued = synced.at;
        let permit = self.on.requests.acquire(false).await;
        let read = self.secrets().get_opt(&asked.target.name).await;
        drop(permit);
        // What cannot be read now is looked for in the next pass.
        let Ok(secret) = read else { return };
        self.state.has_looked_for_ends = true;
        let Some(secret) = secret else { return };
        self.seen.past.lives = lives_of(&asked, &secret, issued, self.on.clock.now());
        self.seen.past.renewal = self.seen.planned_renewal_of(&self.seen.past.lives);
    }

    /// What ESO wrote by updates becomes ours by apply, so that what a template drops goes away.
    pub(super) async fn convert(&mut self, asked: &ExternalSecret) -> Result<(), ApiProblem> {
        let name = &asked.target.name;
        let read = self.secrets().get_opt(name).await;
        let Some(secret) = read.map_err(|error| problem_of(&error))? else { return Ok(()) };
        let Some(fields) = as_applied(&secret, &field_manager(&asked.name)) else { return Ok(()) };
        let version = secret.metadata.resource_version.unwrap_or_default();
        // The version stands guard: nobody's write in between is taken back.
        let patch = json!({"metadata": {"resourceVersion": version, "managedFields": fields}});
        let parameters =
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..Default::default() };
        let patched = self.secrets().patch(name, &parameters, &Patch::Merge(&patch)).await;
        let secret = patched.map_err(|error| problem_of(&error))?;
        let stored = StoredTarget::of(&secret);
        self.state.own_version = Some(stored.resource_version.clone());
        self.seen.target = Target::Present(stored.facts(&self.key.name));
        self.is_to_convert = false;
        self.on.world.put_target(&self.target_key(), Some(stored));
        Ok(())
    }
}

/// From when to when the credentials of each entry are good, where the Secret tells.
fn lives_of(
    asked: &ExternalSecret,
    secret: &Secret,
    issued: Timestamp,
    now: Timestamp,
) -> Vec<Life> {
    let data = secret.data.as_ref();
    let end = |key: &str| -> Option<Timestamp> {
        let text = std::str::from_utf8(&data?.get(key)?.0).ok()?;
        Timestamp::from_second(text.trim().parse().ok()?).ok()
    };
    let entries = asked.entries.iter().filter_map(|entry| {
        let names = ["expiration", "expires_at"].into_iter().filter_map(|key| {
            let keys = [(key.to_owned(), Text::default())].into();
            rewrite(keys, &entry.rewrites, now).ok()?.keys.into_keys().next()
        });
        // A template may have put something else there.
        let is_end = |ends: &Timestamp| *ends > issued && ends.duration_since(issued) <= LONGEST;
        names.filter_map(|name| end(&name)).find(is_end)
    });
    entries.map(|ends| Life { issued, ends }).collect()
}

/// The managed fields with the manager's updates as applies; nothing where there are none.
fn as_applied(secret: &Secret, manager: &str) -> Option<Vec<ManagedFieldsEntry>> {
    let is_of_it = |entry: &ManagedFieldsEntry, operation: &str| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some(operation)
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    };
    let entries = secret.metadata.managed_fields.clone().unwrap_or_default();
    let (updates, mut kept): (Vec<_>, Vec<_>) =
        entries.into_iter().partition(|entry| is_of_it(entry, "Update"));
    let mut updates = updates.into_iter();
    let mut first = updates.next()?;
    first.operation = Some("Apply".to_owned());
    let at = kept.iter().position(|entry| is_of_it(entry, "Apply"));
    let mut whole =
        at.map(|at| kept.remove(at)).into_iter().chain(updates).fold(first, |mut sum, entry| {
            if let (Some(sum), Some(more)) = (&mut sum.fields_v1, entry.fields_v1) {
                unite(&mut sum.0, more.0);
            }
            sum
        });
    whole.subresource = None;
    kept.push(whole);
    Some(kept)
}

/// Adds to a tree of fields those of another one.
fn unite(fields: &mut Value, more: Value) {
    let (Value::Object(fields), Value::Object(more)) = (fields, more) else { return };
    for (key, value) in more {
        match fields.get_mut(&key) {
            Some(known) => unite(known, value),
            None => drop(fields.insert(key, value)),
        }
    }
}

/// No session of AWS lasts longer than 36 hours
/// (<https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html>).
const LONGEST: SignedDuration = SignedDuration::from_hours(36);

#[cfg(test)]
mod tests {
    use k8s_openapi::ByteString;

    use super::*;

    const MANAGER_OF_IT: &str = "externalsecrets.external-secrets.io/a";

    fn asked(rewrite: &Value) -> ExternalSecret {
        let generator = json!({"generatorRef": {"kind": "STSSessionToken", "name": "g"}});
        let document = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "a", "namespace": "n"},
            "spec": {"dataFrom": [{"sourceRef": generator, "rewrite": rewrite}]}});
        ExternalSecret::read(&document).unwrap()
    }

    #[track_caller]
    fn check(rewrite: &Value, data: &[(&str, &str)], expected: Option<i64>) {
        let data = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
        let secret = Secret { data: Some(data.collect()), ..Secret::default() };
        let issued = Timestamp::from_second(1_000).unwrap();
        let lives = lives_of(&asked(rewrite), &secret, issued, issued);
        let ends = lives.first().map(|life| life.ends.as_second());
        assert_eq!(ends, expected, "{rewrite}");
    }

    #[test]
    fn an_end_is_found_under_the_name_that_the_entry_gives_it() {
        let upper = json!([{"transform": {"template": "AWS_{{ .value | upper }}"}}]);
        check(&json!([]), &[("expiration", "4600")], Some(4_600));
        check(&json!([]), &[("expires_at", "4600\n")], Some(4_600));
        check(&upper, &[("AWS_EXPIRATION", "4600")], Some(4_600));
        check(&upper, &[("expiration", "4600")], None);
        // What a template has put there is no end.
        for odd in ["", "soon", "999", "1000", "130601", "-1", "99999999999999999999"] {
            check(&json!([]), &[("expiration", odd)], None);
        }
        check(&json!([]), &[], None);
    }

    #[test]
    fn updates_become_applies_of_the_same_fields() {
        let entry = |manager: &str, operation: &str, subresource: Option<&str>, fields: Value| {
            serde_json::from_value(json!({"manager": manager, "operation": operation,
                "subresource": subresource, "fieldsV1": fields, "fieldsType": "FieldsV1"}))
            .unwrap()
        };
        let mut secret = Secret::default();
        assert!(as_applied(&secret, MANAGER_OF_IT).is_none());
        secret.metadata.managed_fields = Some(vec![
            entry(MANAGER_OF_IT, "Update", None, json!({"f:data": {"f:old": {}}})),
            entry("kubectl", "Update", None, json!({"f:data": {"f:foreign": {}}})),
            entry(
                MANAGER_OF_IT,
                "Apply",
                None,
                json!({"f:data": {".": {}, "f:new": {}}, "f:type": {}}),
            ),
        ]);
        let fields = as_applied(&secret, MANAGER_OF_IT).unwrap();
        let told: Vec<_> = fields
            .iter()
            .map(|it| (it.manager.as_deref().unwrap(), it.operation.as_deref().unwrap()))
            .collect();
        assert_eq!(told, [("kubectl", "Update"), (MANAGER_OF_IT, "Apply")]);
        let whole = json!({"f:data": {".": {}, "f:new": {}, "f:old": {}}, "f:type": {}});
        assert_eq!(fields[1].fields_v1.as_ref().unwrap().0, whole);
        secret.metadata.managed_fields = Some(fields);
        assert!(as_applied(&secret, MANAGER_OF_IT).is_none());
    }
}

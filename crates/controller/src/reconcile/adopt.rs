//! What another controller left behind is taken as it is: External Secrets Operator keeps no end of a
//! credential, and writes Secrets by updates.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;
use kube::api::{Patch, PatchParams};
use rolecall_engine::grant::{Entry, ExternalSecret, GeneratorKind, GeneratorRef};
use rolecall_engine::render::{Existing, Text, field_manager, rewrite};
use serde_json::{Value, json};

use super::Run;
use crate::api_error::{ApiProblem, problem_of};
use crate::object::MANAGER;
use crate::schedule::Life;
use crate::seen::{Owner, Target};
use crate::world::StoredTarget;

impl Run<'_> {
    /// Where nothing tells when the stored credentials end, the Secret's own data does, under the key
    /// that the entry's renaming gives it.
    pub(super) async fn find_ends(&mut self) {
        let (Some(asked), Some(synced)) = (self.asked.clone(), &self.seen.past.synced) else {
            return;
        };
        let is_ours = matches!(&self.seen.target, Target::Present(facts)
            if matches!(facts.owner, Owner::Us | Owner::Nobody));
        if !is_ours || self.state.has_looked_for_ends || !self.seen.past.lives.is_empty() {
            return;
        }
        let issued = synced.at;
        let permit = self.on.requests.acquire(false).await;
        let read = self.secrets().get_opt(&asked.target.name).await;
        drop(permit);
        // What cannot be read now is looked for in the next pass.
        let Ok(secret) = read else { return };
        self.state.has_looked_for_ends = true;
        let document = serde_json::to_value(&secret).unwrap_or_default();
        let Ok(existing) = Existing::read(&document) else { return };
        let kind = |generator: &GeneratorRef| match generator.kind {
            GeneratorKind::Cluster => self.on.world.wrapped_kind(&generator.name),
            kind => Some(kind.as_str().to_owned()),
        };
        let lives = lives_of(&asked, &existing, kind, issued, self.on.clock.now());
        self.seen.past.lives = lives.unwrap_or_default();
        // As planned when it was stored: nothing of this process has to spread.
        let is_first = std::mem::replace(&mut self.seen.past.is_first, false);
        self.seen.past.renewal = self.seen.planned_renewal_of(&self.seen.past.lives);
        self.seen.past.is_first = is_first;
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

/// From when to when the credentials of each entry are good, where the Secret tells of all of them.
fn lives_of(
    asked: &ExternalSecret,
    existing: &Existing,
    kind: impl Fn(&GeneratorRef) -> Option<String>,
    issued: Timestamp,
    now: Timestamp,
) -> Option<Vec<Life>> {
    // A neighbour's end is none of ours.
    let foreign = existing.foreign_data(&field_manager(&asked.name));
    let life = |entry: &Entry| {
        let kind = kind(&entry.generator)?;
        let key =
            if kind == GeneratorKind::RegistryToken.as_str() { "expires_at" } else { "expiration" };
        let renamed =
            rewrite([(key.to_owned(), Text::default())].into(), &entry.rewrites, now).ok()?;
        let name = renamed.keys.into_keys().next().filter(|name| !foreign.contains_key(name))?;
        let text = std::str::from_utf8(existing.data.get(&name)?).ok()?;
        let ends = Timestamp::from_second(text.trim().parse().ok()?).ok()?;
        // A template may have put something else there.
        let is_end = ends > issued && ends.duration_since(issued) <= LONGEST;
        is_end.then_some(Life { issued, ends })
    };
    asked.entries.iter().map(life).collect()
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

    fn asked(entries: &[(&str, Value)]) -> ExternalSecret {
        let entries = entries.iter().map(|(kind, rewrite)| {
            json!({"sourceRef": {"generatorRef": {"kind": kind, "name": "g"}}, "rewrite": rewrite})
        });
        let document = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
            "metadata": {"name": "a", "namespace": "n"},
            "spec": {"dataFrom": entries.collect::<Vec<_>>()}});
        ExternalSecret::read(&document).unwrap()
    }

    /// A Secret whose keys are ESO's, but for those of `neighbour`.
    fn existing(data: &[(&str, &str)], neighbour: &[&str]) -> Existing {
        let fields = |is_of: &dyn Fn(&str) -> bool| -> Value {
            let keys = data.iter().filter(|(key, _)| is_of(key));
            keys.map(|(key, _)| (format!("f:{key}"), json!({})))
                .collect::<serde_json::Map<_, _>>()
                .into()
        };
        let entry = |manager: &str, fields: Value| json!({"manager": manager, "operation": "Update", "fieldsV1": {"f:data": fields}});
        let data: serde_json::Map<String, Value> = data
            .iter()
            .map(|(key, value)| ((*key).to_owned(), json!(ByteString(value.as_bytes().to_vec()))))
            .collect();
        let document = json!({"apiVersion": "v1", "kind": "Secret", "data": data, "metadata": {
        "name": "a", "namespace": "n", "managedFields": [
            entry(MANAGER_OF_IT, fields(&|key| !neighbour.contains(&key))),
            entry("neighbour", fields(&|key| neighbour.contains(&key))),
        ]}});
        Existing::read(&document).unwrap()
    }

    #[track_caller]
    fn check(entries: &[(&str, Value)], existing: &Existing, expected: Option<&[i64]>) {
        let issued = Timestamp::from_second(1_000).unwrap();
        let kind = |generator: &GeneratorRef| Some(generator.kind.as_str().to_owned());
        let lives = lives_of(&asked(entries), existing, kind, issued, issued);
        let ends =
            lives.map(|lives| lives.iter().map(|it| it.ends.as_second()).collect::<Vec<_>>());
        assert_eq!(ends.as_deref(), expected, "{entries:?}");
    }

    #[test]
    fn an_end_is_found_under_the_name_that_the_entry_gives_it() {
        let session = [("STSSessionToken", json!([]))];
        let upper = json!([{"transform": {"template": "AWS_{{ .value | upper }}"}}]);
        let upper = [("STSAssumeRoleToken", upper)];
        check(&session, &existing(&[("expiration", "4600\n")], &[]), Some(&[4_600]));
        check(&upper, &existing(&[("AWS_EXPIRATION", "4600")], &[]), Some(&[4_600]));
        check(&upper, &existing(&[("expiration", "4600")], &[]), None);
        // What a template has put there is no end, and a neighbour's is none of ours.
        for odd in ["", "soon", "999", "1000", "130601", "-1", "99999999999999999999"] {
            check(&session, &existing(&[("expiration", odd)], &[]), None);
        }
        check(&session, &existing(&[("expiration", "4600")], &["expiration"]), None);
        check(&session, &existing(&[], &[]), None);
    }

    #[test]
    fn each_entry_has_its_own_end_or_none_counts() {
        let both = [("STSSessionToken", json!([])), ("ECRAuthorizationToken", json!([]))];
        let whole = existing(&[("expiration", "130600"), ("expires_at", "44200")], &[]);
        check(&both, &whole, Some(&[130_600, 44_200]));
        check(&both, &existing(&[("expiration", "130600")], &[]), None);
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

//! The engine's `Source` port in a cluster: key Secrets, tokens of service accounts, and the
//! controller's own identity.

use std::collections::HashMap;
use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::authentication::v1::{TokenRequest, TokenRequestSpec};
use k8s_openapi::api::core::v1::{Secret, ServiceAccount};
use kube::api::{Api, PostParams};
use rolecall_aws::Machine;
use rolecall_engine::error::{Class, SourceError};
use rolecall_engine::grant::{KeyRef, KeysRef};
use rolecall_engine::plan::SourceSpec;
use rolecall_engine::ports::{Clock, Source};
use rolecall_engine::region::Region;
use rolecall_engine::request::{MfaCode, MfaSerial};
use rolecall_engine::session::{Credentials, Identity};
use rolecall_engine::token::token_in;
use secrecy::SecretString;

use crate::api_error::{ApiProblem, problem_of};

/// Identities as the cluster has them.
///
/// A token is kept for four fifths of its life, the controller's own keys until 5 min before their
/// end, and key Secrets are read at each use.
pub struct ClusterSource {
    client: kube::Client,
    machine: Machine,
    clock: Arc<dyn Clock>,
    // A std mutex: held for map operations only, never across an await.
    kept: Mutex<HashMap<SourceSpec, Kept>>,
}

#[derive(Clone)]
struct Kept {
    identity: Identity,
    until: Timestamp,
}

impl ClusterSource {
    /// Asks `client` for what the cluster has, and `machine` for the controller's own identity.
    pub fn new(client: kube::Client, machine: Machine, clock: Arc<dyn Clock>) -> Self {
        Self { client, machine, clock, kept: Mutex::default() }
    }

    /// Forgets a token that did not serve, so that the next one is new; says whether there was one.
    pub fn forget(&self, spec: &SourceSpec) -> bool {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).remove(spec).is_some()
    }

    async fn find(&self, spec: &SourceSpec, region: &Region) -> Result<Identity, SourceError> {
        if let Some(identity) = self.kept(spec) {
            return Ok(identity);
        }
        let (identity, until) = match spec {
            SourceSpec::Secret { namespace, keys } => {
                return self.keys(spec, namespace, keys).await;
            }
            SourceSpec::ServiceAccount { namespace, name, audiences, .. } => {
                self.token(spec, namespace, name, audiences).await?
            }
            SourceSpec::Token { from: rolecall_engine::plan::TokenFrom::File(path), .. } => {
                let token = read_token(path).await?;
                return Ok(Identity::Token { token, origin: spec.to_string() });
            }
            spec => {
                let identity = self.machine.identity(spec, region).await?;
                let ends = match &identity {
                    Identity::Keys { expires_at, .. } => *expires_at,
                    Identity::Token { .. } => None,
                };
                let until = ends.and_then(|ends| ends.checked_sub(MARGIN).ok());
                (identity, until)
            }
        };
        if let Some(until) = until {
            let kept = Kept { identity: identity.clone(), until };
            self.kept.lock().unwrap_or_else(PoisonError::into_inner).insert(spec.clone(), kept);
        }
        Ok(identity)
    }

    fn kept(&self, spec: &SourceSpec) -> Option<Identity> {
        let now = self.clock.now();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        // Every look drops what has become useless, so the map is as large as what is in use.
        kept.retain(|_, kept| kept.until > now);
        kept.get(spec).map(|kept| kept.identity.clone())
    }

    /// The keys of a `secretRef`: one read for each Secret that it names.
    async fn keys(
        &self,
        spec: &SourceSpec,
        namespace: &str,
        keys: &KeysRef,
    ) -> Result<Identity, SourceError> {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let mut read: HashMap<&str, Secret> = HashMap::new();
        let parts = [
            ("SecretAccessKey", Some(&keys.secret_access_key)),
            ("accessKeyID", Some(&keys.access_key_id)),
            ("SessionToken", keys.session_token.as_ref()),
        ];
        for (part, reference) in parts {
            let Some(KeyRef { name, .. }) = reference else { continue };
            if !read.contains_key(name.as_str()) {
                let found = api
                    .get(name)
                    .await
                    .map_err(|error| secret_problem(part, name, namespace, &problem_of(&error)))?;
                read.insert(name, found);
            }
        }
        let value = |part: &str, reference: &KeyRef| {
            let secret = read.get(reference.name.as_str());
            let bytes = secret.and_then(|secret| secret.data.as_ref()?.get(&reference.key));
            let text = bytes.map(|bytes| std::str::from_utf8(&bytes.0));
            match text {
                Some(Ok(text)) => Ok(SecretString::from(text)),
                Some(Err(_)) => Err(missing_value(part, reference, "is no text")),
                None => Err(missing_value(part, reference, "")),
            }
        };
        let secret = value("SecretAccessKey", &keys.secret_access_key)?;
        let id = value("accessKeyID", &keys.access_key_id)?;
        let token = keys.session_token.as_ref().map(|it| value("SessionToken", it)).transpose()?;
        let origin = spec.to_string();
        let id = secrecy::ExposeSecret::expose_secret(&id).to_owned();
        match Credentials::accept(id, secret, token) {
            Ok(credentials) => Ok(Identity::Keys { credentials, expires_at: None, origin }),
            Err(problems) => Err(SourceError::Invalid { origin, problems }),
        }
    }

    /// A token of a service account, and until when it is kept.
    async fn token(
        &self,
        spec: &SourceSpec,
        namespace: &str,
        name: &str,
        audiences: &[String],
    ) -> Result<(Identity, Option<Timestamp>), SourceError> {
        let api: Api<ServiceAccount> = Api::namespaced(self.client.clone(), namespace);
        let asked = TokenRequestSpec { audiences: Some(audiences.to_vec()), ..Default::default() };
        let request = TokenRequest { spec: Some(asked), ..Default::default() };
        let before = self.clock.now();
        let answer = api.create_token_request(name, &PostParams::default(), &request).await;
        let answer = answer.map_err(|error| token_problem(namespace, name, &problem_of(&error)))?;
        let status = answer.status.unwrap_or_default();
        let Some((token, ends)) = status.token.zip(status.expiration_timestamp) else {
            return Err(SourceError::Failed {
                origin: spec.to_string(),
                reason: "the API server gave no token".to_owned(),
                class: Class::Unavailable,
                hint: None,
            });
        };
        let life = ends.0.duration_since(before);
        let until = before.checked_add(life * 4 / 5).ok();
        let token = SecretString::from(token);
        Ok((Identity::Token { token, origin: spec.to_string() }, until))
    }
}

impl fmt::Debug for ClusterSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClusterSource").finish_non_exhaustive()
    }
}

impl Source for ClusterSource {
    fn identity<'a>(
        &'a self,
        spec: &'a SourceSpec,
        region: &'a Region,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, SourceError>> + Send + 'a>> {
        Box::pin(self.find(spec, region))
    }

    fn mfa_code<'a>(
        &'a self,
        serial: &'a MfaSerial,
    ) -> Pin<Box<dyn Future<Output = Result<MfaCode, SourceError>> + Send + 'a>> {
        Box::pin(async move {
            let what = format!("nobody is here to give a code of {serial}");
            Err(SourceError::Missing { what, hint: None })
        })
    }
}

fn secret_problem(part: &str, name: &str, namespace: &str, problem: &ApiProblem) -> SourceError {
    let what = format!(
        "could not fetch {part} secret: cannot get Kubernetes secret \"{name}\" from namespace \
         \"{namespace}\": {problem}"
    );
    api_failure(what, problem)
}

fn missing_value(part: &str, reference: &KeyRef, problem: &str) -> SourceError {
    let (name, key) = (&reference.name, &reference.key);
    let what = match problem {
        "" => format!(
            "could not fetch {part} secret: cannot find secret data for key: \"{key}\" in Secret {name}"
        ),
        problem => {
            format!("could not fetch {part} secret: key \"{key}\" of Secret {name} {problem}")
        }
    };
    SourceError::Missing { what, hint: None }
}

fn token_problem(namespace: &str, name: &str, problem: &ApiProblem) -> SourceError {
    if let ApiProblem::Forbidden = problem {
        let what = format!(
            "error creating service account token: the controller may not create \
             serviceaccounts/token for {name} in namespace {namespace}"
        );
        let hint = "give it a Role with create on serviceaccounts/token there".to_owned();
        let class = Class::Denied;
        return SourceError::Failed { origin: what, reason: hint.clone(), class, hint: Some(hint) };
    }
    let what = format!("error creating service account token: {problem}");
    api_failure(what, problem)
}

fn api_failure(what: String, problem: &ApiProblem) -> SourceError {
    match problem {
        ApiProblem::NotFound => SourceError::Missing { what, hint: None },
        ApiProblem::Forbidden => SourceError::Failed {
            origin: what,
            reason: "the controller's role does not allow it".to_owned(),
            class: Class::Denied,
            hint: None,
        },
        _ => SourceError::Failed {
            origin: what,
            reason: "the API server gave no answer that can be used".to_owned(),
            class: Class::Unavailable,
            hint: None,
        },
    }
}

/// The token that a file holds: read anew at each use, since it is replaced there.
async fn read_token(path: &std::path::Path) -> Result<SecretString, SourceError> {
    let missing = |problem: &str| SourceError::Missing {
        what: format!("the web identity token file {} {problem}", path.display()),
        hint: None,
    };
    let text = tokio::fs::read_to_string(path).await.map_err(|_| missing("cannot be read"))?;
    let text = zeroize::Zeroizing::new(text);
    token_in(&text)
        .ok_or_else(|| missing("gives no token: a token is 4 to 20000 visible characters"))
}

/// How long before their end the controller's own keys are asked for again.
const MARGIN: SignedDuration = SignedDuration::from_mins(5);

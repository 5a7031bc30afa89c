//! The engine's `Source` port for a person's machine: documents, tokens, profiles, MFA; or,
//! emulated, the world's ambient caller and nothing of the machine.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rolecall_aws::Machine;
use rolecall_engine::error::{Attempt, Class, SourceError};
use rolecall_engine::grant::KeysRef;
use rolecall_engine::plan::{SourceSpec, TokenFrom};
use rolecall_engine::ports::Source;
use rolecall_engine::region::Region;
use rolecall_engine::request::{MfaCode, MfaSerial};
use rolecall_engine::session::{Credentials, Identity};
use secrecy::ExposeSecret;

use crate::inputs::{Inputs, read_token};
use crate::mfa::Codes;

/// Whose identity stands behind what no document holds.
#[derive(Clone, Debug)]
pub(crate) enum Ground {
    /// The machine's own, with what the default chain found nothing in.
    Machine { machine: Machine, tried: Vec<Attempt> },
    /// The caller of an emulated world, if it has one.
    Emulated(Option<Identity>),
}

/// Identities as the command line's doors find them.
#[derive(Debug)]
pub(crate) struct DoorSource {
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) ground: Ground,
    pub(crate) codes: Arc<Codes>,
    pub(crate) has_used_command: AtomicBool,
}

impl DoorSource {
    /// Whether the first reading of a token is to be used: always that of a pipe, and once that of
    /// a command, which has just been run.
    fn takes_first(&self, from: &TokenFrom) -> bool {
        match from {
            TokenFrom::File(file) => !file.is_file(),
            TokenFrom::Command(_) => !self.has_used_command.swap(true, Ordering::SeqCst),
            TokenFrom::Variable(_) => false,
            TokenFrom::Given => true,
        }
    }

    async fn find(&self, spec: &SourceSpec, region: &Region) -> Result<Identity, SourceError> {
        match (spec, &self.ground) {
            (SourceSpec::Secret { namespace, keys }, _) => Ok(Identity::Keys {
                credentials: keys_of(&self.inputs, namespace, keys)?,
                expires_at: None,
                origin: spec.to_string(),
            }),
            (SourceSpec::Given, _) => {
                let credentials = self.inputs.given.clone().ok_or_else(|| {
                    SourceError::Missing { what: "the input has no keys".to_owned(), hint: None }
                })?;
                Ok(Identity::Keys { credentials, expires_at: None, origin: spec.to_string() })
            }
            (SourceSpec::Token { from, .. }, _) => {
                // Read anew at each use; what can be read once only, was.
                let token = match &self.inputs.token {
                    Some(read) if read.from == *from && self.takes_first(from) => {
                        read.first.clone()?
                    }
                    _ => read_token(from).await?,
                };
                Ok(Identity::Token { token, origin: spec.to_string() })
            }
            (_, Ground::Emulated(Some(identity))) => Ok(identity.clone()),
            (_, Ground::Emulated(None)) => Err(SourceError::Missing {
                what: "the emulated world has no ambient caller".to_owned(),
                hint: Some("name one with ambient: in the world file".to_owned()),
            }),
            (spec, Ground::Machine { machine, tried }) => {
                let found = machine.identity(spec, region).await;
                found.map_err(|error| end_of_chain(error, tried))
            }
        }
    }
}

/// Where an instance was only the last place of the default chain, the whole chain is told.
fn end_of_chain(error: SourceError, tried: &[Attempt]) -> SourceError {
    match error {
        SourceError::Failed { reason, class: Class::NoSource, hint, .. } if !tried.is_empty() => {
            let mut tried = tried.to_vec();
            tried.push(Attempt { source: "instance metadata (IMDSv2)", reason });
            SourceError::Nothing { tried, hint }
        }
        // What answers there may be no instance's metadata at all.
        SourceError::Failed { origin, reason, class: Class::Denied, hint } if !tried.is_empty() => {
            let hint = hint.map_or_else(|| OFF_EC2.to_owned(), |hint| format!("{hint}; {OFF_EC2}"));
            SourceError::Failed { origin, reason, class: Class::Denied, hint: Some(hint) }
        }
        error => error,
    }
}

const OFF_EC2: &str = "off EC2 set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or name a profile \
                       with --profile";

impl Source for DoorSource {
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
        Box::pin(self.codes.code(serial))
    }
}

/// The keys that a grant's `secretRef` names.
pub(crate) fn keys_of(
    inputs: &Inputs,
    namespace: &str,
    keys: &KeysRef,
) -> Result<Credentials, SourceError> {
    let value = |reference| inputs.secret_value(namespace, reference);
    let key_id = value(&keys.access_key_id)?;
    let secret = value(&keys.secret_access_key)?;
    let token = keys.session_token.as_ref().map(value).transpose()?;
    Credentials::accept(key_id.expose_secret().to_owned(), secret, token).map_err(|problems| {
        let origin = format!("Secret {namespace}/{}", keys.access_key_id.name);
        SourceError::Invalid { origin, problems }
    })
}

//! The engine's `Source` port for a person's machine: documents, token files, profiles, the default
//! chain; or, emulated, the world's ambient caller and nothing of the machine.

use std::pin::Pin;
use std::sync::Arc;

use rolecall_aws::{Destination, SharedConfig, sources};
use rolecall_engine::error::SourceError;
use rolecall_engine::grant::KeysRef;
use rolecall_engine::plan::SourceSpec;
use rolecall_engine::ports::Source;
use rolecall_engine::region::Region;
use rolecall_engine::session::{Credentials, Identity};
use secrecy::ExposeSecret;

use crate::inputs::{Inputs, read_token};

/// Where the default chain leads.
#[derive(Clone, Debug)]
pub(crate) enum Ambient {
    /// To the machine's own identity; `AWS_PROFILE`, where it is set.
    Machine { profile: Option<String> },
    /// To the caller of an emulated world, if it has one.
    Emulated(Option<Identity>),
}

/// Identities as the command line's doors find them.
#[derive(Debug)]
pub(crate) struct DoorSource {
    pub(crate) inputs: Arc<Inputs>,
    pub(crate) ambient: Ambient,
    pub(crate) destination: Destination,
}

impl DoorSource {
    async fn find(&self, spec: &SourceSpec, region: &Region) -> Result<Identity, SourceError> {
        match spec {
            SourceSpec::Secret { namespace, keys } => Ok(Identity::Keys {
                credentials: keys_of(&self.inputs, namespace, keys)?,
                expires_at: None,
                origin: spec.to_string(),
            }),
            SourceSpec::Token { file, .. } => {
                // A file is read anew at each use; what can be read once only, was.
                let token = match &self.inputs.token {
                    Some(read) if !file.is_file() => read.first.clone()?,
                    _ => read_token(file)?,
                };
                Ok(Identity::Token { token, origin: spec.to_string() })
            }
            SourceSpec::Profile(name) => sources::profile(name, region, &self.destination).await,
            SourceSpec::Ambient => self.ambient(region).await,
        }
    }

    async fn ambient(&self, region: &Region) -> Result<Identity, SourceError> {
        match &self.ambient {
            Ambient::Machine { profile } => {
                // A mistyped AWS_PROFILE must not fall through to somebody else's identity.
                if let Some(profile) = profile {
                    SharedConfig::load(Some(profile)).await?;
                }
                sources::default_chain(region, &self.destination).await
            }
            Ambient::Emulated(Some(identity)) => Ok(identity.clone()),
            Ambient::Emulated(None) => Err(SourceError::Missing {
                what: "the emulated world has no ambient caller".to_owned(),
                hint: Some("name one with ambient: in the world file".to_owned()),
            }),
        }
    }
}

impl Source for DoorSource {
    fn identity<'a>(
        &'a self,
        spec: &'a SourceSpec,
        region: &'a Region,
    ) -> Pin<Box<dyn Future<Output = Result<Identity, SourceError>> + Send + 'a>> {
        Box::pin(self.find(spec, region))
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

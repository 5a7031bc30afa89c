//! What the shared configuration files say beside credentials: profiles and their region.

use aws_config::profile::{ProfileSet, load};
use aws_credential_types::provider::error::CredentialsError;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_types::os_shim_internal::{Env, Fs};
use rolecall_engine::error::SourceError;
use rolecall_engine::violation::nearest;

/// The profiles of `~/.aws/config` and `~/.aws/credentials`, or of the files that
/// `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name.
#[derive(Debug)]
pub struct SharedConfig {
    profiles: ProfileSet,
    selected: String,
}

impl SharedConfig {
    /// Reads the files; missing ones are empty.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] when a file cannot be read, or when `profile` was asked for and
    /// does not exist, whatever keys the environment holds.
    pub async fn load(profile: Option<&str>) -> Result<Self, SourceError> {
        let (fs, env) = (Fs::real(), Env::real());
        let files = EnvConfigFiles::default();
        let profiles =
            load(&fs, &env, &files, None).await.map_err(|error| SourceError::Missing {
                what: format!("the AWS config files cannot be read: {}", chain_of(&error)),
                hint: None,
            })?;
        let selected = profile.unwrap_or("default").to_owned();
        let config = Self { profiles, selected };
        match profile {
            Some(name) if config.profiles.get_profile(name).is_none() => Err(config.missing(name)),
            _ => Ok(config),
        }
    }

    /// The region of the selected profile; no other profile's is inherited.
    pub fn region(&self) -> Option<&str> {
        self.profiles.get_profile(&self.selected)?.get("region")
    }

    fn missing(&self, name: &str) -> SourceError {
        let mut names: Vec<&str> = self.profiles.profiles().collect();
        names.sort_unstable();
        let hint = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean {near}?"),
            None if names.is_empty() => {
                "there is no profile at all in the AWS config files".to_owned()
            }
            None => format!("there are: {}", names.join(", ")),
        };
        SourceError::Missing { what: format!("there is no profile {name}"), hint: Some(hint) }
    }
}

/// The sentences of an error and its sources; the SDK's debug forms are never used.
pub(crate) fn chain_of(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let sentence = error.to_string();
        if !text.contains(&sentence) {
            text = format!("{text}: {sentence}");
        }
        source = error.source();
    }
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(1_000).collect()
}

/// As [`chain_of`], without the SDK's opening phrase, which says nothing.
pub(crate) fn reason_of(error: &CredentialsError) -> String {
    match std::error::Error::source(error) {
        Some(source) => chain_of(source),
        None => error.to_string(),
    }
}

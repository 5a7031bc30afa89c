//! What the shared configuration files say beside credentials: profiles and their region.

use aws_config::profile::{ProfileSet, load};
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
                what: format!(
                    "the AWS config files cannot be read: {}",
                    one_line(&error.to_string())
                ),
                hint: None,
            })?;
        let selected = profile.unwrap_or(profiles.selected_profile()).to_owned();
        let config = Self { profiles, selected };
        match profile {
            Some(name) if config.profiles.get_profile(name).is_none() => Err(config.missing(name)),
            _ => Ok(config),
        }
    }

    /// The name of the selected profile.
    pub(crate) fn name(&self) -> &str {
        &self.selected
    }

    /// The command of the selected profile's `credential_process`.
    pub(crate) fn credential_process(&self) -> Option<&str> {
        self.profiles.get_profile(&self.selected)?.get("credential_process")
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

/// One line of text of another library, at most 500 characters.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(500).collect()
}

//! The AWS config files: profiles, and what they say of credentials and of where to call.
//!
//! Read by rolecall itself, not by the SDK, so that a profile's roles become hops of a plan, with
//! our own words for what is wrong. Both files are one: the credentials file wins.

mod chain;
mod merge;
mod profile;
mod settings;
mod syntax;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use rolecall_engine::error::SourceError;
use rolecall_engine::violation::{nearest, shown};
use zeroize::Zeroizing;

use crate::files;

pub use chain::{ChainOptions, ProfileChain};
pub use profile::{CredentialKind, Profile};
pub use settings::{Endpoints, ProfileSettings};

pub(crate) use profile::Own;

use merge::Merged;
use syntax::FileKind;

/// Where the two files are; nowhere, for somebody without a home.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ConfigFiles {
    /// `AWS_CONFIG_FILE`, else `~/.aws/config`.
    pub config: Option<PathBuf>,
    /// `AWS_SHARED_CREDENTIALS_FILE`, else `~/.aws/credentials`.
    pub credentials: Option<PathBuf>,
}

/// The profiles of both files.
#[derive(Debug, Default)]
pub struct SharedConfig {
    profiles: BTreeMap<String, Merged>,
    sso_sessions: BTreeMap<String, Merged>,
    services: BTreeMap<String, Merged>,
    /// Sections that can be no profile: file and line, what stands in the brackets, and why.
    unusable: Vec<(String, String, &'static str)>,
}

impl SharedConfig {
    /// Reads the files; one that does not exist is empty.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] when a file cannot be read, is larger than 1 MiB, or has a line that
    /// leaves open which profile it belongs to.
    pub fn load(files: &ConfigFiles) -> Result<Self, SourceError> {
        let mut config = Self::default();
        for (path, kind) in
            [(&files.config, FileKind::Config), (&files.credentials, FileKind::Credentials)]
        {
            if let Some(path) = path {
                config.add(path, kind)?;
            }
        }
        Ok(config)
    }

    /// The profile of this name.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] with the nearest names when there is none.
    pub fn profile(&self, name: &str) -> Result<Profile<'_>, SourceError> {
        self.find(name).ok_or_else(|| self.missing(name))
    }

    /// The profile of this name, if there is one.
    pub fn find(&self, name: &str) -> Option<Profile<'_>> {
        let (name, group) = self.profiles.get_key_value(name)?;
        Some(Profile { name, group })
    }

    fn add(&mut self, path: &Path, kind: FileKind) -> Result<(), SourceError> {
        let refused = |problem: String, hint: &str| SourceError::Missing {
            what: format!("the AWS config file {} {problem}", path.display()),
            hint: Some(hint.to_owned()),
        };
        let unreadable = |problem| refused(problem, "AWS_CONFIG_FILE names another one");
        let text = match files::read(path) {
            Ok(bytes) => decoded(&bytes).map_err(unreadable)?,
            Err(error) if is_absent(&error) => return Ok(()),
            Err(error) => return Err(unreadable(format!("cannot be read: {error}"))),
        };
        let groups = syntax::parse(&text, kind)
            .map_err(|error| refused(format!("is broken, {error}"), FORM))?;
        self.merge(groups, kind, path);
        Ok(())
    }

    fn missing(&self, name: &str) -> SourceError {
        let what = format!("there is no profile {}", shown(name));
        let wrong = self.unusable.iter().find(|(_, text, _)| names_the_same(text, name));
        let names = self.profiles.keys().map(String::as_str);
        let hint = match (wrong, nearest(name, names.clone())) {
            (Some((place, text, why)), _) => format!("[{text}] in {place} is no profile: {why}"),
            (None, Some(near)) => format!("did you mean {near}?"),
            (None, None) if self.profiles.is_empty() => {
                "there is no profile at all in the AWS config files".to_owned()
            }
            (None, None) => format!("there are: {}", names.collect::<Vec<_>>().join(", ")),
        };
        SourceError::Missing { what, hint: Some(hint) }
    }
}

const FORM: &str = "it holds lines [profile NAME], and lines KEY = VALUE below them";

/// Whether a header that is no profile's was meant to be that of `name`.
fn names_the_same(header: &str, name: &str) -> bool {
    let header = header.strip_prefix("profile").unwrap_or(header).trim();
    header == name
}

/// A file in a directory that does not exist is absent too.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// UTF-8; a stray byte becomes U+FFFD, which no key or name can hold.
fn decoded(bytes: &[u8]) -> Result<Zeroizing<String>, String> {
    let is_utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
    if is_utf16 || bytes.contains(&0) {
        return Err("is UTF-16 or binary: save it as UTF-8".to_owned());
    }
    // Room for all of it, so that no secret is left behind by a growing buffer.
    let mark = |invalid: &[u8]| if invalid.is_empty() { "" } else { "\u{fffd}" };
    let lengths = bytes.utf8_chunks().map(|part| part.valid().len() + mark(part.invalid()).len());
    let mut text = Zeroizing::new(String::with_capacity(lengths.sum()));
    for part in bytes.utf8_chunks() {
        text.push_str(part.valid());
        text.push_str(mark(part.invalid()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;

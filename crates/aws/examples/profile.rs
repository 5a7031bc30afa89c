//! What is read of one profile, as JSON, without any call: for `cargo xtask judge`, which asks
//! botocore the same.
//!
//! `profile NAME` prints `{"region", "source", "key", "error"}` from the files that
//! `AWS_CONFIG_FILE` and `AWS_SHARED_CREDENTIALS_FILE` name; `source` is botocore's word for it.

use std::path::Path;

use rolecall_aws::{ChainOptions, ConfigFiles, CredentialKind, SharedConfig};
use rolecall_engine::arn::Dialect;
use rolecall_engine::error::{Error, SourceError};
use rolecall_engine::plan::{Hop, SourceSpec, Start, TokenFrom};
use rolecall_engine::request::SessionName;
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let name = std::env::args().nth(1).ok_or("usage: profile NAME")?;
    let files = ConfigFiles {
        config: Some(path_in("AWS_CONFIG_FILE")?),
        credentials: Some(path_in("AWS_SHARED_CREDENTIALS_FILE")?),
    };
    let reading = match SharedConfig::load(&files) {
        Ok(config) => reading(&config, &name),
        Err(error) => answer(None, Err(error)),
    };
    #[expect(clippy::print_stdout, reason = "a program of its own; a key's ID is no secret")]
    {
        println!("{reading}");
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a program of its own, without settings")]
fn path_in(variable: &str) -> Result<std::path::PathBuf, String> {
    std::env::var_os(variable).map(Into::into).ok_or(format!("{variable} is not set"))
}

/// botocore's name for the method, and the key where it stands in a file.
type Found = Option<(&'static str, Option<String>)>;

fn reading(config: &SharedConfig, name: &str) -> Value {
    if let Err(error) = config.profile(name) {
        return answer(None, Err(error));
    }
    answer(config.settings(name).region.as_deref(), credentials(config, name))
}

fn answer(region: Option<&str>, found: Result<Found, SourceError>) -> Value {
    let (found, error) = match found {
        Ok(found) => (found, None),
        Err(error) => (None, Some(Error::from(error).code())),
    };
    let (source, key) = found.unzip();
    json!({ "region": region, "source": source, "key": key.flatten(), "error": error })
}

fn credentials(config: &SharedConfig, name: &str) -> Result<Found, SourceError> {
    if !config.has_credentials(name) {
        return Ok(None);
    }
    let options = ChainOptions {
        dialect: Dialect::Aws,
        default_name: SessionName::made_from("judge"),
        session_name: None,
        role: None,
    };
    let Start { source, hops } = config.chain(name, &options)?.start;
    match (hops.last(), source) {
        (Some(Hop::WebIdentity(_)), SourceSpec::Token { from: TokenFrom::File(path), .. }) => {
            exists(&path).map(|()| Some(("assume-role-with-web-identity", None)))
        }
        (Some(_), _) => Ok(Some(("assume-role", None))),
        (None, SourceSpec::Profile(_)) => own(config, name).map(Some),
        (None, SourceSpec::Environment) => Ok(Some(("env", None))),
        (None, SourceSpec::Container) => Ok(Some(("container-role", None))),
        (None, SourceSpec::Instance) => Ok(Some(("iam-role", None))),
        (None, _) => Ok(None),
    }
}

fn own(config: &SharedConfig, name: &str) -> Result<(&'static str, Option<String>), SourceError> {
    let key = || Some(config.find(name)?.get("aws_access_key_id")?.to_owned());
    Ok(match config.credential_kind(name)? {
        CredentialKind::KeysOfCredentialsFile => ("shared-credentials-file", key()),
        CredentialKind::KeysOfConfigFile => ("config-file", key()),
        CredentialKind::Sso => ("sso", None),
        CredentialKind::Login => ("login", None),
        CredentialKind::Process => ("custom-process", None),
    })
}

/// A token's file is read at the call; botocore, asked for keys, opens it too.
fn exists(path: &Path) -> Result<(), SourceError> {
    std::fs::metadata(path).map(|_| ()).map_err(|_| SourceError::Missing {
        what: format!("there is no {}", path.display()),
        hint: None,
    })
}

//! One row of the table: the files, and what must be read in them.
//!
//! `expect` names parts of the reading (see [`reading_of`]); a part that it does not name may be
//! anything. Beside them stand `warnings`, `error` and `error_of_chain`: lists of texts that must be
//! told. An empty list of warnings means that there is none; an error, that no row expects, is a
//! fault.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rolecall_engine::error::{Error, SourceError};
use rolecall_engine::plan::{Hop, SourceSpec, Start, TokenFrom};
use rolecall_engine::request::{ExternalId, SessionDuration};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::{CredentialKind, ProfileChain, SharedConfig};
use super::{options, without_place, written};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    id: String,
    name: String,
    profile: String,
    config: Option<String>,
    /// In place of `config`, for what is not UTF-8.
    config_base64: Option<String>,
    credentials: Option<String>,
    expect: Expectation,
}

#[derive(Debug, Deserialize)]
struct Expectation {
    warnings: Option<Vec<String>>,
    /// Parts of the error and its hint.
    error: Option<Vec<String>>,
    /// The same, where a profile without credentials is asked for them all the same.
    error_of_chain: Option<Vec<String>>,
    #[serde(flatten)]
    reading: Map<String, Value>,
}

impl Row {
    /// What is not as expected, each with the row's name.
    pub(super) fn faults(&self) -> Vec<String> {
        let bytes = self.config_base64.as_deref().map(|text| BASE64_STANDARD.decode(text).unwrap());
        let config = bytes.as_deref().or(self.config.as_deref().map(str::as_bytes));
        let (folder, files) = written(config, self.credentials.as_deref().map(str::as_bytes));
        let mut faults = Vec::new();
        let read = SharedConfig::load(&files)
            .and_then(|config| reading_of(&config, &self.profile, &self.expect, &mut faults));
        match (read, &self.expect.error) {
            (Ok(found), None) => {
                contains("reading", &self.expect.reading.clone().into(), &found, &mut faults);
            }
            (Ok(found), Some(_)) => faults.push(format!("is no error, but {found}")),
            (Err(error), Some(parts)) => told(parts, &shown(&error), &mut faults),
            (Err(error), None) => faults.push(format!("is refused: {}", shown(&error))),
        }
        let place = format!("{} {}: ", self.id, self.name);
        faults.iter().map(|fault| place.clone() + &without_place(fault, folder.path())).collect()
    }
}

fn reading_of(
    config: &SharedConfig,
    name: &str,
    expect: &Expectation,
    faults: &mut Vec<String>,
) -> Result<Value, SourceError> {
    let profile = config.profile(name)?;
    if let Some(parts) = &expect.error_of_chain {
        let error = config.chain(name, &options()).map(drop).unwrap_err();
        told(parts, &shown(&error), faults);
    }
    let settings = config.settings(name);
    let mut found = json!({
        "region": settings.region,
        "mfa_serial": settings.mfa_serial,
        "fips": settings.fips,
        "dual_stack": settings.dual_stack,
        "endpoints": {
            "sts": settings.endpoints.sts,
            "ecr": settings.endpoints.ecr,
            "ecr_public": settings.endpoints.ecr_public,
        },
        "properties": properties(&expect.reading, |key| profile.get(key)),
        "source": null,
        "warning_count": settings.warnings.len(),
    });
    let mut warnings = settings.warnings;
    if config.has_credentials(name) {
        let chain = config.chain(name, &options())?;
        let of_chain = reading_of_chain(config, name, &chain)?;
        found.as_object_mut().unwrap().extend(of_chain);
        warnings.extend(chain.warnings);
    }
    match expect.warnings.as_deref() {
        Some([]) if !warnings.is_empty() => faults.push(format!("has warnings: {warnings:?}")),
        Some(parts) => told(parts, &warnings.join("\n"), faults),
        None => {}
    }
    Ok(found)
}

fn properties<'a>(expect: &Map<String, Value>, get: impl Fn(&str) -> Option<&'a str>) -> Value {
    let asked = expect.get("properties").and_then(Value::as_object);
    asked.into_iter().flat_map(Map::keys).map(|key| (key.clone(), json!(get(key)))).collect()
}

fn reading_of_chain(
    config: &SharedConfig,
    name: &str,
    chain: &ProfileChain,
) -> Result<Map<String, Value>, SourceError> {
    let Start { source, hops } = &chain.start;
    assert_eq!(hops.len(), chain.hop_profiles.len(), "{:?}", chain.hop_profiles);
    let is_own = hops.is_empty() && matches!(source, SourceSpec::Profile(_));
    let kind = is_own.then(|| config.credential_kind(name)).transpose()?;
    let key = config.find(name).and_then(|profile| profile.get("aws_access_key_id"));
    let file = match source {
        SourceSpec::Token { from: TokenFrom::File(path), .. } => Some(path),
        _ => None,
    };
    let found = json!({
        "start": source.to_string(),
        "source": method(kind, hops, source),
        "key": key.filter(|_| kind.is_some_and(is_key)),
        "token_file": file,
        "mfa_command": chain.mfa_command,
        "hops": hops.iter().map(|hop| hop.role().unwrap().as_str()).collect::<Vec<_>>(),
        "names": hops.iter().map(names).collect::<Vec<_>>(),
    });
    Ok(found.as_object().unwrap().clone())
}

/// What goes with a call, as far as files can say it.
pub(super) fn names(hop: &Hop) -> Value {
    match hop {
        Hop::AssumeRole(request) => json!({
            "session": request.session_name.as_str(),
            "external_id": request.external_id.as_ref().map(ExternalId::as_str),
            "mfa_serial": request.mfa.as_ref().map(|mfa| mfa.serial.as_str()),
            "duration": request.duration.map(SessionDuration::seconds),
        }),
        Hop::WebIdentity(request) => json!({
            "session": request.session_name.as_str(),
            "duration": request.duration.map(SessionDuration::seconds),
        }),
        Hop::SessionToken(_) | Hop::RegistryToken(_) => panic!("no profile asks for {hop:?}"),
    }
}

fn is_key(kind: CredentialKind) -> bool {
    matches!(kind, CredentialKind::KeysOfCredentialsFile | CredentialKind::KeysOfConfigFile)
}

/// botocore's name of the method.
fn method(kind: Option<CredentialKind>, hops: &[Hop], source: &SourceSpec) -> &'static str {
    match (hops.last(), kind, source) {
        (Some(Hop::WebIdentity(_)), ..) => "assume-role-with-web-identity",
        (Some(_), ..) => "assume-role",
        (None, Some(CredentialKind::KeysOfCredentialsFile), _) => "shared-credentials-file",
        (None, Some(CredentialKind::KeysOfConfigFile), _) => "config-file",
        (None, Some(CredentialKind::Sso), _) => "sso",
        (None, Some(CredentialKind::Login), _) => "login",
        (None, Some(CredentialKind::Process), _) => "custom-process",
        (None, None, SourceSpec::Environment) => "env",
        (None, None, SourceSpec::Container) => "container-role",
        (None, None, SourceSpec::Instance) => "iam-role",
        (None, None, other) => panic!("{other} is no source of a profile"),
    }
}

fn shown(error: &SourceError) -> String {
    let hint = Error::from(error.clone()).hint().unwrap_or_default();
    format!("{error}; hint: {hint}")
}

fn told(parts: &[String], text: &str, faults: &mut Vec<String>) {
    let missing = parts.iter().filter(|part| !text.contains(part.as_str()));
    faults.extend(missing.map(|part| format!("{part:?} is not told: {text}")));
}

/// Compares what is expected; of an object only the keys that are.
fn contains(what: &str, expected: &Value, found: &Value, faults: &mut Vec<String>) {
    match (expected, found) {
        (Value::Object(expected), Value::Object(found)) => {
            for (key, value) in expected {
                match found.get(key) {
                    Some(found) => contains(key, value, found, faults),
                    None => faults.push(format!("{what} has no {key}")),
                }
            }
        }
        (Value::Array(expected), Value::Array(found)) if expected.len() == found.len() => {
            for (expected, found) in expected.iter().zip(found) {
                contains(what, expected, found, faults);
            }
        }
        _ if expected == found => {}
        _ => faults.push(format!("{what} is {found}, not {expected}")),
    }
}

//! One row of the table: the files, and what must be read in them.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use rolecall_engine::error::{Error, SourceError};
use rolecall_engine::plan::{Hop, SourceSpec, TokenFrom};
use serde::{Deserialize, Deserializer};

use super::super::{CredentialKind, ProfileChain, ProfileSettings, SharedConfig};
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

/// What is not named may be anything; `null` means that it must be absent.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Expectation {
    #[serde(deserialize_with = "given")]
    region: Option<Option<String>>,
    /// botocore's name of the method.
    #[serde(deserialize_with = "given")]
    source: Option<Option<String>>,
    /// The access key's ID.
    #[serde(deserialize_with = "given")]
    key: Option<Option<String>>,
    properties: BTreeMap<String, Option<String>>,
    /// Parts of warnings; an empty list means that there is none.
    warnings: Option<Vec<String>>,
    /// Parts of the error and its hint.
    error: Option<Vec<String>>,
    /// The same, where the profile is there and is only asked for credentials in vain.
    error_of_chain: Option<Vec<String>>,
    /// Whom the chain begins with, in the engine's words.
    start: Option<String>,
    token_file: Option<String>,
    /// The roles in the order of the calls.
    hops: Option<Vec<String>>,
    /// What goes with each call, in the same order.
    names: Option<Vec<ExpectedCall>>,
    mfa_command: Option<String>,
    #[serde(deserialize_with = "given")]
    mfa_serial: Option<Option<String>>,
    endpoints: BTreeMap<String, Option<String>>,
    fips: Option<bool>,
    dual_stack: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct ExpectedCall {
    session: Option<String>,
    #[serde(deserialize_with = "given")]
    external_id: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    mfa_serial: Option<Option<String>>,
    #[serde(deserialize_with = "given")]
    duration: Option<Option<u32>>,
}

fn given<'de, D: Deserializer<'de>, T: Deserialize<'de>>(value: D) -> Result<Option<T>, D::Error> {
    T::deserialize(value).map(Some)
}

/// A call, as far as files can say anything of it.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) role: String,
    pub(super) session: String,
    external_id: Option<String>,
    mfa_serial: Option<String>,
    duration: Option<u32>,
}

pub(super) fn of_hop(hop: &Hop) -> Call {
    let role = hop.role().unwrap().to_string();
    match hop {
        Hop::AssumeRole(request) => Call {
            role,
            session: request.session_name.to_string(),
            external_id: request.external_id.as_ref().map(ToString::to_string),
            mfa_serial: request.mfa.as_ref().map(|mfa| mfa.serial.to_string()),
            duration: request.duration.map(|duration| duration.seconds()),
        },
        Hop::WebIdentity(request) => Call {
            role,
            session: request.session_name.to_string(),
            external_id: None,
            mfa_serial: None,
            duration: request.duration.map(|duration| duration.seconds()),
        },
        Hop::SessionToken(_) | Hop::RegistryToken(_) => panic!("no profile asks for {hop:?}"),
    }
}

/// What was read for a row.
struct Reading {
    settings: ProfileSettings,
    key: Option<String>,
    properties: BTreeMap<String, Option<String>>,
    /// Nothing where the profile has nothing that gives credentials.
    chain: Option<Result<(ProfileChain, Option<CredentialKind>), SourceError>>,
    /// What chain says, asked all the same.
    forced: Result<(), SourceError>,
}

impl Row {
    /// What is not as expected, each with the row's name.
    pub(super) fn faults(&self) -> Vec<String> {
        let decoded = self.config_base64.as_deref().map(|text| BASE64_STANDARD.decode(text));
        let bytes = decoded.map(Result::unwrap);
        let config = bytes.as_deref().or(self.config.as_deref().map(str::as_bytes));
        let (folder, files) = written(config, self.credentials.as_deref().map(str::as_bytes));
        let mut faults = Vec::new();
        match SharedConfig::load(&files).and_then(|config| self.read(&config)) {
            Ok(reading) => self.compare(reading, &mut faults),
            Err(error) => expect_error(self.expect.error.as_ref(), &error, &mut faults),
        }
        let place = format!("{} {}: ", self.id, self.name);
        faults.iter().map(|fault| place.clone() + &without_place(fault, folder.path())).collect()
    }

    fn read(&self, config: &SharedConfig) -> Result<Reading, SourceError> {
        let name = self.profile.as_str();
        let profile = config.profile(name)?;
        let text = |key: &str| profile.get(key).map(str::to_owned);
        let chain = || {
            let chain = config.chain(name, &options())?;
            let is_own = chain.start.hops.is_empty()
                && matches!(chain.start.source, SourceSpec::Profile(_));
            let kind = is_own.then(|| config.credential_kind(name)).transpose()?;
            Ok((chain, kind))
        };
        Ok(Reading {
            settings: config.settings(name),
            key: text("aws_access_key_id"),
            properties: self.expect.properties.keys().map(|k| (k.clone(), text(k))).collect(),
            chain: config.has_credentials(name).then(chain),
            forced: config.chain(name, &options()).map(drop),
        })
    }

    fn compare(&self, reading: Reading, faults: &mut Vec<String>) {
        let expect = &self.expect;
        let settings = &reading.settings;
        let mut warnings = settings.warnings.clone();
        compare("region", expect.region.as_ref(), &settings.region, faults);
        compare("properties", Some(&expect.properties), &reading.properties, faults);
        compare("mfa_serial", expect.mfa_serial.as_ref(), &settings.mfa_serial, faults);
        compare("fips", expect.fips.map(Some).as_ref(), &settings.fips, faults);
        compare("dual_stack", expect.dual_stack.map(Some).as_ref(), &settings.dual_stack, faults);
        for (service, url) in &expect.endpoints {
            let found = match service.as_str() {
                "sts" => &settings.endpoints.sts,
                "ecr" => &settings.endpoints.ecr,
                "ecr_public" => &settings.endpoints.ecr_public,
                other => panic!("{other} is no endpoint of ours"),
            };
            compare(service, Some(url), found, faults);
        }
        if let Some(parts) = &expect.error_of_chain {
            match &reading.forced {
                Ok(()) => faults.push("has a chain".to_owned()),
                Err(error) => expect_error(Some(parts), error, faults),
            }
        }
        match reading.chain {
            Some(Err(error)) => expect_error(expect.error.as_ref(), &error, faults),
            _ if expect.error.is_some() => faults.push("is no error".to_owned()),
            None => compare("source", expect.source.as_ref(), &None, faults),
            Some(Ok((chain, kind))) => {
                warnings.extend(chain.warnings.iter().cloned());
                let key = reading.key.filter(|_| kind.is_some_and(is_key));
                self.compare_chain(&chain, kind, key, faults);
            }
        }
        expect_warnings(expect.warnings.as_deref(), &warnings, faults);
    }

    fn compare_chain(
        &self,
        chain: &ProfileChain,
        kind: Option<CredentialKind>,
        key: Option<String>,
        faults: &mut Vec<String>,
    ) {
        let expect = &self.expect;
        let method = Some(method(chain, kind).to_owned());
        compare("source", expect.source.as_ref(), &method, faults);
        compare("key", expect.key.as_ref(), &key, faults);
        let calls: Vec<Call> = chain.start.hops.iter().map(of_hop).collect();
        let roles: Vec<String> = calls.iter().map(|call| call.role.clone()).collect();
        compare("hops", expect.hops.as_ref(), &roles, faults);
        compare("profiles of hops", Some(&roles.len()), &chain.hop_profiles.len(), faults);
        let start = Some(chain.start.source.to_string());
        compare("start", expect.start.clone().map(Some).as_ref(), &start, faults);
        let file = match &chain.start.source {
            SourceSpec::Token { from: TokenFrom::File(path), .. } => {
                Some(path.display().to_string())
            }
            _ => None,
        };
        compare("token_file", expect.token_file.clone().map(Some).as_ref(), &file, faults);
        let command = expect.mfa_command.clone().map(Some);
        compare("mfa_command", command.as_ref(), &chain.mfa_command, faults);
        let Some(names) = &expect.names else { return };
        compare("number of names", Some(&names.len()), &calls.len(), faults);
        for (expected, call) in names.iter().zip(&calls) {
            compare("session", expected.session.as_ref(), &call.session, faults);
            compare("external_id", expected.external_id.as_ref(), &call.external_id, faults);
            compare("mfa_serial", expected.mfa_serial.as_ref(), &call.mfa_serial, faults);
            compare("duration", expected.duration.as_ref(), &call.duration, faults);
        }
    }
}

fn compare<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: Option<&T>,
    found: &T,
    faults: &mut Vec<String>,
) {
    if let Some(expected) = expected.filter(|expected| *expected != found) {
        faults.push(format!("{what} is {found:?}, not {expected:?}"));
    }
}

fn expect_error(parts: Option<&Vec<String>>, error: &SourceError, faults: &mut Vec<String>) {
    let hint = Error::from(error.clone()).hint().unwrap_or_default();
    let text = format!("{error}; hint: {hint}");
    let Some(parts) = parts else { return faults.push(format!("is refused: {text}")) };
    let missing = parts.iter().filter(|part| !text.contains(part.as_str()));
    faults.extend(missing.map(|part| format!("{part:?} is not in the error: {text}")));
}

fn expect_warnings(parts: Option<&[String]>, warnings: &[String], faults: &mut Vec<String>) {
    let Some(parts) = parts else { return };
    if parts.is_empty() && !warnings.is_empty() {
        faults.push(format!("has warnings: {warnings:?}"));
    }
    let is_told = |part: &&String| warnings.iter().any(|text| text.contains(part.as_str()));
    let missing = parts.iter().filter(|part| !is_told(part));
    faults.extend(missing.map(|part| format!("{part:?} is in none of {warnings:?}")));
}

fn is_key(kind: CredentialKind) -> bool {
    matches!(kind, CredentialKind::KeysOfCredentialsFile | CredentialKind::KeysOfConfigFile)
}

fn method(chain: &ProfileChain, kind: Option<CredentialKind>) -> &'static str {
    match (chain.start.hops.last(), kind, &chain.start.source) {
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

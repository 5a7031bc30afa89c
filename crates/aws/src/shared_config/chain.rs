//! From a profile to a source and hops: `source_profile`, `credential_source`, roles, web identity.
//!
//! Keys: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-assume-role-credentials.html>.

use std::path::PathBuf;

use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::error::SourceError;
use rolecall_engine::plan::{Hop, SourceSpec, Start, TokenFrom, WebIdentityRequest};
use rolecall_engine::request::{
    ExternalId, Mfa, MfaSerial, RoleRequest, SessionDuration, SessionName,
};
use rolecall_engine::violation::Violations;

use super::{Profile, SharedConfig};

/// What a profile's roles are read with.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// Whose rules ARNs are held against.
    pub dialect: Dialect,
    /// The name of sessions that the files give none.
    pub default_name: SessionName,
    /// `AWS_ROLE_SESSION_NAME`, which beats the `role_session_name` of the profile asked for.
    pub session_name: Option<SessionName>,
    /// `AWS_ROLE_ARN`, which beats the `role_arn` beside the `web_identity_token_file` of the
    /// profile asked for.
    pub role: Option<RoleArn>,
}

/// What a profile asks for.
#[derive(Clone, Debug)]
pub struct ProfileChain {
    /// Who begins, and the roles passed through; the last one is the profile's own.
    pub start: Start,
    /// The profile of each hop, for messages.
    pub hop_profiles: Vec<String>,
    /// The command that gives MFA codes (`mfa_process`), found along `source_profile`.
    pub mfa_command: Option<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

impl SharedConfig {
    /// Follows a profile to its source.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] naming the profile and what to write: a profile that does not
    /// exist, a circle (printed as a path), both sources or none, half of something, values that
    /// STS would refuse.
    pub fn chain(&self, name: &str, options: &ChainOptions) -> Result<ProfileChain, SourceError> {
        let mut walk = Walk { config: self, options, visited: Vec::new(), roles: Vec::new() };
        let (source, token_hop, mut warnings) = walk.find_source(name)?;
        let visited = walk.visited;
        let mut hops: Vec<Hop> = Vec::new();
        let mut hop_profiles = Vec::new();
        if let Some(request) = token_hop {
            hops.push(Hop::WebIdentity(request));
            hop_profiles.extend(visited.last().map(|profile| profile.name.to_owned()));
        }
        for (profile, mut request) in walk.roles.into_iter().rev() {
            // AWS refuses it there, and the code would be spent for nothing.
            if !hops.is_empty() && request.mfa.take().is_some() {
                warnings.push(format!(
                    "the mfa_serial of profile {} is left out: a role's session has no device",
                    profile.name
                ));
            }
            hops.push(Hop::AssumeRole(request));
            hop_profiles.push(profile.name.to_owned());
        }
        for profile in &visited {
            let session = profile.get("sso_session").and_then(|name| self.sso_sessions.get(name));
            let read = [Some(profile.group), session];
            warnings.extend(read.iter().flatten().flat_map(|group| group.remarks.iter().cloned()));
        }
        let mfa_command = visited.iter().find_map(|profile| profile.get("mfa_process"));
        Ok(ProfileChain {
            start: Start { source, hops },
            hop_profiles,
            mfa_command: mfa_command.map(str::to_owned),
            warnings,
        })
    }

    /// Whether a profile has anything that gives credentials: else the default chain goes on.
    ///
    /// A line that cannot be read might have been it, so it counts: what was meant for one
    /// identity must not run as another.
    pub fn has_credentials(&self, name: &str) -> bool {
        const KEYS: [&str; 12] = [
            "role_arn",
            "source_profile",
            "credential_source",
            "web_identity_token_file",
            "aws_access_key_id",
            "aws_secret_access_key",
            "sso_session",
            "sso_start_url",
            "sso_account_id",
            "sso_role_name",
            "login_session",
            "credential_process",
        ];
        let profile = self.find(name);
        profile.is_some_and(|profile| {
            profile.check_lines().is_err() || KEYS.iter().any(|key| profile.get(key).is_some())
        })
    }
}

struct Walk<'a> {
    config: &'a SharedConfig,
    options: &'a ChainOptions,
    visited: Vec<Profile<'a>>,
    /// The roles met, from the profile asked for towards its source.
    roles: Vec<(Profile<'a>, RoleRequest)>,
}

type Found = (SourceSpec, Option<WebIdentityRequest>, Vec<String>);

impl<'a> Walk<'a> {
    fn find_source(&mut self, name: &str) -> Result<Found, SourceError> {
        let mut profile = self.config.profile(name)?;
        loop {
            profile.check_lines()?;
            let is_first = self.visited.is_empty();
            if self.visited.len() >= MOST_PROFILES {
                let problem = format!("is the end of a chain of over {MOST_PROFILES} profiles");
                return Err(profile.refuse(problem, "let it point nearer to the source"));
            }
            self.visited.push(profile);
            // Keys of a later profile end the chain, whatever role stands beside them.
            if !is_first && profile.has_keys() {
                return self.own(profile);
            }
            if let Some(file) = profile.get("web_identity_token_file") {
                let request = self.token_request(profile, is_first)?;
                let from = TokenFrom::File(PathBuf::from(file));
                let source = SourceSpec::Token { from, account: None };
                return Ok((source, Some(request), unused_beside_a_token(profile)));
            }
            let named = profile.get("credential_source");
            if profile.get("role_arn").is_none() {
                return match named {
                    Some(source) if profile.kind().is_none() => {
                        Ok((named_source(profile, source)?, None, Vec::new()))
                    }
                    _ => self.own(profile),
                };
            }
            let request = self.role_request(profile, is_first)?;
            self.roles.push((profile, request));
            profile = match (profile.get("source_profile"), named) {
                (Some(_), Some(_)) => {
                    let hint = "write one of the two";
                    let problem = "has both source_profile and credential_source";
                    return Err(profile.refuse(problem, hint));
                }
                (None, None) => {
                    let hint = "say who assumes it: source_profile = NAME, or credential_source";
                    let problem =
                        "has a role_arn, and neither source_profile nor credential_source";
                    return Err(profile.refuse(problem, hint));
                }
                (None, Some(source)) => {
                    return Ok((named_source(profile, source)?, None, Vec::new()));
                }
                (Some(next), None) if next == profile.name => return self.own_of_circle(profile),
                (Some(next), None) => self.next(profile, next)?,
            };
        }
    }

    /// The profile that another one points to.
    fn next(&self, from: Profile<'a>, name: &str) -> Result<Profile<'a>, SourceError> {
        let path = || self.visited.iter().map(|profile| profile.name).collect::<Vec<_>>();
        if let Some(at) = self.visited.iter().position(|profile| profile.name == name) {
            let circle = [&path()[at..], &[name]].concat().join(" -> ");
            let what = format!("the profiles point to each other in a circle: {circle}");
            let hint = "one of them needs keys or another source".to_owned();
            return Err(SourceError::Missing { what, hint: Some(hint) });
        }
        self.config.find(name).ok_or_else(|| {
            let hint = match self.config.missing(name) {
                SourceError::Missing { hint: Some(hint), .. } => hint,
                _ => String::new(),
            };
            let problem = format!("has the source_profile {name}, which does not exist");
            from.refuse(problem, &hint)
        })
    }

    fn own(&self, profile: Profile<'_>) -> Result<Found, SourceError> {
        let (_, warning) = self.config.own(profile)?;
        let source = SourceSpec::Profile(profile.name.to_owned());
        Ok((source, None, warning.into_iter().collect()))
    }

    /// A profile that names itself means its own keys.
    fn own_of_circle(&self, profile: Profile<'_>) -> Result<Found, SourceError> {
        if profile.kind().is_none() {
            let (name, hint) = (profile.name, "name another source_profile, or give it keys");
            return Err(profile.refuse(
                format_args!("is its own source_profile and has no keys ({name} -> {name})"),
                hint,
            ));
        }
        self.own(profile)
    }

    fn role_request(
        &self,
        profile: Profile<'_>,
        is_first: bool,
    ) -> Result<RoleRequest, SourceError> {
        let mut values = Values { profile, violations: Violations::new() };
        let role = values.read("role_arn", |text| RoleArn::parse(text, self.options.dialect));
        let name = values.read("role_session_name", SessionName::parse);
        let external_id = values.read("external_id", ExternalId::parse);
        let serial = values.read("mfa_serial", MfaSerial::parse);
        let duration = values.duration();
        let request = role.map(|role| RoleRequest {
            duration,
            external_id,
            mfa: serial.map(Mfa::asked_of),
            ..RoleRequest::new(role, self.name(name, is_first))
        });
        values.finish(request)
    }

    fn token_request(
        &self,
        profile: Profile<'_>,
        is_first: bool,
    ) -> Result<WebIdentityRequest, SourceError> {
        let mut values = Values { profile, violations: Violations::new() };
        let own = values.read("role_arn", |text| RoleArn::parse(text, self.options.dialect));
        let role = self.options.role.clone().filter(|_| is_first).or(own);
        if role.is_none() && profile.get("role_arn").is_none() {
            let hint = "write the role_arn that the token is for";
            return Err(profile.refuse("has a web_identity_token_file and no role_arn", hint));
        }
        let name = values.read("role_session_name", SessionName::parse);
        let duration = values.duration();
        let request = role.map(|role| WebIdentityRequest {
            duration,
            session_name: self.name(name, is_first),
            ..WebIdentityRequest::of_account(role)
        });
        values.finish(request)
    }

    fn name(&self, own: Option<SessionName>, is_first: bool) -> SessionName {
        let chosen = self.options.session_name.clone().filter(|_| is_first);
        chosen.or(own).unwrap_or_else(|| self.options.default_name.clone())
    }
}

/// Reads the values of one profile, and keeps every fault.
struct Values<'a> {
    profile: Profile<'a>,
    violations: Violations,
}

impl Values<'_> {
    fn read<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        parse: impl Fn(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.profile.get(key)?;
        self.violations.keep(key, parse(text))
    }

    fn duration(&mut self) -> Option<SessionDuration> {
        const KEY: &str = "duration_seconds";
        let seconds: Option<i64> = self.read(KEY, |text| {
            text.parse().map_err(|_| "must be a whole number of seconds, 900 to 43200")
        });
        self.violations.keep(KEY, SessionDuration::from_seconds(seconds?))
    }

    fn finish<T>(self, value: Option<T>) -> Result<T, SourceError> {
        let profile = self.profile;
        self.violations.into_result(value).map_err(|found| {
            let problems: Vec<String> = found.iter().map(ToString::to_string).collect();
            let hint = "role_arn, role_session_name, external_id, mfa_serial and duration_seconds go to STS as \
                        they are";
            profile.refuse(format_args!("is not valid: {}", problems.join("; ")), hint)
        })
    }
}

/// Far beyond any chain that people write; STS's answers alone would take minutes.
const MOST_PROFILES: usize = 20;

/// What a token's call has no place for.
fn unused_beside_a_token(profile: Profile<'_>) -> Vec<String> {
    let unused = ["external_id", "mfa_serial", "source_profile", "credential_source"];
    let given: Vec<&str> = unused.into_iter().filter(|key| profile.get(key).is_some()).collect();
    if given.is_empty() {
        return Vec::new();
    }
    let (name, keys) = (profile.name, given.join(", "));
    vec![format!("profile {name} asks with its web_identity_token_file, without its {keys}")]
}

fn named_source(profile: Profile<'_>, name: &str) -> Result<SourceSpec, SourceError> {
    match name {
        "Environment" => Ok(SourceSpec::Environment),
        "Ec2InstanceMetadata" => Ok(SourceSpec::Instance),
        "EcsContainer" => Ok(SourceSpec::Container),
        _ => Err(profile.refuse(
            "has a credential_source that is none",
            "it is Environment, Ec2InstanceMetadata or EcsContainer, in just these letters",
        )),
    }
}

//! Who asks: the flags' choice, else the first place of the default chain that has anything.
//!
//! The environment and the config files are known here, so the chain is decided before any call;
//! only whether an instance answers is found out later. The order is the Rust SDK's.

use rolecall_aws::{ChainOptions, ProfileChain, ProfileSettings, SharedConfig};
use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::error::{Attempt, SourceError};
use rolecall_engine::plan::{Hop, SourceSpec, Start, TokenFrom, WebIdentityRequest};
use rolecall_engine::request::{MfaSerial, SessionName};
use rolecall_engine::violation::Violations;

use crate::args::{SourceArgs, SourceChoice};
use crate::report::push_source_error;
use crate::settings::{KeyHalves, Settings};

/// Who asks where a grant does not say so itself.
#[derive(Clone, Debug)]
pub(crate) struct Asker {
    pub(crate) start: Start,
    /// Where each hop of the start is written, for messages.
    pub(crate) hop_places: Vec<String>,
    /// Whether a flag chose it, which must not be lost beside a grant's own `auth`.
    pub(crate) flag: Option<&'static str>,
    /// The second factor of whoever asks, for the first call.
    pub(crate) device: Option<MfaSerial>,
    /// Whether a flag named the device: what stands in a profile beside keys is used where a code
    /// can be had, since other tools leave it alone.
    pub(crate) is_device_demanded: bool,
    pub(crate) mfa_command: Option<String>,
    /// The profile of `AWS_PROFILE` with a role, where keys of the environment come before it.
    pub(crate) passed_over: Option<String>,
    /// The places of the default chain that have nothing, in order.
    pub(crate) tried: Vec<Attempt>,
    pub(crate) warnings: Vec<String>,
}

impl Asker {
    /// A start and nothing else.
    pub(crate) fn of(start: impl Into<Start>) -> Self {
        Self {
            start: start.into(),
            hop_places: Vec::new(),
            flag: None,
            device: None,
            is_device_demanded: false,
            mfa_command: None,
            passed_over: None,
            tried: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Somebody, where what is wrong is already among the problems.
    fn nobody() -> Self {
        Self::of(SourceSpec::Environment)
    }
}

/// What the choice is made from.
#[derive(Debug)]
pub(crate) struct Choice<'a> {
    pub(crate) args: &'a SourceArgs,
    pub(crate) settings: &'a Settings,
    pub(crate) config: &'a SharedConfig,
    pub(crate) profile: ProfileChoice<'a>,
    pub(crate) profile_settings: &'a ProfileSettings,
    pub(crate) dialect: Dialect,
    /// The name of sessions that nothing else names.
    pub(crate) default_name: SessionName,
}

/// The profile in use, and where it was named; `default` where it was not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ProfileChoice<'a> {
    pub(crate) name: &'a str,
    pub(crate) origin: Option<&'static str>,
}

impl<'a> ProfileChoice<'a> {
    pub(crate) fn of(args: &'a SourceArgs, settings: &'a Settings) -> Self {
        let flag = args.profile.as_deref().map(|name| Self { name, origin: Some("--profile") });
        let variable = settings.profile.as_ref();
        let variable = variable.map(|(origin, name)| Self { name, origin: Some(origin) });
        flag.or(variable).unwrap_or(Self { name: "default", origin: None })
    }

    /// Where a fault of it is reported.
    fn path(self) -> &'static str {
        self.origin.unwrap_or("AWS config files")
    }
}

impl Choice<'_> {
    /// Chooses; what is wrong with the choice is among the problems.
    pub(crate) fn make(&self, problems: &mut Violations) -> Asker {
        let token = &self.args.token;
        if let Some(from) = token_of(token) {
            let (from, flag) = from;
            let source = SourceSpec::Token { from, account: None };
            return Asker { flag: Some(flag), ..Asker::of(source) };
        }
        match (self.args.source, self.args.profile.is_some()) {
            (Some(choice), _) => self.forced(choice, problems),
            (None, true) => Asker { flag: Some("--profile"), ..self.profile(problems) },
            (None, false) => self.default_chain(problems),
        }
    }

    fn forced(&self, choice: SourceChoice, problems: &mut Violations) -> Asker {
        let takes_profile = matches!(choice, SourceChoice::Profile | SourceChoice::Process);
        if self.args.profile.is_some() && !takes_profile {
            let problem = "stands beside a --source that is no profile";
            problems.push_with_hint("--profile", problem, "leave one of the two out");
        }
        let mut missing = |what: &str, hint: &str| {
            problems.push_with_hint("--source", what, hint);
            Asker::nobody()
        };
        let has_key = self.settings.has_key;
        let asker = match choice {
            SourceChoice::Env if has_key == (KeyHalves { id: true, secret: true }) => {
                Asker::of(SourceSpec::Environment)
            }
            SourceChoice::Env => missing(
                "env is asked for, and AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not both set",
                "set both, or choose another source",
            ),
            SourceChoice::Profile => self.profile(problems),
            SourceChoice::Process => self.process(problems),
            SourceChoice::WebIdentity => match self.web_identity(problems) {
                Some(asker) => asker,
                None => {
                    problems.push_with_hint(
                        "--source",
                        "web-identity is asked for, and AWS_WEB_IDENTITY_TOKEN_FILE is not set",
                        "give the token with --web-identity-token-file",
                    );
                    Asker::nobody()
                }
            },
            SourceChoice::Container if self.settings.has_container => {
                Asker::of(SourceSpec::Container)
            }
            SourceChoice::Container => missing(
                "container is asked for, and no AWS_CONTAINER_CREDENTIALS_… variable is set",
                "ECS and EKS Pod Identity set it by themselves: check the task role or the association",
            ),
            SourceChoice::Imds => Asker::of(SourceSpec::Instance),
        };
        Asker { flag: Some("--source"), ..asker }
    }

    fn process(&self, problems: &mut Violations) -> Asker {
        let ProfileChoice { name, .. } = self.profile;
        let has_process = match self.config.profile(name) {
            Ok(profile) => profile.get("credential_process").is_some(),
            // Said already where the profile was looked up.
            Err(_) if self.profile.origin.is_some() => return Asker::nobody(),
            Err(_) => false,
        };
        if !has_process {
            let problem =
                format_args!("process is asked for, and profile {name} has no credential_process");
            problems.push_with_hint("--source", problem, "name another profile with --profile");
        }
        Asker::of(SourceSpec::Process(name.to_owned()))
    }

    /// The profile in use with the roles that it names.
    fn profile(&self, problems: &mut Violations) -> Asker {
        // A profile that was named and is not there was told where it was looked up.
        if self.profile.origin.is_some() && self.config.find(self.profile.name).is_none() {
            return Asker::nobody();
        }
        let options = ChainOptions {
            dialect: self.dialect,
            default_name: self.default_name.clone(),
            session_name: self.session_name(problems),
            // Every pod with IRSA has that variable, and a profile that was named knows better.
            role: match self.profile.origin {
                Some("--profile") => None,
                _ => self.role(problems),
            },
        };
        match self.config.chain(self.profile.name, &options) {
            Ok(chain) => self.of_chain(chain, problems),
            Err(error) => {
                push_source_error(error, self.profile.path(), problems);
                Asker::nobody()
            }
        }
    }

    fn of_chain(&self, chain: ProfileChain, problems: &mut Violations) -> Asker {
        let ProfileChain { start, hop_profiles, mfa_command, warnings } = chain;
        // A role's own mfa_serial stands in its hop; that of keys is for the first call made.
        let serial = self.profile_settings.mfa_serial.as_deref().filter(|_| start.hops.is_empty());
        if start.source == SourceSpec::Environment {
            self.check_key(problems);
        }
        let path = format!("mfa_serial of profile {}", self.profile.name);
        Asker {
            hop_places: hop_profiles.iter().map(|name| format!("profile {name}")).collect(),
            device: serial.and_then(|text| problems.keep(&path, MfaSerial::parse(text))),
            mfa_command,
            warnings,
            ..Asker::of(start)
        }
    }

    fn default_chain(&self, problems: &mut Violations) -> Asker {
        let mut tried = Vec::new();
        match self.settings.has_key {
            KeyHalves { id: false, secret: false } => tried.push(Attempt {
                source: "environment variables",
                reason: "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not set".to_owned(),
            }),
            // A key that is only half there must not fall through to somebody else's.
            KeyHalves { .. } => {
                self.check_key(problems);
                let named = self.profile.origin.and(self.config.find(self.profile.name));
                let has_role = named.is_some_and(|profile| profile.get("role_arn").is_some());
                let passed_over = has_role.then(|| self.profile.name.to_owned());
                return Asker { passed_over, ..Asker::of(SourceSpec::Environment) };
            }
        }
        let name = self.profile.name;
        if self.config.has_credentials(name) {
            return self.profile(problems);
        }
        let mut warnings = Vec::new();
        if let (Some(origin), Some(_)) = (self.profile.origin, self.config.find(name)) {
            warnings.push(format!("{origin} names profile {name}, which has no credentials"));
        }
        let reason = match self.config.find(name) {
            Some(_) => format!("profile {name} has no credentials"),
            None => format!("there is no profile {name}"),
        };
        tried.push(Attempt { source: "AWS config files", reason });
        if let Some(asker) = self.web_identity(problems) {
            return Asker { warnings, ..asker };
        }
        tried.push(Attempt {
            source: "web identity token file",
            reason: "AWS_WEB_IDENTITY_TOKEN_FILE is not set".to_owned(),
        });
        if self.settings.has_container {
            return Asker { warnings, ..Asker::of(SourceSpec::Container) };
        }
        tried.push(Attempt {
            source: "container credentials",
            reason: "no AWS_CONTAINER_CREDENTIALS_… variable is set".to_owned(),
        });
        Asker { tried, warnings, ..Asker::of(SourceSpec::Instance) }
    }

    /// Both halves of the environment's key, or a violation.
    fn check_key(&self, problems: &mut Violations) {
        let what = match self.settings.has_key {
            KeyHalves { id: true, secret: true } => return,
            KeyHalves { id: true, secret: false } => format!("{KEY_ID} is set and {SECRET} is not"),
            KeyHalves { id: false, secret: true } => format!("{SECRET} is set and {KEY_ID} is not"),
            KeyHalves { .. } => format!("{KEY_ID} and {SECRET} are not set"),
        };
        let error = SourceError::Missing { what, hint: Some("set both".to_owned()) };
        push_source_error(error, "environment variables", problems);
    }

    /// The token and the role that EKS puts into a pod's environment (IRSA).
    fn web_identity(&self, problems: &mut Violations) -> Option<Asker> {
        let file = self.settings.web_identity_token_file.clone()?;
        if self.settings.role_arn.is_none() {
            let problem = "is set, and AWS_ROLE_ARN is not: the token is for no role";
            let hint = "set AWS_ROLE_ARN, or give the token with --web-identity-token-file, which asks \
                        for ROLE_ARN";
            problems.push_with_hint("AWS_WEB_IDENTITY_TOKEN_FILE", problem, hint);
            return Some(Asker::nobody());
        }
        let source = SourceSpec::Token { from: TokenFrom::File(file), account: None };
        let Some(role) = self.role(problems) else { return Some(Asker::nobody()) };
        let session_name = self.session_name(problems);
        let hop = Hop::WebIdentity(WebIdentityRequest {
            session_name: session_name.unwrap_or_else(|| self.default_name.clone()),
            ..WebIdentityRequest::of_account(role)
        });
        let start = Start { source, hops: vec![hop] };
        Some(Asker { hop_places: vec!["AWS_ROLE_ARN".to_owned()], ..Asker::of(start) })
    }

    fn role(&self, problems: &mut Violations) -> Option<RoleArn> {
        let text = self.settings.role_arn.as_deref()?;
        problems.keep("AWS_ROLE_ARN", RoleArn::parse(text, self.dialect))
    }

    fn session_name(&self, problems: &mut Violations) -> Option<SessionName> {
        let text = self.settings.role_session_name.as_deref()?;
        problems.keep("AWS_ROLE_SESSION_NAME", SessionName::parse(text))
    }
}

/// The config files; a profile that was named and is not there is among the problems.
pub(crate) fn load_config(
    settings: &Settings,
    profile: ProfileChoice<'_>,
    problems: &mut Violations,
) -> SharedConfig {
    let config = match SharedConfig::load(&settings.config_files) {
        Ok(config) => config,
        Err(error) => {
            push_source_error(error, "AWS config files", problems);
            return SharedConfig::default();
        }
    };
    if let (Some(origin), Err(error)) = (profile.origin, config.profile(profile.name)) {
        push_source_error(error, origin, problems);
    }
    config
}

/// Where the flags say that the token is, and which flag it was.
pub(crate) fn token_of(args: &crate::args::TokenArgs) -> Option<(TokenFrom, &'static str)> {
    let file = args.file.clone().map(TokenFrom::File);
    let variable = args.variable.clone().map(TokenFrom::Variable);
    let command = args.command.clone().map(TokenFrom::Command);
    file.map(|from| (from, "--web-identity-token-file"))
        .or(variable.map(|from| (from, "--web-identity-token-env")))
        .or(command.map(|from| (from, "--web-identity-command")))
}

const KEY_ID: &str = "AWS_ACCESS_KEY_ID";
const SECRET: &str = "AWS_SECRET_ACCESS_KEY";

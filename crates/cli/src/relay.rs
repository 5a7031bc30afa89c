//! `relay-step`: a drop-in for Relay's step `aws-sts-step-assume-role`.
//!
//! The contract is Relay's: the spec comes from its metadata API, the outputs go there, and what is
//! printed and the exit status are those of the step that it replaces.

mod address;
mod api;
mod ask;
mod fields;
mod local;
mod outputs;
#[cfg(test)]
mod schema;
mod spec;

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use rolecall_engine::plan::{SourceSpec, TokenFrom};
use rolecall_engine::violation::Violations;

use self::address::Address;
use self::api::Api;
use self::fields::Fields;
use self::outputs::Outputs;
use self::spec::{Spec, Surroundings, Who};
use crate::args::{GuardArgs, MfaArgs, PlaceArgs, RelayStepArgs, SourceArgs, TokenArgs};
use crate::door::Door;
use crate::inputs::{Inputs, TokenInput};
use crate::planning::{Paths, check_plan, plan_hops};
use crate::report::{Exit, Failure, push_source_error};
use crate::request::{Answer, mint_session};
use crate::settings::{KeyHalves, Settings, named_variable};
use crate::terminal::Terminal;

/// Runs the step; its exit status is 0 or 1.
pub(crate) async fn run(args: &RelayStepArgs, settings: &Settings, terminal: Terminal) -> u8 {
    match step(args, settings, terminal).await {
        Ok(()) => 0,
        Err(failure) => {
            terminal.failure_in_lines(&failure.exits(Exit::Other));
            1
        }
    }
}

async fn step(
    args: &RelayStepArgs,
    settings: &Settings,
    terminal: Terminal,
) -> Result<(), Failure> {
    if let Some(file) = &args.local {
        let fields = local::read(file, &args.run, &args.step, terminal)?;
        let asking = Asking { args, settings, terminal };
        let answer = asking.session(&fields).await?;
        return Terminal::data(&Outputs::of(&answer)?.whole());
    }
    let url = named_variable("METADATA_API_URL");
    let url = url.as_deref().map(std::ffi::OsStr::to_string_lossy);
    let address = Address::parse(url.as_deref()).map_err(|problem| {
        Failure::usage(format!("METADATA_API_URL {problem}"))
            .hint("Relay sets it for each step; --local FILE tries a step without Relay")
    })?;
    let api = Api::new(address, patience(terminal)).map_err(|error| {
        Failure::new(Exit::Other, "could not read the root certificates of this machine")
            .cause(error.to_string())
            .hint("METADATA_API_URL is https; SSL_CERT_FILE names other certificates")
    })?;
    let fields = ask::spec(&api).await?;
    let asking = Asking { args, settings, terminal };
    Outputs::of(&asking.session(&fields).await?)?.write(&api, terminal).await
}

/// How long the metadata API is asked again.
fn patience(terminal: Terminal) -> Duration {
    const NAME: &str = "RELAY_DEFAULT_TIMEOUT";
    let Some(text) = named_variable(NAME) else { return DEFAULT_PATIENCE };
    // As Go writes it, 1m0s, and a bare number as seconds.
    let duration = text.to_str().and_then(|text| {
        let seconds = text.parse().ok().map(SignedDuration::from_secs);
        seconds.or_else(|| text.parse().ok())
    });
    duration.and_then(|duration| Duration::try_from(duration).ok()).unwrap_or_else(|| {
        terminal.warn(&format!("{NAME} is no duration, and not used: write it as 1m or 1m30s"));
        DEFAULT_PATIENCE
    })
}

/// The call that a spec asks for.
struct Asking<'a> {
    args: &'a RelayStepArgs,
    settings: &'a Settings,
    terminal: Terminal,
}

impl Asking<'_> {
    /// Reads the spec, tells all that is wrong with it, and assumes the role.
    async fn session(&self, fields: &Fields) -> Result<Answer, Failure> {
        let warn = |name| format!("the spec's field {name} is not known, and not used");
        let warnings: Vec<String> = fields.unknown.iter().map(warn).collect();
        self.terminal.warn_each(warnings.iter());
        let endpoint = self.settings.endpoints.sts.as_ref();
        let endpoint = endpoint.map(|(origin, url)| (*origin, url.as_str()));
        let is_emulated = self.args.emulate.is_some();
        let around = Surroundings {
            has_region: is_emulated || self.settings.region.is_some(),
            endpoint: endpoint.filter(|_| !is_emulated),
        };
        let mut violations = Violations::new();
        if fields.is_no_map {
            violations.push("spec", "must be a map of settings");
        }
        let spec = Spec::read(fields, around, &mut violations);
        let Some(spec) = spec else {
            violations.extend(self.settings.problems.clone());
            return Err(self.refuse(&violations));
        };
        let (settings, args) = (self.settings_for(&spec), self.args_for(&spec));
        let elsewhere = around.endpoint.filter(|_| spec.endpoint.is_none());
        let mut door = Door::open(&args, &GuardArgs::default(), &settings, self.terminal).await?;
        let answer = self.with_door(&mut door, spec, elsewhere, violations).await;
        door.close().await;
        answer
    }

    async fn with_door(
        &self,
        door: &mut Door,
        spec: Spec,
        elsewhere: Option<(&'static str, &str)>,
        violations: Violations,
    ) -> Result<Answer, Failure> {
        // What is told in the words of the spec is not told again in those of the door.
        let mut violations = violations.and_elsewhere(door.problems());
        let mut inputs = Inputs::default();
        let mut caller = None;
        match &spec.who {
            Who::Connection(credentials) => {
                caller = Some(credentials.caller());
                inputs.given = Some(credentials.clone());
                door.asker.start = SourceSpec::Given.into();
            }
            Who::Token(token) => {
                let from = TokenFrom::Given;
                let first = Ok(token.clone());
                inputs.token = Some(TokenInput { from: from.clone(), first });
                door.asker.start = SourceSpec::Token { from, account: None }.into();
            }
            Who::TokenFile(_) => {
                inputs.token.clone_from(&door.token);
                let first = door.token.as_ref().map(|token| token.first.clone());
                if let Some(Err(error)) = first {
                    push_source_error(error, "aws.webIdentity.tokenFile", &mut violations);
                }
            }
            Who::Ambient => violations.extend(door.asker_problems()),
        }
        let region = door.region_of(None, "aws.region", &mut violations);
        let start = door.asker.start.clone();
        let plan = region
            .and_then(|region| {
                plan_hops(region, start, spec.via, spec.last, "roleARN", &mut violations)
            })
            .and_then(|plan| door.with_mfa(plan, &mut violations));
        if let Some(plan) = &plan {
            let paths = Paths {
                duration: "duration",
                role: "roleARN",
                auth: "aws.connection",
                hops: &door.asker.hop_places,
            };
            check_plan(plan, caller, paths, &mut violations);
            door.check_codes(std::iter::once(plan), &mut violations);
        }
        let plan = violations.into_result(plan).map_err(|violations| self.refuse(&violations))?;
        if let Some((origin, url)) = elsewhere {
            self.terminal.warn(&format!("STS is taken to be at {url}, by {origin}"));
        }
        self.say(CREATING)?;
        mint_session(door, Arc::new(inputs), plan).await
    }

    /// The environment, as far as it may have a say: where the spec says who asks, no profile has.
    fn settings_for(&self, spec: &Spec) -> Settings {
        match spec.who {
            Who::Ambient => self.settings.clone(),
            Who::Connection(_) | Who::Token(_) | Who::TokenFile(_) => Settings {
                profile: None,
                config_files: rolecall_aws::ConfigFiles::default(),
                // The first place of the default chain, which is then not walked any further.
                has_key: KeyHalves { id: true, secret: true },
                ..self.settings.clone()
            },
        }
    }

    fn args_for(&self, spec: &Spec) -> SourceArgs {
        let file = match &spec.who {
            Who::TokenFile(file) => Some(file.into()),
            _ => None,
        };
        let (serial, code) = spec.mfa.as_ref().map_or((None, None), |(serial, code)| {
            (Some(serial.to_string()), Some(code.as_str().to_owned()))
        });
        SourceArgs {
            token: TokenArgs { file, ..TokenArgs::default() },
            mfa: MfaArgs { serial, code, command: None },
            place: PlaceArgs {
                region: spec.region.as_ref().map(ToString::to_string),
                endpoint_url: spec.endpoint.clone(),
                allow_http: spec.allow_http,
                ..PlaceArgs::default()
            },
            emulate: self.args.emulate.clone(),
            ..SourceArgs::default()
        }
    }

    /// The sentences are for Relay's log; standard output of a trial is for the outputs.
    fn say(&self, text: &str) -> Result<(), Failure> {
        say(text, self.args.local.is_some())
    }

    fn refuse(&self, violations: &Violations) -> Failure {
        let needs = |path: &str| path == "roleARN" || path == "roleSessionName";
        if violations.iter().any(|violation| needs(&violation.path)) {
            // Where it cannot be said, the problems themselves still are.
            self.say(REQUIRES).ok();
        }
        Failure::violations("the spec is not valid", violations)
            .or_hint("docs/guides/relay.md has every setting of a spec")
    }
}

fn say(text: &str, is_local: bool) -> Result<(), Failure> {
    if is_local {
        Terminal::banner(text.trim_end());
        return Ok(());
    }
    Terminal::data(text)
}

// What the step that is replaced prints, to the letter.
const CREATING: &str = "Creating credentials...\n\n\n";
const REQUIRES: &str = "Requires both roleARN and roleSessionName to be defined. Exiting.\n";
/// What Relay's own clients wait for, 5 min.
const DEFAULT_PATIENCE: Duration = Duration::from_mins(5);

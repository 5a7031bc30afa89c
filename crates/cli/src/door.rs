//! What every one-shot door shares: where to call, as whom, and what is accepted.

use std::sync::Arc;

use jiff::Timestamp;
use rolecall_aws::{Destination, StsClient};
use rolecall_engine::arn::Dialect;
use rolecall_engine::error::Error;
use rolecall_engine::guard::Guards;
use rolecall_engine::mint::{Minted, Minter};
use rolecall_engine::plan::{Caller, Plan, PlanError, SourceSpec};
use rolecall_engine::ports::Clock;
use rolecall_engine::region::Region;
use rolecall_engine::request::RoleRequest;
use rolecall_engine::violation::Violations;

use crate::args::{GuardArgs, SourceArgs};
use crate::clock::SystemClock;
use crate::emulation::Emulation;
use crate::inputs::Inputs;
use crate::place::{find_destination, find_region, named_endpoint, parse_region};
use crate::report::{Exit, Failure};
use crate::settings::Settings;
use crate::source::{Ambient, DoorSource};
use crate::terminal::Terminal;

/// An open door: flags and environment resolved, nothing called yet.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) terminal: Terminal,
    /// Whose rules ARNs are held against.
    pub(crate) dialect: Dialect,
    /// Who asks where a grant or the flags say nothing.
    pub(crate) default_source: SourceSpec,
    /// The emulator, while `--emulate` is on.
    pub(crate) emulation: Option<Emulation>,
    destination: Destination,
    /// Where the endpoint was named.
    endpoint_origin: &'static str,
    guards: Guards,
    region: Option<Region>,
    /// Whether it is said already why there is no region.
    is_region_told: bool,
    /// Whether the region is a flag's, which must not be lost beside a manifest's own.
    has_region_flag: bool,
    profile_variable: Option<String>,
    /// What is wrong with the flags and variables; reported with what is wrong with the request.
    problems: Violations,
}

impl Door {
    /// Resolves the source and endpoint flags against the environment.
    pub(crate) async fn open(
        args: &SourceArgs,
        guards: &GuardArgs,
        settings: &Settings,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let default_source = match (&args.profile, &args.web_identity_token_file) {
            (Some(name), _) => SourceSpec::Profile(name.clone()),
            (None, Some(file)) => SourceSpec::Token { file: file.clone(), account: None },
            (None, None) => SourceSpec::Ambient,
        };
        let mut problems = Violations::new();
        let guards = guards.guards(&mut problems);
        if let Some(world) = &args.emulate {
            let emulation = Emulation::start(world.as_deref()).await?;
            let own = args.region.as_deref();
            let region = own.and_then(|text| parse_region("--region", text, &mut problems));
            return Ok(Self {
                terminal,
                dialect: Dialect::Aws,
                default_source,
                destination: Destination::Endpoint(emulation.endpoint()?),
                endpoint_origin: "--emulate",
                guards,
                region: region.or_else(|| Some(emulation.region().clone())),
                is_region_told: false,
                has_region_flag: args.region.is_some(),
                emulation: Some(emulation),
                profile_variable: None,
                problems,
            });
        }
        problems.extend(settings.problems.clone());
        let endpoint = named_endpoint(args, settings);
        let endpoint_origin = endpoint.map_or("", |(origin, _)| origin);
        let known_problems = problems.len();
        let region = find_region(args, settings, endpoint.is_some(), &mut problems).await;
        let is_region_told = problems.len() > known_problems;
        Ok(Self {
            terminal,
            dialect: if endpoint.is_some() { Dialect::Compatible } else { Dialect::Aws },
            default_source,
            region,
            is_region_told,
            destination: find_destination(args, settings, &mut problems),
            endpoint_origin,
            guards,
            has_region_flag: args.region.is_some(),
            emulation: None,
            profile_variable: settings.profile.clone(),
            problems,
        })
    }

    /// What is wrong with the flags and variables of this door.
    pub(crate) fn problems(&self) -> Violations {
        self.problems.clone()
    }

    /// The region of one request: its own, else the flag's, the environment's or the profile's.
    /// None of them, or its own beside a flag, is a violation at `path`: rolecall never guesses.
    pub(crate) fn region_of(
        &self,
        own: Option<&Region>,
        path: &str,
        violations: &mut Violations,
    ) -> Option<Region> {
        if own.is_some() && self.has_region_flag {
            violations.push(path, "stands beside --region: the grant says already where to ask");
        }
        let region = own.or(self.region.as_ref()).cloned();
        if region.is_none() && !self.is_region_told {
            let hint = "give --region, or set AWS_REGION; no other profile's region is inherited";
            violations.push_with_hint(path, "there is no region", hint);
        }
        region
    }

    /// Puts the ports together for this door.
    pub(crate) fn minter(&self, inputs: Arc<Inputs>) -> Minter {
        let ambient = match &self.emulation {
            Some(emulation) => Ambient::Emulated(emulation.ambient()),
            None => Ambient::Machine { profile: self.profile_variable.clone() },
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let sts = StsClient::new(self.destination.clone(), Arc::clone(&clock));
        let destination = self.destination.clone();
        let source = DoorSource { inputs, ambient, destination };
        Minter::new(Arc::new(source), Arc::new(sts), clock)
    }

    /// Mints one plan, holds the answer against the guards, and says what happened.
    pub(crate) async fn mint(&self, minter: &Minter, plan: &Plan) -> Result<Minted, Failure> {
        let minted = minter.mint(plan).await.map_err(|error| self.explain(&error))?;
        let now = SystemClock.now();
        let session = &minted.session;
        if session.expires_at.is_none() {
            self.terminal.warn(
                "STS gave no expiry: the credentials are taken to end 15 minutes after the answer",
            );
        } else if session.ends_at() <= now {
            self.terminal
                .warn("by this machine's clock the credentials have ended: check the clock");
        }
        self.guards.check(session, now).map_err(|violations| Failure::guards(&violations))?;
        self.tell(plan, &minted);
        Ok(minted)
    }

    /// Ends what this door started.
    pub(crate) async fn close(self) {
        if let Some(emulation) = self.emulation {
            emulation.stop().await;
        }
    }

    /// A failure that time may mend can also be that of a wrong endpoint.
    fn explain(&self, error: &Arc<Error>) -> Failure {
        let failure = Failure::engine(error);
        let is_later = matches!(error.as_ref(), Error::Call { .. }) && failure.exit == Exit::Later;
        match &self.destination {
            Destination::Endpoint(endpoint) if is_later && self.emulation.is_none() => {
                let (url, origin) = (endpoint.as_str(), self.endpoint_origin);
                failure.hint(format!("STS is taken to be at {url}, by {origin}"))
            }
            _ => failure,
        }
    }

    fn tell(&self, plan: &Plan, minted: &Minted) {
        let ends = minted
            .source_ends_at
            .map_or_else(String::new, |at| format!(", until {}", in_seconds(at)));
        self.terminal.step(&format!("source: {}{ends}", minted.origin));
        let sessions = minted.prefix.iter().map(AsRef::as_ref).chain([&minted.session]);
        for (hop, session) in plan.hops().zip(sessions) {
            let who = session.arn().map_or("session", |arn| arn.as_str());
            let until = in_seconds(session.ends_at());
            let request = session.request_id.as_deref().unwrap_or("none");
            let (call, region) = (hop.operation(), &plan.region);
            self.terminal
                .step(&format!("{call} in {region}: {who} until {until} (request ID {request})"));
        }
    }
}

/// What the plan shows to be refused, and the caller where it is known, at the paths of a door.
pub(crate) fn check_plan(
    plan: &Plan,
    caller: Option<Caller>,
    duration_path: &str,
    role_path: &str,
    violations: &mut Violations,
) {
    let by_caller = caller.and_then(|caller| plan.check_caller(caller).err());
    for error in plan.check().err().into_iter().flatten().chain(by_caller) {
        let path = match &error {
            PlanError::DurationOverChainingCap { .. } => duration_path,
            _ => role_path,
        };
        violations.push_with_hint(path, &error, error.hint());
    }
}

/// One or several hops from where `source` begins; a plan that cannot be is a violation.
pub(crate) fn plan_hops(
    region: Region,
    source: SourceSpec,
    via: Vec<RoleRequest>,
    last: RoleRequest,
    role_path: &str,
    violations: &mut Violations,
) -> Option<Plan> {
    if !matches!(source, SourceSpec::Token { .. }) {
        return Some(Plan::assume_role(region, source, via, last));
    }
    Plan::assume_role_with_token(region, source, via, last)
        .map_err(|error| violations.push_with_hint(role_path, &error, error.hint()))
        .ok()
}

/// A time for people: nobody reads nanoseconds.
pub(crate) fn in_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// An error that can only be a fault of rolecall's own.
pub(crate) fn unexpected(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Other, "could not put the answer into words").cause(error.to_string())
}

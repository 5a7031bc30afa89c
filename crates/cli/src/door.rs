//! What every one-shot door shares: where to call, as whom, and what is accepted.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use rolecall_aws::{AwsClient, Destination, Machine, Network, PUBLIC_ECR_REGION};
use rolecall_engine::arn::Dialect;
use rolecall_engine::error::{Class, Error};
use rolecall_engine::guard::Guards;
use rolecall_engine::mint::{Minted, Minter};
use rolecall_engine::plan::{Hop, Plan, SourceSpec};
use rolecall_engine::ports::Clock;
use rolecall_engine::region::Region;
use rolecall_engine::request::Registry;
use rolecall_engine::session::Issued;
use rolecall_engine::violation::Violations;

use crate::args::{GuardArgs, SourceArgs};
use crate::asker::{Asker, Choice, ProfileChoice, load_config, token_of};
use crate::clock::SystemClock;
use crate::emulation::Emulation;
use crate::inputs::{Inputs, TokenInput};
use crate::mfa::{Codes, read_mfa};
use crate::place::{NamedEndpoints, Place, parse_region};
use crate::report::{Exit, Failure};
use crate::request::default_session_name;
use crate::settings::Settings;
use crate::source::{DoorSource, Ground};
use crate::terminal::Terminal;

/// An open door: flags and environment resolved, nothing called yet.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) terminal: Terminal,
    /// Whose rules ARNs are held against.
    pub(crate) dialect: Dialect,
    /// Who asks where a grant says nothing.
    pub(crate) asker: Asker,
    /// The token of the flags, read once.
    pub(crate) token: Option<TokenInput>,
    /// The emulator, while `--emulate` is on.
    pub(crate) emulation: Option<Emulation>,
    codes: Arc<Codes>,
    machine: Option<Machine>,
    network: Network,
    endpoints: NamedEndpoints,
    guards: Guards,
    region: Option<Region>,
    /// Whether it is said already why there is no region.
    is_region_told: bool,
    /// Whether the region is a flag's, which must not be lost beside a manifest's own.
    has_region_flag: bool,
    /// What is wrong with the flags and variables; reported with what is wrong with the request.
    problems: Violations,
    /// What is wrong with who asks; of no matter where every grant says who asks.
    asker_problems: Violations,
    /// The calls that `-v` has told.
    told: Mutex<HashSet<String>>,
}

impl Door {
    /// Resolves the source and endpoint flags against the environment.
    pub(crate) async fn open(
        args: &SourceArgs,
        guards: &GuardArgs,
        settings: &Settings,
        terminal: Terminal,
    ) -> Result<Self, Failure> {
        let mut problems = Violations::new();
        let guards = guards.guards(&mut problems);
        let mut door = match &args.emulate {
            Some(world) => {
                let emulation = Emulation::start(world.as_deref()).await?;
                Self::emulated(args, emulation, guards, terminal, problems)?
            }
            None => Self::real(args, settings, guards, terminal, problems),
        };
        let (given, device) = read_mfa(&args.mfa, &mut door.problems);
        let codes = Codes::new(&args.mfa, given, door.asker.mfa_command.take());
        if args.mfa.serial.is_some() {
            door.asker.device = device;
            door.asker.is_device_demanded = true;
        } else if let Some(serial) = door.asker.device.take_if(|_| !codes.can_be_had()) {
            terminal.warn(&format!(
                "no code is asked for, though the profile names {serial}: there is no terminal"
            ));
        }
        door.codes = Arc::new(codes);
        if let Some((from, _)) = token_of(&args.token) {
            door.token = Some(TokenInput::read(from).await);
        }
        Ok(door)
    }

    fn emulated(
        args: &SourceArgs,
        emulation: Emulation,
        guards: Guards,
        terminal: Terminal,
        mut problems: Violations,
    ) -> Result<Self, Failure> {
        let own = args.place.region.as_deref();
        let region = own.and_then(|text| parse_region("--region", text, &mut problems));
        let asker = match token_of(&args.token) {
            Some((from, flag)) => {
                Asker { flag: Some(flag), ..Asker::of(SourceSpec::Token { from, account: None }) }
            }
            None => Asker::of(SourceSpec::Ambient),
        };
        Ok(Self {
            terminal,
            dialect: Dialect::Aws,
            asker,
            token: None,
            codes: Arc::default(),
            machine: None,
            network: Network::at(Destination::Endpoint(emulation.endpoint()?)),
            endpoints: NamedEndpoints::default(),
            guards,
            region: region.or_else(|| Some(emulation.region().clone())),
            is_region_told: false,
            has_region_flag: own.is_some(),
            emulation: Some(emulation),
            problems,
            asker_problems: Violations::new(),
            told: Mutex::default(),
        })
    }

    fn real(
        args: &SourceArgs,
        settings: &Settings,
        guards: Guards,
        terminal: Terminal,
        mut problems: Violations,
    ) -> Self {
        problems.extend(settings.problems.clone());
        let profile = ProfileChoice::of(args, settings);
        let known_problems = problems.len();
        let config = load_config(settings, profile, &mut problems);
        let profile_settings = config.settings(profile.name);
        let place = Place { args: &args.place, settings, profile: &profile_settings };
        let endpoints = place.endpoints();
        let region = place.region(&mut problems);
        // A profile that is not there may have had one.
        let is_region_told = problems.len() > known_problems;
        let network = place.network(&mut problems);
        let dialect = if endpoints.sts.is_some() { Dialect::Compatible } else { Dialect::Aws };
        let choice = Choice {
            args,
            settings,
            config: &config,
            profile,
            profile_settings: &profile_settings,
            dialect,
            default_name: default_session_name(settings),
        };
        let mut asker_problems = Violations::new();
        let asker = choice.make(&mut asker_problems);
        let is_in_use = profile.origin.is_some()
            || matches!(asker.start.source, SourceSpec::Profile(_) | SourceSpec::Process(_))
            || (args.place.region.is_none() && settings.region.is_none() && region.is_some());
        let of_profile = profile_settings.warnings.iter().filter(|_| is_in_use);
        terminal.warn_each(of_profile.chain(&asker.warnings));
        let machine = Some(Machine {
            config: Arc::new(config),
            network: network.clone(),
            running: settings.running.clone(),
            sso_cache: settings.sso_cache.clone(),
            clock: || SystemClock.now(),
        });
        Self {
            terminal,
            dialect,
            asker,
            token: None,
            codes: Arc::default(),
            machine,
            network,
            endpoints,
            guards,
            region,
            is_region_told,
            has_region_flag: args.place.region.is_some(),
            emulation: None,
            problems,
            asker_problems,
            told: Mutex::default(),
        }
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

    /// What is wrong with who asks where nothing else says it.
    pub(crate) fn asker_problems(&self) -> Violations {
        self.asker_problems.clone()
    }

    /// The plan with the second factor of whoever asks, if there is one.
    pub(crate) fn with_mfa(&self, plan: Plan, violations: &mut Violations) -> Option<Plan> {
        let Some(device) = &self.asker.device else { return Some(plan) };
        // A grant's own device stays, unless a flag names another.
        if plan.names_a_device() {
            if self.asker.is_device_demanded {
                let problem = "stands beside the serialNumber of the grant";
                violations.push_with_hint("--mfa-serial", problem, "leave one of the two out");
            }
            return Some(plan);
        }
        let plan = plan.with_mfa(device);
        let hint = "leave the device out: whoever comes with a token is no user and has none";
        plan.map_err(|error| violations.push_with_hint("--mfa-serial", &error, hint)).ok()
    }

    /// The flag that says who asks, where a grant's own `auth` says it too.
    pub(crate) fn asking_flag(&self) -> Option<&'static str> {
        match self.asker.flag {
            // A token is also that of the grant's service account.
            Some(flag) if self.token.is_none() => Some(flag),
            _ if self.asker.is_device_demanded => Some("--mfa-serial"),
            _ => None,
        }
    }

    /// Whether all codes can be had that the plans ask for.
    pub(crate) fn check_codes<'a>(
        &self,
        plans: impl Iterator<Item = &'a Plan>,
        violations: &mut Violations,
    ) {
        self.codes.check(plans, violations);
    }

    /// Puts the ports together for this door.
    pub(crate) fn minter(&self, inputs: Arc<Inputs>) -> Minter {
        let ground = match (&self.emulation, &self.machine) {
            (None, Some(machine)) => {
                Ground::Machine { machine: machine.clone(), tried: self.asker.tried.clone() }
            }
            (emulation, _) => Ground::Emulated(emulation.as_ref().and_then(Emulation::ambient)),
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let aws = AwsClient::new(self.network.clone(), Arc::clone(&clock));
        let has_used_command = AtomicBool::new(false);
        let codes = Arc::clone(&self.codes);
        let source = DoorSource { inputs, ground, codes, has_used_command };
        Minter::new(Arc::new(source), Arc::new(aws), clock)
    }

    /// Mints one plan, holds the answer against the guards, and says what happened.
    pub(crate) async fn mint(&self, minter: &Minter, plan: &Plan) -> Result<Minted, Failure> {
        let minted = minter.mint(plan).await.map_err(|error| self.explain(&error))?;
        let now = SystemClock.now();
        if minted.issued.session().is_some_and(|session| session.expires_at.is_none()) {
            self.terminal.warn(
                "STS gave no expiry: the credentials are taken to end 15 minutes after the answer",
            );
        } else if minted.issued.ends_at() <= now {
            self.terminal
                .warn("by this machine's clock the credentials have ended: check the clock");
        }
        let caller = minted.prefix.last().map(AsRef::as_ref);
        let judged = self.guards.check(&minted.issued, caller, now);
        judged.map_err(|violations| Failure::guards(&violations))?;
        self.tell(plan, &minted);
        Ok(minted)
    }

    /// Ends what this door started.
    pub(crate) async fn close(self) {
        if let Some(emulation) = self.emulation {
            emulation.stop().await;
        }
    }

    /// A failure that time may mend, or a key that is not known, can also be that of a wrong
    /// endpoint.
    fn explain(&self, error: &Arc<Error>) -> Failure {
        let failure = Failure::engine(error);
        let may_be_elsewhere = failure.exit == Exit::Later || error.class() == Class::BaseKey;
        let Error::Call { facts, .. } = error.as_ref() else { return failure };
        let service = if facts.registry.is_some() { "ECR" } else { "STS" };
        match self.endpoints.of(facts.registry) {
            Some((origin, url)) if may_be_elsewhere => {
                failure.hint_first(format!("{service} is taken to be at {url}, by {origin}"))
            }
            _ => failure,
        }
    }

    fn tell(&self, plan: &Plan, minted: &Minted) {
        let ends = minted
            .source_ends_at
            .map_or_else(String::new, |at| format!(", until {}", in_seconds(at)));
        self.terminal.step(&format!("source: {}{ends}", minted.origin));
        for (hop, session) in plan.prefix.iter().zip(&minted.prefix) {
            let who = session.arn().map_or("session", |arn| arn.as_str());
            let request_id = session.request_id.as_deref();
            self.tell_call(hop, &plan.region, who, session.ends_at(), request_id);
        }
        let who = match &minted.issued {
            Issued::Session(session) => session.arn().map_or("session", |arn| arn.as_str()),
            Issued::RegistryToken(token) => token.proxy_endpoint.as_deref().unwrap_or("password"),
        };
        let issued = &minted.issued;
        self.tell_call(&plan.last, &plan.region, who, issued.ends_at(), issued.request_id());
    }

    fn tell_call(
        &self,
        hop: &Hop,
        region: &Region,
        who: &str,
        ends_at: Timestamp,
        request_id: Option<&str>,
    ) {
        let (call, until) = (hop.operation(), in_seconds(ends_at));
        let registry = match hop {
            Hop::RegistryToken(registry) => Some(*registry),
            _ => None,
        };
        let place = match (self.endpoints.of(registry), registry) {
            (Some((_, url)), _) => url.to_owned(),
            (None, Some(Registry::Public)) => PUBLIC_ECR_REGION.to_owned(),
            (None, _) => region.to_string(),
        };
        let request_id = request_id.unwrap_or("none");
        // A session that several share was called for once.
        let key = format!("{call} {who} {request_id}");
        if !self.told.lock().unwrap_or_else(PoisonError::into_inner).insert(key) {
            return;
        }
        self.terminal
            .step(&format!("{call} in {place}: {who} until {until} (request ID {request_id})"));
    }
}

/// A time for people: nobody reads nanoseconds.
pub(crate) fn in_seconds(time: Timestamp) -> Timestamp {
    Timestamp::from_second(time.as_second()).unwrap_or(time)
}

/// An error that can only be a fault of rolecall's own.
pub(crate) fn unexpected(error: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Other, "could not put the answer into words").cause(error.to_string())
}

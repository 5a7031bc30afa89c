//! From flags, or from one grant of a file, to one plan.

use std::path::Path;
use std::sync::Arc;

use rolecall_engine::arn::RoleArn;
use rolecall_engine::grant::{Ask, Parameters, ViaHop, check_policy_arn_count, check_via_count};
use rolecall_engine::plan::Plan;
use rolecall_engine::region::Region;
use rolecall_engine::request::{
    ExternalId, PolicyArn, RoleRequest, SessionDuration, SessionName, SessionPolicy, SessionTags,
    SourceIdentity, seconds_from_text,
};
use rolecall_engine::session::{Issued, Session};
use rolecall_engine::violation::Violations;

use crate::args::{ParameterArgs, RequestArgs};
use crate::documents::{NotYaml, parse};
use crate::door::{Door, unexpected};
use crate::files::{MOST_BYTES, read_text};
use crate::grants::{full_name, plan_files};
use crate::inputs::Inputs;
use crate::planning::{Paths, check_plan, plan_hops};
use crate::report::{Failure, push_source_error};
use crate::settings::Settings;

/// A session, and where it was asked for.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) region: Region,
    pub(crate) session: Session,
}

/// Parses, plans and mints what `assume` and `exec` were asked for.
pub(crate) async fn run(
    args: &RequestArgs,
    settings: &Settings,
    door: &Door,
) -> Result<Answer, Failure> {
    let (plan, inputs) = plan_of(args, settings, door).await?;
    mint_session(door, inputs, plan).await
}

/// Mints one plan that ends in a session.
pub(crate) async fn mint_session(
    door: &Door,
    inputs: Arc<Inputs>,
    plan: Plan,
) -> Result<Answer, Failure> {
    let minter = door.minter(inputs);
    let minted = door.mint(&minter, &plan).await;
    minter.drain().await;
    match minted?.issued {
        Issued::Session(session) => Ok(Answer { region: plan.region, session }),
        Issued::RegistryToken(_) => Err(unexpected(&"a registry's token is no session")),
    }
}

async fn plan_of(
    args: &RequestArgs,
    settings: &Settings,
    door: &Door,
) -> Result<(Plan, Arc<Inputs>), Failure> {
    match (&args.role, args.files.is_empty()) {
        (Some(_), false) => {
            Err(Failure::usage("ROLE_ARN stands beside -f: the grant names the role")
                .hint("leave one of the two out"))
        }
        (None, false) => from_file(args, settings, door).await,
        (role, true) => {
            let mut inputs = Inputs::default();
            inputs.token.clone_from(&door.token);
            Ok((from_flags(role.as_deref(), args, settings, door)?, Arc::new(inputs)))
        }
    }
}

async fn from_file(
    args: &RequestArgs,
    settings: &Settings,
    door: &Door,
) -> Result<(Plan, Arc<Inputs>), Failure> {
    let given = args.parameters.given();
    if !given.is_empty() {
        let flags = given.join(", ");
        return Err(Failure::usage(format!("with -f the grant says what is asked, not {flags}"))
            .hint("write it into the manifest's requestParameters"));
    }
    let planned = plan_files(&args.files, &args.choice, settings, door).await?;
    let names: Vec<String> = planned.grants.iter().map(|(grant, _)| full_name(grant)).collect();
    let mut grants = planned.grants.into_iter();
    match (grants.next(), grants.next()) {
        (Some((grant, _)), None) if matches!(grant.ask, Ask::RegistryToken(_)) => {
            let problem = format!("{} gives no credentials of AWS", full_name(&grant));
            Err(Failure::usage(problem).hint("print a registry's password with rolecall generate"))
        }
        (Some((_, plan)), None) => Ok((plan, planned.inputs)),
        _ => Err(Failure::usage("the files hold several grants")
            .hint(format!("choose one with --name: {}", names.join(", ")))),
    }
}

fn from_flags(
    role: Option<&str>,
    args: &RequestArgs,
    settings: &Settings,
    door: &Door,
) -> Result<Plan, Failure> {
    let mut violations = door.problems();
    violations.extend(door.asker_problems());
    if let (Some(Err(error)), Some(flag)) =
        (door.token.as_ref().map(|token| token.first.clone()), door.asker.flag)
    {
        push_source_error(error, flag, &mut violations);
    }
    let choice = &args.choice;
    for (flag, is_given) in
        [("--name", choice.name.is_some()), ("--secrets-dir", choice.secrets_dir.is_some())]
    {
        if is_given {
            violations.push(flag, "goes with a grant given by -f");
        }
    }
    let region = door.region_of(None, "--region", &mut violations);
    let parameters = read_parameters(&args.parameters, &mut violations);
    let plan = match role {
        Some(role) => for_role(role, region, args, &parameters, settings, door, &mut violations),
        None if violations.is_empty() && door.asker.start.hops.is_empty() => {
            let failure = Failure::usage("there is no role");
            return Err(match &door.asker.passed_over {
                Some(name) => failure.hint(format!(
                    "keys of the environment come before AWS_PROFILE: for the role of {name} write \
                     --profile {name}"
                )),
                None => failure.hint(
                    "give a ROLE_ARN, a file with a grant by -f, or a --profile that has a role_arn",
                ),
            });
        }
        None => for_start(region, args, &parameters, door, &mut violations),
    };
    let plan = plan.and_then(|plan| door.with_mfa(plan, &mut violations));
    if let Some(plan) = &plan {
        let paths = Paths {
            duration: "--duration",
            role: "ROLE_ARN",
            auth: "ROLE_ARN",
            hops: &door.asker.hop_places,
        };
        check_plan(plan, None, paths, &mut violations);
        door.check_codes(std::iter::once(plan), &mut violations);
    }
    violations.into_result(plan).map_err(|found| {
        Failure::violations("the request is not valid", &found)
            .or_hint("--help tells the form of each flag, docs/reference/cli.md its bounds")
    })
}

/// The role that the flags name.
fn for_role(
    role: &str,
    region: Option<Region>,
    args: &RequestArgs,
    parameters: &Parameters,
    settings: &Settings,
    door: &Door,
    violations: &mut Violations,
) -> Option<Plan> {
    let role = violations.keep("ROLE_ARN", RoleArn::parse(role, door.dialect));
    // Hops that have no name of their own share the session's, so that CloudTrail shows one.
    let chosen = parameters.session_name.clone();
    let chosen = chosen.or_else(|| {
        let text = settings.role_session_name.as_deref().filter(|_| door.emulation.is_none())?;
        violations.keep("AWS_ROLE_SESSION_NAME", SessionName::parse(text))
    });
    let name = chosen.unwrap_or_else(|| default_session_name(settings));
    let via = read_via(&args.parameters.via, &name, door, violations);
    if door.token.is_some() && via.is_empty() {
        let unfit = args.parameters.beyond_a_token();
        for flag in &unfit {
            let hint = "leave it out, or give it to a later role; a token's claims bring its own tags \
                        and source identity";
            violations.push_with_hint(*flag, "is nothing that a web identity can carry", hint);
        }
        if !unfit.is_empty() {
            return None;
        }
    }
    let last = parameters.request(role?, &name);
    plan_hops(region?, door.asker.start.clone(), via, last, "ROLE_ARN", violations)
}

/// The role that the profile, or the environment, names; flags win over what is written there.
fn for_start(
    region: Option<Region>,
    args: &RequestArgs,
    parameters: &Parameters,
    door: &Door,
    violations: &mut Violations,
) -> Option<Plan> {
    if !args.parameters.via.is_empty() {
        let hint = "name the role behind it as ROLE_ARN";
        violations.push_with_hint("--via", "leads to no role", hint);
    }
    let mut plan = Plan::of_start(region?, door.asker.start.clone())?;
    let problem = plan.last.prefer(parameters).err();
    if let Some(error) = problem {
        violations.push_with_hint("--profile", &error, error.hint());
    }
    Some(plan)
}

/// What could be read of the parameters; the rest is among the violations.
fn read_parameters(args: &ParameterArgs, violations: &mut Violations) -> Parameters {
    let duration = args.duration.as_deref().and_then(|text| {
        let seconds = violations.keep("--duration", seconds_from_text(text))?;
        violations.keep("--duration", SessionDuration::from_seconds(seconds))
    });
    let session_name = args
        .session_name
        .as_deref()
        .and_then(|text| violations.keep("--session-name", SessionName::parse(text)));
    let external_id = args
        .external_id
        .as_deref()
        .and_then(|text| violations.keep("--external-id", ExternalId::parse(text)));
    let source_identity = args
        .source_identity
        .as_deref()
        .and_then(|text| violations.keep("--source-identity", SourceIdentity::parse(text)));
    let policy = args.policy.as_deref().and_then(|text| read_policy(text, violations));
    check_policy_arn_count("--policy-arn", args.policy_arns.len(), violations);
    let policy_arns = args
        .policy_arns
        .iter()
        .filter_map(|text| violations.keep("--policy-arn", PolicyArn::parse(text)))
        .collect();
    let tags = read_tags(args, violations);
    Parameters {
        session_name,
        duration,
        external_id,
        source_identity,
        tags: tags.unwrap_or_default(),
        policy,
        policy_arns,
    }
}

/// A policy as JSON, or the name of a file that holds one.
fn read_policy(text: &str, violations: &mut Violations) -> Option<SessionPolicy> {
    if text.trim().is_empty() || text.trim_start().starts_with(['{', '[']) {
        return violations.keep("--policy", SessionPolicy::parse(text));
    }
    let file = text.strip_prefix("file://").unwrap_or(text);
    match read_text(Path::new(file), MOST_BYTES) {
        Ok(text) => violations.keep("--policy", SessionPolicy::parse(&text)),
        Err(problem) => {
            violations.push("--policy", format_args!("{file} {problem}"));
            None
        }
    }
}

/// `KEY=VALUE`, split at the first `=`: values may hold more of them.
fn read_tags(args: &ParameterArgs, violations: &mut Violations) -> Option<SessionTags> {
    let mut tags = Vec::new();
    for (index, tag) in args.tags.iter().enumerate() {
        let path = format!("--tag[{index}]");
        match tag.split_once('=') {
            Some((key, value)) => tags.push((path, key.to_owned(), value.to_owned())),
            None => violations.push(path, "is not KEY=VALUE"),
        }
    }
    let transitive = args.transitive_tags.clone();
    SessionTags::new(tags, transitive, "--tag", "--transitive-tag")
        .map_err(|found| violations.extend(found))
        .ok()
}

/// An ARN, or the JSON that stands in a grant's `via`.
fn read_via(
    hops: &[String],
    name: &SessionName,
    door: &Door,
    violations: &mut Violations,
) -> Vec<RoleRequest> {
    check_via_count("--via", hops.len(), violations);
    let mut requests = Vec::new();
    for (index, text) in hops.iter().enumerate() {
        let path = format!("--via[{index}]");
        let hop = if text.trim_start().starts_with('{') {
            // JSON is YAML, and this parser tells a key that stands twice.
            match parse(text) {
                Ok(values) => values
                    .first()
                    .and_then(|value| ViaHop::read(value, &path, door.dialect, violations)),
                Err(NotYaml { problem, .. }) => {
                    violations.push(&path, problem.replace("YAML", "JSON"));
                    None
                }
            }
        } else {
            let role = violations.keep(&path, RoleArn::parse(text, door.dialect));
            role.map(|role| ViaHop { role, parameters: Parameters::default() })
        };
        requests.extend(hop.map(|hop| hop.request(name)));
    }
    requests
}

/// `user@host`: the same from run to run, and a person reads it in CloudTrail.
pub(crate) fn default_session_name(settings: &Settings) -> SessionName {
    let user = settings.user.as_deref().unwrap_or("rolecall");
    SessionName::made_from(&format!("{user}@{}", host_name()))
}

#[cfg(unix)]
fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(not(unix))]
fn host_name() -> String {
    "host".to_owned()
}

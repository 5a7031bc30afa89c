//! From grants in files to plans, with every problem of every grant at once.

use std::path::PathBuf;
use std::sync::Arc;

use rolecall_engine::arn::RoleArn;
use rolecall_engine::error::SourceError;
use rolecall_engine::grant::{Ask, Auth, Grant, RegistryTokenSpec, ServiceAccountRef};
use rolecall_engine::plan::{Plan, SourceSpec, Start, TokenFrom, share_mfa};
use rolecall_engine::region::Region;
use rolecall_engine::request::{RoleRequest, SessionName};
use rolecall_engine::token::service_account_of;
use rolecall_engine::violation::Violations;

use crate::args::GrantChoiceArgs;
use crate::choice::choose;
use crate::documents::Documents;
use crate::door::Door;
use crate::inputs::{Inputs, TokenInput};
use crate::planning::{Paths, check_plan, plan_hops};
use crate::report::{Failure, push_source_error};
use crate::settings::Settings;
use crate::source::keys_of;

/// The grants that were chosen, each with its plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) grants: Vec<(Grant, Plan)>,
    pub(crate) inputs: Arc<Inputs>,
}

/// One generator that is to run.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) grant: Grant,
    /// The name of its session, where the grant gives none.
    pub(crate) session_name: SessionName,
}

/// Reads the files, chooses the grants and plans them.
pub(crate) async fn plan_files(
    files: &[PathBuf],
    choice: &GrantChoiceArgs,
    settings: &Settings,
    door: &Door,
) -> Result<Planned, Failure> {
    let mut violations = door.problems();
    let Documents { grants, inputs, external_secrets, .. } =
        Documents::read(files, door.dialect, &mut violations);
    // Where a document is wrong, the choice among the rest would only confuse.
    if grants.is_empty() && violations.is_empty() {
        return Err(Failure::usage("the files hold no grant").hint(
            "a grant is a document of kind STSAssumeRoleToken, STSSessionToken, \
             ECRAuthorizationToken or ClusterGenerator; -o secret runs ExternalSecrets",
        ));
    }
    let chosen = match choose(grants, choice.name.as_deref(), full_name, "grant") {
        Err(failure) if violations.is_empty() => {
            let name = choice.name.as_deref().unwrap_or_default();
            let is_external_secret = external_secrets.iter().any(|it| it.name == name);
            return Err(if is_external_secret {
                failure.hint("that is an ExternalSecret: -o secret runs it")
            } else {
                failure
            });
        }
        chosen => chosen.unwrap_or_default(),
    };
    let asked = chosen.into_iter().map(|grant| {
        let session_name = grant.default_session_name();
        Asked { grant, session_name }
    });
    plan_all(asked.collect(), inputs, choice, settings, door, violations).await
}

/// Plans what was chosen; `violations` is what was wrong before.
pub(crate) async fn plan_all(
    asked: Vec<Asked>,
    mut inputs: Inputs,
    choice: &GrantChoiceArgs,
    settings: &Settings,
    door: &Door,
    mut violations: Violations,
) -> Result<Planned, Failure> {
    inputs.secrets_dir.clone_from(&choice.secrets_dir);
    if asked.iter().any(|asked| asked.grant.auth().is_none()) {
        violations.extend(door.asker_problems());
    }
    inputs.token = token_for(&asked, settings, door, &mut violations).await;
    let planner = Planner { door, inputs: &inputs };
    let mut grants = Vec::new();
    for asked in asked {
        for warning in &asked.grant.warnings {
            door.terminal.warn(&format!("{}: {warning}", full_name(&asked.grant)));
        }
        if let Some(plan) = planner.plan(&asked, &mut violations) {
            grants.push((asked.grant, plan));
        }
    }
    share_mfa(grants.iter_mut().map(|(_, plan)| plan));
    for (grant, plan) in &grants {
        planner.check(grant, plan, &mut violations);
    }
    door.check_codes(grants.iter().map(|(_, plan)| plan), &mut violations);
    let grants = violations.into_result(Some(grants)).map_err(|found| {
        Failure::violations("the input is not valid", &found)
            .or_hint("the fields and their bounds are in docs/reference/manifests.md")
    })?;
    Ok(Planned { grants, inputs: Arc::new(inputs) })
}

/// The token that the grants need, if one does; a flag's token that none needs is a violation.
async fn token_for(
    asked: &[Asked],
    settings: &Settings,
    door: &Door,
    violations: &mut Violations,
) -> Option<TokenInput> {
    let needs_token = |asked: &Asked| match asked.grant.auth() {
        Some(Auth::ServiceAccount(_)) => true,
        Some(Auth::Keys(_)) => false,
        None => door.token.is_some(),
    };
    if asked.iter().any(needs_token) {
        let variable = settings.web_identity_token_file.as_ref();
        let variable = variable.filter(|_| door.emulation.is_none() && door.token.is_none());
        return match variable {
            Some(path) => Some(TokenInput::read(TokenFrom::File(path.clone())).await),
            None => door.token.clone(),
        };
    }
    if let Some(flag) = door.asker.flag.filter(|_| door.token.is_some())
        && violations.is_empty()
    {
        violations.push(flag, "is not used: every grant has a secretRef");
    }
    None
}

/// `NAMESPACE/NAME`.
pub(crate) fn full_name(grant: &Grant) -> String {
    format!("{}/{}", grant.namespace, grant.name)
}

struct Planner<'a> {
    door: &'a Door,
    inputs: &'a Inputs,
}

impl Planner<'_> {
    fn plan(&self, asked: &Asked, violations: &mut Violations) -> Option<Plan> {
        let grant = &asked.grant;
        let at = |field: &str| format!("{} {field}", full_name(grant));
        let region = self.door.region_of(grant.region(), &at("spec.region"), violations);
        let start = self.start(grant, violations);
        let (region, start) = region.zip(start)?;
        let plan = assemble(asked, region, start, &at("spec.role"), violations)?;
        if grant.auth().is_some() {
            return Some(plan);
        }
        self.door.with_mfa(plan, violations)
    }

    /// What the plan shows to be refused before any call.
    fn check(&self, grant: &Grant, plan: &Plan, violations: &mut Violations) {
        let at = |field: &str| format!("{} {field}", full_name(grant));
        let caller = match grant.auth() {
            Some(Auth::Keys(keys)) => keys_of(self.inputs, &grant.namespace, keys).ok(),
            _ => None,
        };
        let hops: &[String] = match grant.auth() {
            None => &self.door.asker.hop_places,
            Some(_) => &[],
        };
        let paths = Paths {
            duration: &at("spec.requestParameters.sessionDuration"),
            role: &at("spec.role"),
            auth: &at("spec.auth"),
            hops,
        };
        check_plan(plan, caller.map(|keys| keys.caller()), paths, violations);
    }

    /// What the source needs is looked up here already, so that nothing is called for a grant that
    /// could not end well.
    fn start(&self, grant: &Grant, violations: &mut Violations) -> Option<Start> {
        if let (Some(_), Some(flag)) = (grant.auth(), self.door.asking_flag()) {
            let path = format!("{} spec.auth", full_name(grant));
            let problem = format!("stands beside {flag}: the grant says already who asks");
            violations.push(path, problem);
            return None;
        }
        match grant.auth() {
            None => {
                if let (Some(_), Some(token)) = (&self.door.token, &self.inputs.token) {
                    keep(token.first.clone(), grant, "spec", violations)?;
                }
                Some(self.door.asker.start.clone())
            }
            Some(Auth::Keys(keys)) => {
                let namespace = grant.namespace.clone();
                let found = keys_of(self.inputs, &namespace, keys);
                keep(found, grant, "spec.auth.secretRef", violations)?;
                Some(SourceSpec::Secret { namespace, keys: keys.clone() }.into())
            }
            Some(Auth::ServiceAccount(account)) => self.service_account(grant, account, violations),
        }
    }

    fn service_account(
        &self,
        grant: &Grant,
        account: &ServiceAccountRef,
        violations: &mut Violations,
    ) -> Option<Start> {
        const PATH: &str = "spec.auth.jwt";
        let role = self.inputs.account_role(&grant.namespace, &account.name);
        let role = keep(role, grant, PATH, violations).and_then(|text| {
            let path = format!("ServiceAccount {}/{}", grant.namespace, account.name);
            violations.keep(&path, RoleArn::parse(text, self.door.dialect))
        });
        let Some(token) = &self.inputs.token else {
            violations.push_with_hint(
                format!("{} {PATH}", full_name(grant)),
                format_args!("there is no token of ServiceAccount {}", account.name),
                "give it with --web-identity-token-file, for example from kubectl create token",
            );
            return None;
        };
        let value = keep(token.first.clone(), grant, PATH, violations)?;
        // A token says whose it is; another account's would be a borrowed identity.
        let own = (grant.namespace.clone(), account.name.clone());
        if let Some(other) = service_account_of(&value).filter(|other| *other != own) {
            let problem = format!("the token is of ServiceAccount {}/{}", other.0, other.1);
            let hint = "give the token of the account that the grant names";
            violations.push_with_hint(format!("{} {PATH}", full_name(grant)), problem, hint);
            return None;
        }
        let (from, account) = (token.from.clone(), Some(account.clone()));
        Some(Start::of_account(SourceSpec::Token { from, account }, role?))
    }
}

fn assemble(
    Asked { grant, session_name: name }: &Asked,
    region: Region,
    start: Start,
    role_path: &str,
    violations: &mut Violations,
) -> Option<Plan> {
    let is_token = matches!(start.source, SourceSpec::Token { .. });
    match &grant.ask {
        Ask::AssumeRole(spec) => {
            let (via, last) = spec.requests(name);
            plan_hops(region, start, via, last, role_path, violations)
        }
        Ask::SessionToken(_) if is_token => {
            let problem = "GetSessionToken is signed by a user's own keys, not by a token";
            violations.push(role_path, problem);
            None
        }
        Ask::SessionToken(spec) => Some(Plan::session_token(region, start, spec.request.clone())),
        Ask::RegistryToken(RegistryTokenSpec { role: Some(role), registry, .. }) => {
            let request = RoleRequest::new(role.clone(), name.clone());
            let plan = plan_hops(region, start, Vec::new(), request, role_path, violations)?;
            Some(plan.then_registry_token(*registry))
        }
        Ask::RegistryToken(_) if is_token && start.hops.is_empty() => {
            let problem = "ECR is called with keys: name the role that the token is for";
            violations.push(role_path, problem);
            None
        }
        Ask::RegistryToken(spec) => Some(Plan::registry_token(region, start, spec.registry)),
    }
}

/// Keeps what a source has; a failure becomes a violation at a field of the grant.
fn keep<T>(
    found: Result<T, SourceError>,
    grant: &Grant,
    field: &str,
    violations: &mut Violations,
) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(error) => {
            push_source_error(error, &format!("{} {field}", full_name(grant)), violations);
            None
        }
    }
}

//! From grants in files to plans, with every problem of every grant at once.

use std::path::PathBuf;
use std::sync::Arc;

use rolecall_engine::arn::RoleArn;
use rolecall_engine::error::SourceError;
use rolecall_engine::grant::{Ask, Auth, Grant, ServiceAccountRef};
use rolecall_engine::plan::{Caller, Plan, SourceSpec};
use rolecall_engine::region::Region;
use rolecall_engine::violation::{Violations, nearest};

use crate::args::GrantChoiceArgs;
use crate::documents::Documents;
use crate::door::{Door, check_plan, plan_hops};
use crate::inputs::{Inputs, TokenFile};
use crate::report::{Failure, push_source_error};
use crate::settings::Settings;
use crate::source::keys_of;

/// The grants that were chosen, each with its plan.
#[derive(Debug)]
pub(crate) struct Planned {
    pub(crate) grants: Vec<(Grant, Plan)>,
    pub(crate) inputs: Arc<Inputs>,
}

/// Reads the files, chooses the grants and plans them.
pub(crate) fn plan_files(
    files: &[PathBuf],
    choice: &GrantChoiceArgs,
    settings: &Settings,
    door: &Door,
) -> Result<Planned, Failure> {
    let invalid = |violations: &Violations| {
        Failure::violations("the input is not valid", violations)
            .or_hint("the fields and their bounds are in docs/reference/manifests.md")
    };
    let mut violations = door.problems();
    let Documents { grants, mut inputs } = Documents::read(files, door.dialect, &mut violations);
    inputs.secrets_dir.clone_from(&choice.secrets_dir);
    // Where a document is wrong, the choice among the rest would only confuse.
    let chosen = match choose(grants, choice.name.as_deref()) {
        Err(failure) if violations.is_empty() => return Err(failure),
        chosen => chosen.unwrap_or_default(),
    };
    let flag = token_flag(&door.default_source);
    let needs_token = |grant: &Grant| match grant.auth() {
        Some(Auth::ServiceAccount(_)) => true,
        Some(Auth::Keys(_)) => false,
        None => flag.is_some(),
    };
    if chosen.iter().any(needs_token) {
        let variable = settings.web_identity_token_file.as_ref();
        inputs.token = flag
            .or(variable.filter(|_| door.emulation.is_none()))
            .map(|path| TokenFile::read(path));
    } else if flag.is_some() && violations.is_empty() {
        violations.push("--web-identity-token-file", "is not used: every grant has a secretRef");
    }
    let planner = Planner { door, inputs: &inputs };
    let mut grants = Vec::new();
    for grant in chosen {
        for warning in &grant.warnings {
            door.terminal.warn(&format!("{}: {warning}", full_name(&grant)));
        }
        if let Some(plan) = planner.plan(&grant, &mut violations) {
            grants.push((grant, plan));
        }
    }
    let grants = violations.into_result(Some(grants)).map_err(|found| invalid(&found))?;
    Ok(Planned { grants, inputs: Arc::new(inputs) })
}

/// `NAMESPACE/NAME`.
pub(crate) fn full_name(grant: &Grant) -> String {
    format!("{}/{}", grant.namespace, grant.name)
}

fn choose(grants: Vec<Grant>, name: Option<&str>) -> Result<Vec<Grant>, Failure> {
    if grants.is_empty() {
        return Err(Failure::usage("the files hold no grant")
            .hint("a grant is a document of kind STSAssumeRoleToken or STSSessionToken"));
    }
    let Some(name) = name else { return Ok(grants) };
    let names: Vec<String> = grants.iter().map(full_name).collect();
    let chosen: Vec<Grant> =
        grants.into_iter().filter(|grant| grant.name == name || full_name(grant) == name).collect();
    match chosen.len() {
        0 => {
            let failure = Failure::usage(format!("the files hold no grant named {name}"));
            let near = nearest(name, names.iter().filter_map(|full| full.rsplit('/').next()));
            Err(match near {
                Some(near) => failure.hint(format!("did you mean {near}?")),
                None => failure.hint(format!("there are: {}", names.join(", "))),
            })
        }
        1 => Ok(chosen),
        _ => Err(Failure::usage(format!("the files hold several grants named {name}"))
            .hint("write NAMESPACE/NAME")),
    }
}

/// The file of `--web-identity-token-file`.
fn token_flag(source: &SourceSpec) -> Option<&PathBuf> {
    match source {
        SourceSpec::Token { file, .. } => Some(file),
        _ => None,
    }
}

struct Planner<'a> {
    door: &'a Door,
    inputs: &'a Inputs,
}

/// Who asks, as far as it is known before any call.
struct Asking {
    source: SourceSpec,
    /// The role of the service account, if it is one.
    account_role: Option<RoleArn>,
    /// What kind of keys sign, where that is known already.
    caller: Option<Caller>,
}

impl Planner<'_> {
    fn plan(&self, grant: &Grant, violations: &mut Violations) -> Option<Plan> {
        let at = |field: &str| format!("{} {field}", full_name(grant));
        let region = self.door.region_of(grant.region(), &at("spec.region"), violations);
        let asking = self.asking(grant, violations);
        let (region, Asking { source, account_role, caller }) = region.zip(asking)?;
        let plan = assemble(grant, region, source, account_role, &at("spec.role"), violations)?;
        let duration_path = at("spec.requestParameters.sessionDuration");
        check_plan(&plan, caller, &duration_path, &at("spec.role"), violations);
        Some(plan)
    }

    /// What the source needs is looked up here already, so that nothing is called for a grant that
    /// could not end well.
    fn asking(&self, grant: &Grant, violations: &mut Violations) -> Option<Asking> {
        let default_source = self.door.default_source.clone();
        if grant.auth().is_some() && matches!(default_source, SourceSpec::Profile(_)) {
            let path = format!("{} spec.auth", full_name(grant));
            violations.push(path, "stands beside --profile: the grant says already who asks");
            return None;
        }
        match grant.auth() {
            None => {
                if let (Some(_), Some(token)) = (token_flag(&default_source), &self.inputs.token) {
                    keep(token.first.clone(), grant, "spec", violations)?;
                }
                Some(Asking { source: default_source, account_role: None, caller: None })
            }
            Some(Auth::Keys(keys)) => {
                let namespace = grant.namespace.clone();
                let found = keys_of(self.inputs, &namespace, keys);
                let found = keep(found, grant, "spec.auth.secretRef", violations)?;
                let source = SourceSpec::Secret { namespace, keys: keys.clone() };
                Some(Asking { source, account_role: None, caller: Some(found.caller()) })
            }
            Some(Auth::ServiceAccount(account)) => self.service_account(grant, account, violations),
        }
    }

    fn service_account(
        &self,
        grant: &Grant,
        account: &ServiceAccountRef,
        violations: &mut Violations,
    ) -> Option<Asking> {
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
        keep(token.first.clone(), grant, PATH, violations)?;
        let (file, account) = (token.path.clone(), Some(account.clone()));
        let source = SourceSpec::Token { file, account };
        Some(Asking { source, account_role: Some(role?), caller: None })
    }
}

fn assemble(
    grant: &Grant,
    region: Region,
    source: SourceSpec,
    account_role: Option<RoleArn>,
    role_path: &str,
    violations: &mut Violations,
) -> Option<Plan> {
    let spec = match &grant.ask {
        Ask::AssumeRole(spec) => spec,
        Ask::SessionToken(_) if token_flag(&source).is_some() => {
            let problem = "GetSessionToken is signed by a user's own keys, not by a token";
            violations.push(role_path, problem);
            return None;
        }
        Ask::SessionToken(spec) => {
            return Some(Plan::session_token(region, source, spec.request.clone()));
        }
    };
    let (via, last) = spec.requests(&grant.default_session_name());
    match account_role {
        Some(role) => Some(Plan::assume_role_with_web_identity(region, source, &role, via, last)),
        None => plan_hops(region, source, via, last, role_path, violations),
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

//! Kind `STSSessionToken`: temporary keys of the same user.

use super::{Auth, read_region};
use crate::fields::Fields;
use crate::region::Region;
use crate::request::{Mfa, MfaCode, MfaSerial, SessionTokenDuration, SessionTokenRequest};
use crate::violation::Violations;

/// The spec of an `STSSessionToken`.
#[derive(Clone, Debug)]
pub struct SessionTokenSpec {
    /// Absent where the manifest leaves it to the environment.
    pub region: Option<Region>,
    /// Who asks; absent means the ambient identity.
    pub auth: Option<Auth>,
    /// The call.
    pub request: SessionTokenRequest,
}

impl SessionTokenSpec {
    pub(super) fn read(
        mut spec: Fields<'_>,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let region = read_region(&mut spec, violations);
        if spec.has("role") {
            let problem = "cannot work: GetSessionToken takes no role";
            violations.push_with_hint(spec.path_of("role"), problem, USE_ASSUME_ROLE);
        }
        spec.value("role");
        let auth = Auth::read_in(&mut spec, warnings, violations);
        if spec.value("auth").is_some_and(|auth| auth.get("jwt").is_some_and(|jwt| !jwt.is_null()))
        {
            let problem = "jwt auth cannot be used for STS Session Token generation";
            violations.push_with_hint(spec.path_of("auth.jwt"), problem, USE_ASSUME_ROLE);
        }
        let request = match spec.object("requestParameters", violations) {
            Some(block) => read_session_token_parameters(block, warnings, violations),
            None => SessionTokenRequest::default(),
        };
        spec.finish(violations, |_| None);
        Some(Self { region: region?, auth: auth?, request })
    }
}

fn read_session_token_parameters(
    mut block: Fields<'_>,
    warnings: &mut Vec<String>,
    violations: &mut Violations,
) -> SessionTokenRequest {
    let duration = block.integer("sessionDuration", violations).and_then(|seconds| {
        let path = block.path_of("sessionDuration");
        violations.keep(&path, SessionTokenDuration::from_seconds(seconds))
    });
    let (has_serial, has_code) = (block.has("serialNumber"), block.has("tokenCode"));
    let serial = block.parsed("serialNumber", violations, MfaSerial::parse);
    let code = block.parsed("tokenCode", violations, MfaCode::parse);
    if has_serial != has_code {
        let (missing, given) =
            if has_code { ("serialNumber", "tokenCode") } else { ("tokenCode", "serialNumber") };
        violations.push(block.path_of(missing), format_args!("is missing beside {given}"));
    }
    if has_code {
        warnings.push(format!("{}: an MFA code works once", block.path_of("tokenCode")));
    }
    block.finish(violations, |_| None);
    let mfa = serial.zip(code).map(|(serial, code)| Mfa { serial, code: Some(code) });
    SessionTokenRequest { duration, mfa }
}

const USE_ASSUME_ROLE: &str =
    "use kind STSAssumeRoleToken to assume a role; an MFA code written in a file works once";

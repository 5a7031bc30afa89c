//! Kind `ECRAuthorizationToken`: a password for a registry.

use super::{Auth, read_region, read_role};
use crate::arn::{Dialect, RoleArn};
use crate::fields::Fields;
use crate::region::Region;
use crate::request::Registry;
use crate::violation::Violations;

/// The spec of an `ECRAuthorizationToken`.
#[derive(Clone, Debug)]
pub struct RegistryTokenSpec {
    /// Absent where the manifest leaves it to the environment.
    pub region: Option<Region>,
    /// Who asks; absent means the ambient identity.
    pub auth: Option<Auth>,
    /// A role to assume first.
    pub role: Option<RoleArn>,
    /// `scope`: exactly `public` is public ECR, as in ESO.
    pub registry: Registry,
}

impl RegistryTokenSpec {
    pub(super) fn read(
        mut spec: Fields<'_>,
        dialect: Dialect,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let region = read_region(&mut spec, violations);
        let role = if spec.has("role") {
            Some(read_role(&mut spec, dialect, violations))
        } else {
            spec.value("role");
            None
        };
        let auth = Auth::read_in(&mut spec, warnings, violations);
        let scope = spec.text("scope", violations);
        let registry = match scope {
            Some("public") => Registry::Public,
            Some("private") | None => Registry::Private,
            Some(_) => {
                let path = spec.path_of("scope");
                warnings.push(format!("{path}: is neither private nor public; private is used"));
                Registry::Private
            }
        };
        spec.finish(violations, |_| None);
        let role = match role {
            Some(role) => Some(role?),
            None => None,
        };
        Some(Self { region: region?, auth: auth?, role, registry })
    }
}

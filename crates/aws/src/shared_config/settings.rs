//! What a profile says beside credentials: the region, endpoints, the second factor.

use super::{Profile, SharedConfig};

/// The settings of one profile; no other profile's are inherited.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ProfileSettings {
    /// `region`.
    pub region: Option<String>,
    /// The endpoints of its `services` section, by service, then its own `endpoint_url`.
    pub endpoints: Endpoints,
    /// `use_fips_endpoint`.
    pub fips: Option<bool>,
    /// `use_dualstack_endpoint`.
    pub dual_stack: Option<bool>,
    /// `ca_bundle`.
    pub ca_bundle: Option<String>,
    /// `mfa_serial`, where the profile has no role: that of its own keys.
    pub mfa_serial: Option<String>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// Where a profile says that services are.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Endpoints {
    /// Of STS.
    pub sts: Option<String>,
    /// Of ECR.
    pub ecr: Option<String>,
    /// Of public ECR.
    pub ecr_public: Option<String>,
}

impl SharedConfig {
    /// The settings of a profile; all absent where there is no such profile.
    pub fn settings(&self, name: &str) -> ProfileSettings {
        let Some(profile) = self.find(name) else {
            let meant = self.unusable.iter().find(|(_, text, _)| text == name);
            let told = meant.map(|(place, text, why)| format!("[{text}] in {place}: {why}"));
            return ProfileSettings {
                warnings: told.into_iter().collect(),
                ..ProfileSettings::default()
            };
        };
        let is_true = |key: &str| profile.get(key).map(|text| text.eq_ignore_ascii_case("true"));
        let mut warnings = profile.group.remarks.clone();
        // Keys of `[t]` in the credentials file are found, a region of `[t]` in the config is not.
        let lost = self.unusable.iter().filter(|(_, text, _)| text == name);
        warnings.extend(lost.map(|(place, text, why)| format!("[{text}] in {place}: {why}")));
        let has_role = profile.get("role_arn").is_some();
        ProfileSettings {
            region: profile.get("region").map(str::to_owned),
            endpoints: self.endpoints(profile, &mut warnings),
            fips: is_true("use_fips_endpoint"),
            dual_stack: is_true("use_dualstack_endpoint"),
            ca_bundle: profile.get("ca_bundle").map(str::to_owned),
            mfa_serial: profile.get("mfa_serial").filter(|_| !has_role).map(str::to_owned),
            warnings,
        }
    }

    fn endpoints(&self, profile: Profile<'_>, warnings: &mut Vec<String>) -> Endpoints {
        // The reference spells it with "configured"; "configure" has been seen too.
        let ignores = ["ignore_configured_endpoint_urls", "ignore_configure_endpoint_urls"];
        if ignores.iter().any(|key| profile.get(key).is_some_and(|it| it == "true")) {
            return Endpoints::default();
        }
        let section = profile.get("services").and_then(|name| {
            let section = self.services.get(name);
            if section.is_none() {
                warnings.push(format!(
                    "profile {} names [services {name}], which is not there",
                    profile.name
                ));
            }
            section
        });
        let of = |service: &str| {
            let own = section.and_then(|section| section.nested(service, "endpoint_url"));
            own.or(profile.get("endpoint_url")).map(str::to_owned)
        };
        Endpoints { sts: of("sts"), ecr: of("ecr"), ecr_public: of("ecr_public") }
    }
}

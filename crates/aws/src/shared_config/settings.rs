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
        let mut warnings = profile.group.remarks.clone();
        warnings.extend(self.faults_beside(name));
        // Keys of `[t]` in the credentials file are found, a region of `[t]` in the config is not.
        let lost = self.unusable.iter().filter(|(_, text, _)| text == name);
        warnings.extend(lost.map(|(place, text, why)| format!("[{text}] in {place}: {why}")));
        let flag = |key: &str, warnings: &mut Vec<String>| {
            let value = is_true(profile, key);
            if value == Some(false) && !is_word(profile, key, "false") {
                warnings.push(format!("profile {name} has a {key} that is not true or false"));
            }
            value
        };
        let has_role = profile.get("role_arn").is_some();
        ProfileSettings {
            region: profile.get("region").map(str::to_owned),
            endpoints: self.endpoints(profile, &mut warnings),
            fips: flag("use_fips_endpoint", &mut warnings),
            dual_stack: flag("use_dualstack_endpoint", &mut warnings),
            ca_bundle: profile.get("ca_bundle").map(str::to_owned),
            mfa_serial: profile.get("mfa_serial").filter(|_| !has_role).map(str::to_owned),
            warnings,
        }
    }

    /// Lines that cannot be read, of sections other than that profile: nobody is stopped by them.
    fn faults_beside(&self, name: &str) -> Vec<String> {
        let profiles = self.profiles.iter().filter(|(other, _)| *other != name);
        let others = self.sso_sessions.iter().chain(&self.services);
        profiles.chain(others).flat_map(|(_, group)| group.faults.iter().cloned()).collect()
    }

    fn endpoints(&self, profile: Profile<'_>, warnings: &mut Vec<String>) -> Endpoints {
        // The reference spells it with "configured"; "configure" has been seen too.
        let ignores = ["ignore_configured_endpoint_urls", "ignore_configure_endpoint_urls"];
        if ignores.iter().any(|key| is_true(profile, key) == Some(true)) {
            return Endpoints::default();
        }
        let section = profile.get("services").and_then(|name| {
            let section = self.services.get(name);
            match section {
                Some(section) => warnings.extend(section.remarks.iter().cloned()),
                None => warnings.push(format!(
                    "profile {} names [services {name}], which is not there",
                    profile.name
                )),
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

/// The AWS CLI takes every word but `true`, in any letters, for false.
fn is_true(profile: Profile<'_>, key: &str) -> Option<bool> {
    profile.get(key).map(|_| is_word(profile, key, "true"))
}

fn is_word(profile: Profile<'_>, key: &str, word: &str) -> bool {
    profile.get(key).is_some_and(|text| text.eq_ignore_ascii_case(word))
}

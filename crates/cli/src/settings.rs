//! The environment, read once.
//!
//! Each variable is declared here with what it means. An empty value counts as absent, as in the
//! AWS SDKs. The SDK's own providers read their variables themselves.

use std::ffi::OsString;
use std::path::PathBuf;

use rolecall_engine::violation::Violations;

/// One variable that rolecall reads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct EnvVar {
    pub(crate) name: &'static str,
    /// What it means, for `docs/reference/environment.md`.
    #[cfg_attr(not(test), expect(dead_code, reason = "read by the test that holds the docs true"))]
    pub(crate) meaning: &'static str,
}

/// Every variable, in the order of the documentation.
pub(crate) const VARIABLES: [EnvVar; 12] = [
    EnvVar { name: "AWS_REGION", meaning: "where to call STS" },
    EnvVar { name: "AWS_DEFAULT_REGION", meaning: "where to call STS, after AWS_REGION" },
    EnvVar { name: "AWS_PROFILE", meaning: "the profile of the default chain" },
    EnvVar { name: "AWS_ENDPOINT_URL_STS", meaning: "another STS than AWS's" },
    EnvVar { name: "AWS_ENDPOINT_URL", meaning: "the same, after AWS_ENDPOINT_URL_STS" },
    EnvVar {
        name: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        meaning: "`true` turns both endpoint variables off",
    },
    EnvVar { name: "AWS_USE_FIPS_ENDPOINT", meaning: "`true` is `--fips`" },
    EnvVar { name: "AWS_USE_DUALSTACK_ENDPOINT", meaning: "`true` is `--dual-stack`" },
    EnvVar {
        name: "AWS_WEB_IDENTITY_TOKEN_FILE",
        meaning: "the token of the ServiceAccount that a grant's auth.jwt names",
    },
    EnvVar { name: "USER", meaning: "the first half of the default session name" },
    EnvVar { name: "LOGNAME", meaning: "the same, after USER" },
    EnvVar { name: "USERNAME", meaning: "the same, after LOGNAME (Windows)" },
];

/// The environment as rolecall sees it.
#[derive(Debug, Default)]
pub(crate) struct Settings {
    pub(crate) region: Option<String>,
    pub(crate) profile: Option<String>,
    /// The variable that names an endpoint, and the endpoint.
    pub(crate) endpoint_url: Option<(&'static str, String)>,
    pub(crate) fips: bool,
    pub(crate) dual_stack: bool,
    pub(crate) web_identity_token_file: Option<PathBuf>,
    pub(crate) user: Option<String>,
    /// Variables that are no text: passing them over could lead to somebody else.
    pub(crate) problems: Violations,
}

impl Settings {
    /// Reads the process's environment.
    pub(crate) fn from_environment() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
        Self::read(|name| std::env::var_os(name))
    }

    fn read(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let raw = |name: &str| {
            debug_assert!(VARIABLES.iter().any(|known| known.name == name), "{name}");
            variable(name).filter(|value| !value.is_empty())
        };
        let text = |name: &str| raw(name).and_then(|value| value.into_string().ok());
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| text(name).map(|text| (*name, text)))
        };
        let mut problems = Violations::new();
        for EnvVar { name, .. } in VARIABLES {
            if raw(name).is_some() && text(name).is_none() {
                problems.push(name, "is not UTF-8 text");
            }
        }
        let is_true =
            |name: &str| text(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let ignores_endpoints = is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
        Self {
            region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).map(|(_, region)| region),
            profile: text("AWS_PROFILE"),
            endpoint_url: first(&["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"])
                .filter(|_| !ignores_endpoints),
            fips: is_true("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: is_true("AWS_USE_DUALSTACK_ENDPOINT"),
            web_identity_token_file: raw("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from),
            user: first(&["USER", "LOGNAME", "USERNAME"]).map(|(_, user)| user),
            problems,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_variable_is_absent() {
        let settings = Settings::read(|name| match name {
            "AWS_REGION" => Some(OsString::new()),
            "AWS_DEFAULT_REGION" => Some(OsString::from("eu-west-1")),
            _ => None,
        });
        assert_eq!(settings.region.as_deref(), Some("eu-west-1"));
    }

    #[test]
    fn endpoint_variables_can_be_turned_off() {
        let settings = Settings::read(|name| match name {
            "AWS_ENDPOINT_URL" => Some(OsString::from("https://sts.example.net")),
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS" => Some(OsString::from("true")),
            _ => None,
        });
        assert_eq!(settings.endpoint_url, None);
    }

    #[test]
    fn every_variable_is_documented() {
        let page = include_str!("../../../docs/reference/environment.md");
        for EnvVar { name, meaning } in VARIABLES {
            assert!(page.contains(&format!("| `{name}` | {meaning} |")), "{name}");
        }
    }
}

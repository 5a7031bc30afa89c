//! The environment, read once.
//!
//! Each variable is declared here with what it means. An empty value counts as absent, as in the
//! AWS SDKs. The SDK's providers of containers and instances read some more themselves.

use std::ffi::OsString;
use std::path::PathBuf;

use rolecall_aws::{ConfigFiles, is_proxy};
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
pub(crate) const VARIABLES: [EnvVar; 36] = [
    EnvVar { name: "AWS_REGION", meaning: "where to call AWS" },
    EnvVar { name: "AWS_DEFAULT_REGION", meaning: "the same, after AWS_REGION" },
    EnvVar { name: "AWS_PROFILE", meaning: "the profile of the default chain" },
    EnvVar { name: "AWS_DEFAULT_PROFILE", meaning: "the same, after AWS_PROFILE" },
    EnvVar { name: "AWS_CONFIG_FILE", meaning: "the config file, in place of ~/.aws/config" },
    EnvVar {
        name: "AWS_SHARED_CREDENTIALS_FILE",
        meaning: "the credentials file, in place of ~/.aws/credentials",
    },
    EnvVar {
        name: "AWS_ACCESS_KEY_ID",
        meaning: "with AWS_SECRET_ACCESS_KEY the first source of the default chain",
    },
    EnvVar { name: "AWS_SECRET_ACCESS_KEY", meaning: "belongs to AWS_ACCESS_KEY_ID" },
    EnvVar { name: "AWS_SESSION_TOKEN", meaning: "belongs to AWS_ACCESS_KEY_ID" },
    EnvVar { name: "AWS_ROLE_ARN", meaning: "the role of the token of the default chain" },
    EnvVar {
        name: "AWS_ROLE_SESSION_NAME",
        meaning: "the session's name, before a profile's and after `--session-name`",
    },
    EnvVar {
        name: "AWS_WEB_IDENTITY_TOKEN_FILE",
        meaning: "the token of the default chain, and of the ServiceAccount that a grant's auth.jwt names",
    },
    EnvVar {
        name: "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        meaning: "the container's endpoint on ECS",
    },
    EnvVar {
        name: "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        meaning: "the container's endpoint on EKS and elsewhere",
    },
    EnvVar { name: "AWS_ENDPOINT_URL_STS", meaning: "another STS than AWS's" },
    EnvVar { name: "AWS_ENDPOINT_URL_ECR", meaning: "another ECR than AWS's" },
    EnvVar { name: "AWS_ENDPOINT_URL_ECR_PUBLIC", meaning: "another public ECR than AWS's" },
    EnvVar { name: "AWS_ENDPOINT_URL", meaning: "all of them, after their own variables" },
    EnvVar {
        name: "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        meaning: "`true` turns the endpoint variables and those of profiles off",
    },
    EnvVar { name: "AWS_USE_FIPS_ENDPOINT", meaning: "`true` is `--fips`" },
    EnvVar { name: "AWS_USE_DUALSTACK_ENDPOINT", meaning: "`true` is `--dual-stack`" },
    EnvVar { name: "AWS_CA_BUNDLE", meaning: "the file of `--ca-bundle`" },
    EnvVar { name: "HTTPS_PROXY", meaning: "the http proxy of calls over TLS to other machines" },
    EnvVar { name: "https_proxy", meaning: "the same" },
    EnvVar { name: "HTTP_PROXY", meaning: "the http proxy of calls in clear to other machines" },
    EnvVar { name: "http_proxy", meaning: "the same" },
    EnvVar { name: "ALL_PROXY", meaning: "both, where their own variables are not set" },
    EnvVar { name: "all_proxy", meaning: "the same" },
    EnvVar {
        name: "ROLECALL_CREDENTIAL_PROCESS",
        meaning: "set by rolecall for a credential_process: the profiles it runs for",
    },
    EnvVar {
        name: "METADATA_API_URL",
        meaning: "where Relay's metadata API is, with the step's token, for `relay-step`",
    },
    EnvVar {
        name: "RELAY_DEFAULT_TIMEOUT",
        meaning: "how long `relay-step` asks that API again, 5 min without it",
    },
    EnvVar { name: "HOME", meaning: "where ~/.aws is" },
    EnvVar { name: "USERPROFILE", meaning: "the same, after HOME (Windows)" },
    EnvVar { name: "USER", meaning: "the first half of the default session name" },
    EnvVar { name: "LOGNAME", meaning: "the same, after USER" },
    EnvVar { name: "USERNAME", meaning: "the same, after LOGNAME (Windows)" },
];

/// A variable's name, and what it holds.
pub(crate) type Named = (&'static str, String);

/// The environment as rolecall sees it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) region: Option<String>,
    pub(crate) profile: Option<Named>,
    pub(crate) endpoints: EndpointVariables,
    pub(crate) ignores_endpoints: bool,
    pub(crate) fips: Option<bool>,
    pub(crate) dual_stack: Option<bool>,
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Whether each half of an access key is there; the SDK reads the key itself.
    pub(crate) has_key: KeyHalves,
    pub(crate) role_arn: Option<String>,
    pub(crate) role_session_name: Option<String>,
    pub(crate) web_identity_token_file: Option<PathBuf>,
    /// Whether a container's endpoint is named.
    pub(crate) has_container: bool,
    pub(crate) config_files: ConfigFiles,
    pub(crate) sso_cache: Option<PathBuf>,
    /// The profiles whose `credential_process` this process runs in.
    pub(crate) running: Option<String>,
    pub(crate) user: Option<String>,
    /// Variables that are no text: passing them over could lead to somebody else.
    pub(crate) problems: Violations,
}

/// Which variable names the endpoint of each service.
#[derive(Clone, Debug, Default)]
pub(crate) struct EndpointVariables {
    pub(crate) sts: Option<Named>,
    pub(crate) ecr: Option<Named>,
    pub(crate) ecr_public: Option<Named>,
}

/// Which half of an access key the environment has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct KeyHalves {
    pub(crate) id: bool,
    pub(crate) secret: bool,
}

/// One variable that a flag names.
#[expect(clippy::disallowed_methods, reason = "beside from_environment, the one other reader")]
pub(crate) fn named_variable(name: &str) -> Option<OsString> {
    std::env::var_os(name).filter(|value| !value.is_empty())
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
            if !PATHS.contains(&name) && raw(name).is_some() && text(name).is_none() {
                problems.push(name, "is not UTF-8 text");
            }
        }
        for name in PROXIES {
            // The value may hold a password.
            if text(name).is_some_and(|value| !is_proxy(&value)) {
                let hint = "name an http proxy, as http://HOST:PORT, or unset it";
                problems.push_with_hint(name, "is not the URL of an http proxy", hint);
            }
        }
        let mut flag = |name: &str| {
            let value = text(name)?.to_ascii_lowercase();
            if !matches!(value.as_str(), "true" | "false") {
                problems.push(name, "must be true or false");
            }
            Some(value == "true")
        };
        let has = |name: &str| text(name).is_some_and(|value| !value.trim().is_empty());
        let ignores_endpoints = flag("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == Some(true);
        let endpoint = |own| first(&[own, "AWS_ENDPOINT_URL"]).filter(|_| !ignores_endpoints);
        Self {
            region: first(&["AWS_REGION", "AWS_DEFAULT_REGION"]).map(|(_, region)| region),
            profile: first(&["AWS_PROFILE", "AWS_DEFAULT_PROFILE"]),
            endpoints: EndpointVariables {
                sts: endpoint("AWS_ENDPOINT_URL_STS"),
                ecr: endpoint("AWS_ENDPOINT_URL_ECR"),
                ecr_public: endpoint("AWS_ENDPOINT_URL_ECR_PUBLIC"),
            },
            ignores_endpoints,
            fips: flag("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: flag("AWS_USE_DUALSTACK_ENDPOINT"),
            ca_bundle: raw("AWS_CA_BUNDLE").map(PathBuf::from),
            has_key: KeyHalves {
                id: has("AWS_ACCESS_KEY_ID"),
                secret: has("AWS_SECRET_ACCESS_KEY"),
            },
            role_arn: text("AWS_ROLE_ARN"),
            role_session_name: text("AWS_ROLE_SESSION_NAME"),
            web_identity_token_file: raw("AWS_WEB_IDENTITY_TOKEN_FILE").map(PathBuf::from),
            has_container: raw("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI").is_some()
                || raw("AWS_CONTAINER_CREDENTIALS_FULL_URI").is_some(),
            config_files: config_files(raw),
            sso_cache: home(raw).map(|home| home.join(".aws/sso/cache")),
            running: text("ROLECALL_CREDENTIAL_PROCESS"),
            user: first(&["USER", "LOGNAME", "USERNAME"]).map(|(_, user)| user),
            problems,
        }
    }
}

fn home(raw: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    raw("HOME").or_else(|| raw("USERPROFILE")).map(PathBuf::from)
}

/// Where the AWS config files are; nowhere, for somebody without a home.
fn config_files(raw: impl Fn(&str) -> Option<OsString>) -> ConfigFiles {
    let home = home(&raw);
    let named = |variable: &str| {
        let path = PathBuf::from(raw(variable)?);
        Some(match (path.strip_prefix("~"), &home) {
            (Ok(below), Some(home)) => home.join(below),
            _ => path,
        })
    };
    let in_home = |name: &str| home.as_ref().map(|home| home.join(".aws").join(name));
    ConfigFiles {
        config: named("AWS_CONFIG_FILE").or_else(|| in_home("config")),
        credentials: named("AWS_SHARED_CREDENTIALS_FILE").or_else(|| in_home("credentials")),
    }
}

const PROXIES: [&str; 6] =
    ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"];

/// Variables that hold paths, which need not be text.
const PATHS: [&str; 6] = [
    "AWS_CONFIG_FILE",
    "AWS_SHARED_CREDENTIALS_FILE",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CA_BUNDLE",
    "HOME",
    "USERPROFILE",
];

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
        assert_eq!(settings.endpoints.sts, None);
    }

    #[test]
    fn every_variable_is_documented() {
        let page = include_str!("../../../docs/reference/environment.md");
        for EnvVar { name, meaning } in VARIABLES {
            assert!(page.contains(&format!("| `{name}` | {meaning} |")), "{name}");
        }
    }
}

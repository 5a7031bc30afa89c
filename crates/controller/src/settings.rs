//! The environment, read once: where AWS is, and who the controller itself is.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use rolecall_aws::{
    CaBundle, ChainOptions, ConfigFiles, Destination, Endpoint, Machine, Network, PlainHttp,
    Retries, SharedConfig,
};
use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::plan::{Hop, SourceSpec, Start, TokenFrom, WebIdentityRequest};
use rolecall_engine::ports::Clock;
use rolecall_engine::region::Region;
use rolecall_engine::request::SessionName;
use rolecall_engine::violation::Violations;

use crate::args::ElectionArgs;
use crate::lease::Terms;

/// The machine's clock.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the wall clock")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// What the environment says.
#[derive(Debug)]
pub struct Settings {
    /// Where AWS is.
    pub network: Network,
    /// Where to call where a generator leaves it open.
    pub region: Option<Region>,
    /// Whose rules ARNs are held against.
    pub dialect: Dialect,
    /// The controller's own identity, and why there is none.
    pub ambient: Result<Start, String>,
    /// For the controller's own identity.
    pub machine: Machine,
}

/// Reads one variable; empty counts as absent, as in the AWS SDKs.
pub fn variable(name: &str) -> Option<OsString> {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
    std::env::var_os(name).filter(|value| !value.is_empty())
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    ///
    /// Every variable that cannot be used.
    pub fn read(allow_http: bool) -> Result<Self, Violations> {
        let mut problems = Violations::new();
        let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
        let first = |names: &[&'static str]| {
            names.iter().find_map(|name| text(name).map(|text| (*name, text)))
        };
        let plain = if allow_http { PlainHttp::Anywhere } else { PlainHttp::Loopback };
        let is_on = |name: &str| text(name).is_some_and(|it| it.eq_ignore_ascii_case("true"));
        let regional = Destination::Regional {
            fips: is_on("AWS_USE_FIPS_ENDPOINT"),
            dual_stack: is_on("AWS_USE_DUALSTACK_ENDPOINT"),
        };
        let mut is_elsewhere = false;
        let mut destination = |names: &[&'static str]| {
            let Some((name, url)) = first(names) else { return regional.clone() };
            is_elsewhere = true;
            match Endpoint::parse(&url, plain) {
                Ok(endpoint) => Destination::Endpoint(endpoint),
                Err(problem) => {
                    problems.push(name, problem);
                    regional.clone()
                }
            }
        };
        let sts = destination(&["AWS_STS_ENDPOINT", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"]);
        let ecr = destination(&["AWS_ECR_ENDPOINT", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL"]);
        let ecr_public = destination(&[
            "AWS_ECR_PUBLIC_ENDPOINT",
            "AWS_ENDPOINT_URL_ECR_PUBLIC",
            "AWS_ENDPOINT_URL",
        ]);
        let ca_bundle = variable("AWS_CA_BUNDLE").and_then(|path| {
            let read = CaBundle::read(std::path::Path::new(&path));
            read.map_err(|error| problems.push("AWS_CA_BUNDLE", error)).ok()
        });
        let network = Network { sts, ecr, ecr_public, ca_bundle, retries: Retries::Caller };
        let region = first(&["AWS_REGION", "AWS_DEFAULT_REGION"])
            .and_then(|(name, text)| problems.keep(name, Region::parse(&text)));
        let dialect = if is_elsewhere { Dialect::Compatible } else { Dialect::Aws };
        let config = match SharedConfig::load(&config_files()) {
            Ok(config) => config,
            Err(error) => {
                problems.push("AWS_CONFIG_FILE", error);
                SharedConfig::default()
            }
        };
        let ambient = ambient(&config, dialect);
        let machine = Machine {
            config: Arc::new(config),
            network: network.clone(),
            running: None,
            sso_cache: None,
            clock: || SystemClock.now(),
        };
        let settings = Self { network, region, dialect, ambient, machine };
        problems.into_result(Some(settings))
    }
}

/// The Lease that replicas are chosen by; `namespace` is that of the service account or of the
/// kubeconfig.
///
/// # Errors
///
/// Every span of time that does not go with the others.
pub fn terms(args: &ElectionArgs, namespace: &str) -> anyhow::Result<Terms> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let given = Some(args.leader_election_namespace.clone()).filter(|it| !it.is_empty());
    let host = text("POD_NAME").or_else(|| text("HOSTNAME"));
    let host = host.unwrap_or_else(|| "rolecall-controller".to_owned());
    let terms = Terms {
        namespace: given.or_else(|| text("POD_NAMESPACE")).unwrap_or_else(|| namespace.to_owned()),
        name: args.leader_election_id.clone(),
        // A pod that is started anew is another holder than it was.
        identity: format!("{host}_{:016x}", fastrand::u64(..)),
        duration: args.leader_election_lease_duration,
        renew_deadline: args.leader_election_renew_deadline,
        retry_period: args.leader_election_retry_period,
    };
    let problems = terms.problems();
    anyhow::ensure!(problems.is_empty(), "replicas cannot be chosen\n{}", problems.join("\n"));
    Ok(terms)
}

fn config_files() -> ConfigFiles {
    let in_home =
        |name: &str| variable("HOME").map(|home| PathBuf::from(home).join(".aws").join(name));
    let named = |name: &str| variable(name).map(PathBuf::from);
    ConfigFiles {
        config: named("AWS_CONFIG_FILE").or_else(|| in_home("config")),
        credentials: named("AWS_SHARED_CREDENTIALS_FILE").or_else(|| in_home("credentials")),
    }
}

/// The default chain of the AWS SDKs, decided before any call: environment, config files, web
/// identity, container, instance.
fn ambient(config: &SharedConfig, dialect: Dialect) -> Result<Start, String> {
    let text = |name: &str| variable(name).and_then(|value| value.into_string().ok());
    let has = |name: &str| variable(name).is_some();
    let name = SessionName::made_from("rolecall-controller");
    match (has("AWS_ACCESS_KEY_ID"), has("AWS_SECRET_ACCESS_KEY")) {
        (true, true) => return Ok(SourceSpec::Environment.into()),
        (false, false) => {}
        _ => {
            return Err("only one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is set".to_owned());
        }
    }
    let profile = text("AWS_PROFILE").or_else(|| text("AWS_DEFAULT_PROFILE"));
    let profile = profile.unwrap_or_else(|| "default".to_owned());
    if config.has_credentials(&profile) {
        let options = ChainOptions { dialect, default_name: name, session_name: None, role: None };
        let chain = config.chain(&profile, &options).map_err(|error| error.to_string())?;
        return Ok(chain.start);
    }
    if let Some(file) = variable("AWS_WEB_IDENTITY_TOKEN_FILE") {
        let role = text("AWS_ROLE_ARN").ok_or("AWS_ROLE_ARN is not set beside the token file")?;
        let role = RoleArn::parse(&role, dialect).map_err(|it| format!("AWS_ROLE_ARN {it}"))?;
        let session_name = match text("AWS_ROLE_SESSION_NAME") {
            Some(text) => SessionName::parse(&text)
                .map_err(|problem| format!("AWS_ROLE_SESSION_NAME {problem}"))?,
            None => name,
        };
        let hop = WebIdentityRequest { session_name, ..WebIdentityRequest::of_account(role) };
        let from = TokenFrom::File(PathBuf::from(file));
        let source = SourceSpec::Token { from, account: None };
        return Ok(Start { source, hops: vec![Hop::WebIdentity(hop)] });
    }
    let is_container =
        has("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") || has("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let source = if is_container { SourceSpec::Container } else { SourceSpec::Instance };
    Ok(source.into())
}

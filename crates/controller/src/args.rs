//! The flags: ours, and those of ESO's controller, so that its arguments can stay as they are.

use std::net::SocketAddr;
use std::time::Duration;

use clap::{ArgAction, Parser, Subcommand};
use jiff::SignedDuration;
use rolecall_engine::template::go_duration;

use crate::planner::AmbientIdentity;

/// Keeps the Secrets of ExternalSecrets fresh with short-lived AWS credentials
#[derive(Debug, Parser)]
#[command(name = "rolecall-controller", version, args_conflicts_with_subcommands = true)]
pub struct Args {
    /// Another work than to control
    #[command(subcommand)]
    pub command: Option<Work>,
    /// How the controller runs
    #[command(flatten)]
    pub run: RunArgs,
}

/// Another work than to control.
#[derive(Debug, Subcommand)]
pub enum Work {
    /// Print the `CustomResourceDefinitions`, for kubectl apply --server-side -f -
    Crds,
    /// Take the finalizer off every ExternalSecret that this controller has written, and the owner off
    /// its Secret, so that nothing hangs and nothing is lost when it is uninstalled
    Release(ReleaseArgs),
}

/// What is released.
#[derive(Debug, clap::Args)]
pub struct ReleaseArgs {
    /// In these namespaces alone, separated by commas; without the flag in the whole cluster
    #[arg(long, value_delimiter = ',', value_parser = named_namespace, value_name = "NAMESPACES")]
    pub namespace: Vec<String>,
}

/// How the controller runs.
#[derive(Debug, clap::Args)]
pub struct RunArgs {
    /// Who may use the controller's own AWS identity: every generator without auth, only a
    /// ClusterGenerator, or nobody
    #[arg(long, value_enum, default_value_t, value_name = "WHO")]
    pub ambient_identity: AmbientIdentity,
    /// Take an http endpoint that is not on this machine: session tokens then go in clear
    #[arg(long)]
    pub allow_http: bool,
    /// How long before its end a credential that could not be renewed makes its object not ready
    #[arg(long, value_parser = duration, default_value = "3m", value_name = "DURATION")]
    pub alarm_margin: SignedDuration,
    /// Whether labels and annotations of an ExternalSecret without a template go to its Secret
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub copy_metadata: bool,
    /// Serve ExternalSecrets that name a store of this class; of the class "default" also those that
    /// name none
    #[arg(long, default_value = "default", value_name = "CLASS")]
    pub controller_class: String,
    /// Watch these namespaces alone, separated by commas, without a role of the whole cluster; objects
    /// that name a `ClusterGenerator` which such a role would show are left alone
    #[arg(long, value_delimiter = ',', value_parser = namespace, default_value = "", hide_default_value = true, value_name = "NAMESPACES")]
    pub namespace: Vec<String>,
    /// Write nothing and call nobody: say for each object what would be done
    #[arg(long)]
    pub observe: bool,
    /// How one of several replicas is chosen
    #[command(flatten)]
    pub election: ElectionArgs,
    /// What is measured
    #[command(flatten)]
    pub metrics: MetricsArgs,
    /// How long the class of a store is taken for what it was
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "DURATION")]
    pub store_requeue_interval: SignedDuration,
    /// Where /healthz and /readyz are served
    #[arg(long, value_parser = address, default_value = ":8082", value_name = "ADDRESS")]
    pub live_addr: SocketAddr,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    pub loglevel: String,
}

/// What is measured.
#[derive(Debug, clap::Args)]
pub struct MetricsArgs {
    /// Whether there are series of ours for each object; ESO's are always there
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub metrics_per_object: bool,
    /// Give ESO's series the labels `app.kubernetes.io/*` of their objects
    #[arg(long, default_value_t = false, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub enable_extended_metric_labels: bool,
    /// Where metrics are served
    #[arg(long, value_parser = address, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_addr: SocketAddr,
}

/// How one of several replicas is chosen.
#[derive(Debug, clap::Args)]
pub struct ElectionArgs {
    /// Work only while a Lease of coordination.k8s.io is held, so that several replicas can run
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub enable_leader_election: bool,
    /// The name of the Lease; two installations in one namespace need two
    #[arg(long, value_parser = lease_name, default_value = "rolecall-controller", value_name = "NAME")]
    pub leader_election_id: String,
    /// Its namespace; without the flag `POD_NAMESPACE`, then that of the service account, then that of
    /// the kubeconfig
    #[arg(long, default_value = "", hide_default_value = true, value_name = "NAMESPACE")]
    pub leader_election_namespace: String,
    /// How long the others wait for a holder that says nothing
    #[arg(long, value_parser = span, default_value = "15s", value_name = "DURATION")]
    pub leader_election_lease_duration: Duration,
    /// How long a holder works that cannot renew; shorter than the lease
    #[arg(long, value_parser = span, default_value = "10s", value_name = "DURATION")]
    pub leader_election_renew_deadline: Duration,
    /// How long between two tries
    #[arg(long, value_parser = span, default_value = "2s", value_name = "DURATION")]
    pub leader_election_retry_period: Duration,
}

/// Takes the flags of ESO's controller that have no meaning here out of the arguments: what is left,
/// and what was taken.
pub fn without_ignored(
    words: impl IntoIterator<Item = String>,
) -> (Vec<String>, Vec<&'static str>) {
    let mut left = Vec::new();
    let mut taken = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(word) = words.next() {
        let name = word.strip_prefix("--").map(|flag| flag.split('=').next().unwrap_or_default());
        let Some(known) = name.and_then(|name| IGNORED.iter().find(|it| **it == name)) else {
            left.push(word);
            continue;
        };
        taken.push(*known);
        let has_value = word.contains('=');
        if !has_value && words.peek().is_some_and(|next| !next.starts_with('-')) {
            words.next();
        }
    }
    (left, taken)
}

fn duration(text: &str) -> Result<SignedDuration, String> {
    let duration = go_duration(text).filter(|it| *it >= SignedDuration::ZERO);
    duration.ok_or_else(|| "a duration is written as in 90s, 5m or 1h30m".to_owned())
}

/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-label-names>
fn namespace(text: &str) -> Result<String, String> {
    let name = text.trim();
    let is_name = name.is_empty() || (name.len() <= 63 && is_label(name));
    let problem = "a namespace has at most 63 lower-case letters, digits and dashes";
    is_name.then(|| name.to_owned()).ok_or_else(|| problem.to_owned())
}

/// The same where an empty name, as of a variable that is not set, must not mean all of them.
fn named_namespace(text: &str) -> Result<String, String> {
    let name = namespace(text)?;
    (!name.is_empty()).then_some(name).ok_or_else(|| "a namespace has a name".to_owned())
}

/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/names/#dns-subdomain-names>
fn lease_name(text: &str) -> Result<String, String> {
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    let problem =
        "a name has at most 253 lower-case letters, digits, dashes and dots, and is not empty";
    is_name.then(|| text.to_owned()).ok_or_else(|| problem.to_owned())
}

fn is_label(text: &str) -> bool {
    let is_inner = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit() || it == '-';
    !text.is_empty() && text.chars().all(is_inner) && !text.starts_with('-') && !text.ends_with('-')
}

fn span(text: &str) -> Result<Duration, String> {
    duration(text).and_then(|it| Duration::try_from(it).map_err(|error| error.to_string()))
}

/// `:PORT` is every address of the machine, of both families.
fn address(text: &str) -> Result<SocketAddr, String> {
    let whole = match text.strip_prefix(':') {
        Some(port) => format!("[::]:{port}"),
        None => text.to_owned(),
    };
    whole
        .parse()
        .map_err(|_| "an address is written as in :8080, 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// How long a stop waits for passes that run.
pub const GRACE: Duration = Duration::from_secs(10);

/// ESO's flags without a meaning here.
const IGNORED: [&str; 20] = [
    "client-burst",
    "client-qps",
    "concurrent",
    "enable-cluster-external-secret-reconciler",
    "enable-cluster-push-secret-reconciler",
    "enable-cluster-store-reconciler",
    "enable-configmaps-caching",
    "enable-flood-gate",
    "enable-generator-state",
    "enable-http2",
    "enable-managed-secrets-caching",
    "enable-push-secret-reconciler",
    "enable-secret-api-read-on-cache-mismatch",
    "enable-secret-store-reconciler",
    "enable-secrets-caching",
    "generator-gc-grace-period",
    "metrics-auth",
    "metrics-secure",
    "unsafe-allow-generic-targets",
    "zap-time-encoding",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flags_are_sound() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }

    #[test]
    fn names_that_cannot_be_are_refused_at_the_start() {
        let parse = |flag: &str| Args::try_parse_from(["rolecall-controller", flag]);
        for refused in [
            "--leader-election-id=",
            "--leader-election-id=Bad_Name",
            "--leader-election-id=a..b",
            "--namespace=Team_A",
            "--namespace=a,-b",
            "--leader-election-lease-duration=-1s",
        ] {
            assert!(parse(refused).is_err(), "{refused}");
        }
        let release = |flag: &str| Args::try_parse_from(["rolecall-controller", "release", flag]);
        assert!(release("--namespace=").is_err() && release("--namespace=a,").is_err());
        assert!(release("--namespace=a,b").is_ok());
        let args = parse("--namespace=a, b,,a").unwrap().run;
        assert_eq!(args.namespace, ["a", "b", "", "a"]);
        assert!(parse("--leader-election-id=a.b-c").is_ok());
    }

    #[test]
    fn flags_of_eso_are_taken_and_ignored() {
        let words = [
            "rolecall-controller",
            "--concurrent=5",
            "--enable-leader-election",
            "--client-qps",
            "50",
            "--enable-flood-gate",
            "--controller-class",
            "x",
            "--metrics-addr=:9090",
        ];
        let (left, taken) = without_ignored(words.map(str::to_owned));
        assert_eq!(
            left,
            [
                "rolecall-controller",
                "--enable-leader-election",
                "--controller-class",
                "x",
                "--metrics-addr=:9090"
            ]
        );
        assert_eq!(taken, ["concurrent", "client-qps", "enable-flood-gate"]);
        let args = Args::try_parse_from(left).unwrap();
        assert_eq!(args.run.metrics.metrics_addr.port(), 9090);
        assert!(args.run.metrics.metrics_addr.ip().is_ipv6());
    }
}

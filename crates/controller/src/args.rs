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
    /// Print the CustomResourceDefinitions, for kubectl apply --server-side -f -
    Crds,
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
    /// Whether there are series for each object
    #[arg(long, default_value_t = true, action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true")]
    pub metrics_per_object: bool,
    /// Serve ExternalSecrets that name a store of this class; of the class "default" also those that
    /// name none
    #[arg(long, default_value = "default", value_name = "CLASS")]
    pub controller_class: String,
    /// Watch this namespace alone
    #[arg(long, default_value = "", value_name = "NAMESPACE")]
    pub namespace: String,
    /// How long the class of a store is taken for what it was
    #[arg(long, value_parser = duration, default_value = "5m", value_name = "DURATION")]
    pub store_requeue_interval: SignedDuration,
    /// Where metrics are served
    #[arg(long, value_parser = address, default_value = ":8080", value_name = "ADDRESS")]
    pub metrics_addr: SocketAddr,
    /// Where /healthz and /readyz are served
    #[arg(long, value_parser = address, default_value = ":8082", value_name = "ADDRESS")]
    pub live_addr: SocketAddr,
    /// What is logged: error, warn, info, debug or trace
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    pub loglevel: String,
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
const IGNORED: [&str; 26] = [
    "client-burst",
    "client-qps",
    "concurrent",
    "enable-cluster-external-secret-reconciler",
    "enable-cluster-push-secret-reconciler",
    "enable-cluster-store-reconciler",
    "enable-configmaps-caching",
    "enable-extended-metric-labels",
    "enable-flood-gate",
    "enable-generator-state",
    "enable-http2",
    "enable-leader-election",
    "enable-managed-secrets-caching",
    "enable-push-secret-reconciler",
    "enable-secret-api-read-on-cache-mismatch",
    "enable-secret-store-reconciler",
    "enable-secrets-caching",
    "generator-gc-grace-period",
    "leader-election-id",
    "leader-election-lease-duration",
    "leader-election-renew-deadline",
    "leader-election-retry-period",
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
    fn flags_of_eso_are_taken_and_ignored() {
        let words = [
            "rolecall-controller",
            "--concurrent=5",
            "--enable-leader-election",
            "--client-qps",
            "50",
            "--controller-class",
            "x",
            "--metrics-addr=:9090",
        ];
        let (left, taken) = without_ignored(words.map(str::to_owned));
        assert_eq!(
            left,
            ["rolecall-controller", "--controller-class", "x", "--metrics-addr=:9090"]
        );
        assert_eq!(taken, ["concurrent", "enable-leader-election", "client-qps"]);
        let args = Args::try_parse_from(left).unwrap();
        assert_eq!(args.run.metrics_addr.port(), 9090);
        assert!(args.run.metrics_addr.ip().is_ipv6());
    }
}

//! Every metric, for the documentation.

/// Every metric: its name, its kind, its labels, and what it says.
pub const METRICS: [(&str, &str, &str, &str); 24] = [
    ("controller_runtime_reconcile_errors_total", "counter", "controller", "passes that failed"),
    (
        "controller_runtime_reconcile_time_seconds",
        "histogram",
        "controller",
        "how long passes take",
    ),
    (
        "controller_runtime_reconcile_total",
        "counter",
        "controller, result",
        "passes, by their result",
    ),
    (
        "externalsecret_provider_api_calls_count",
        "counter",
        "provider, call, status",
        "calls of AWS",
    ),
    (
        "externalsecret_reconcile_duration",
        "gauge",
        "name, namespace",
        "how long the last pass took, in nanoseconds",
    ),
    (
        "externalsecret_status_condition",
        "gauge",
        "name, namespace, condition, status",
        "the condition Ready: 1 at the status that it has; Deleted, once the object is gone",
    ),
    ("externalsecret_sync_calls_error", "counter", "name, namespace", "passes that failed"),
    ("externalsecret_sync_calls_total", "counter", "name, namespace", "passes"),
    (
        "leader_election_master_status",
        "gauge",
        "name",
        "with --enable-leader-election: 1 at the replica that works, 0 at one that stands by and tells of no object",
    ),
    (
        "rolecall_clock_offset_seconds",
        "gauge",
        "",
        "how far AWS's clock is ahead of this one; nothing until AWS has answered",
    ),
    (
        "rolecall_credential_expiration_timestamp_seconds",
        "gauge",
        "namespace, name, kind",
        "when the stored credential ends",
    ),
    (
        "rolecall_credential_issued_timestamp_seconds",
        "gauge",
        "namespace, name, kind",
        "when the stored credential was issued",
    ),
    (
        "rolecall_credential_least_remaining_seconds",
        "gauge",
        "",
        "for how long the first of the stored credentials to end is still good; below zero once it has ended",
    ),
    (
        "rolecall_credential_ready_status",
        "gauge",
        "namespace, name, kind, condition",
        "whether the stored credential is what is asked for",
    ),
    (
        "rolecall_credential_remaining_seconds",
        "histogram",
        "",
        "for how long the stored credentials are still good, at this scrape",
    ),
    (
        "rolecall_credential_renewal_timestamp_seconds",
        "gauge",
        "namespace, name, kind",
        "when the stored credential is to be renewed; a failed try does not move it",
    ),
    ("rolecall_credentials_expired", "gauge", "", "stored credentials that have ended"),
    ("rolecall_events_dropped_total", "counter", "", "Events that could not be written"),
    (
        "rolecall_externalsecrets_out_of_scope",
        "gauge",
        "",
        "ExternalSecrets whose sources are none of rolecall's",
    ),
    ("rolecall_passes_total", "counter", "", "passes over all objects"),
    (
        "rolecall_queue_lag_seconds",
        "gauge",
        "",
        "for how long the object that has waited longest is overdue; liveness follows it",
    ),
    (
        "rolecall_refresh_failures_total",
        "counter",
        "class",
        "refreshes that failed, by the reason of Refreshing",
    ),
    (
        "rolecall_sts_calls_total",
        "counter",
        "operation, region, outcome",
        "calls of AWS, those of ECR and of earlier hops too, and what came of each",
    ),
    (
        "rolecall_sts_throttles_total",
        "counter",
        "region",
        "calls that AWS refused because there were too many",
    ),
];

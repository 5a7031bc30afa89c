//! `docs/reference/controller.md` and `docs/reference/crds.md`, made of what the code says.

#![allow(clippy::unwrap_used, reason = "a test panics, and says what ran")]

use std::fmt::Write as _;

use clap::CommandFactory as _;
use kube::runtime::events::EventType;
use rolecall_controller::args::Args;
use rolecall_controller::events::words;
use rolecall_controller::failure::Reason;
use rolecall_controller::metrics::METRICS;
use rolecall_controller::schema::crds;
use rolecall_controller::seen::{Announcement, Ready};
use serde_json::Value;

#[test]
fn the_page_of_the_controller_is_what_the_code_says() {
    let mut page = String::from(
        "# rolecall-controller\n\nMade by `cargo xtask gen` from the code. How to begin: [the guide](../guides/cluster.md).\n\n\
         ## Commands\n\n| command | meaning |\n| --- | --- |\n\
         | `rolecall-controller` | control, until a signal: the flags are below |\n",
    );
    for command in Args::command().get_subcommands() {
        let about = command.get_about().unwrap().to_string();
        let flags = command.get_arguments().filter_map(|flag| {
            let long = flag.get_long().filter(|long| *long != "help")?;
            Some(format!("; `--{long}`: {}", flag.get_help()?.to_string().to_lowercase()))
        });
        let flags: String = flags.collect();
        writeln!(page, "| `rolecall-controller {}` | {about}{flags} |", command.get_name())
            .unwrap();
    }
    page.push_str("\n## Flags\n\n| flag | default | meaning |\n| --- | --- | --- |\n");
    for flag in Args::command().get_arguments() {
        let Some(long) = flag.get_long().filter(|long| !["help", "version"].contains(long)) else {
            continue;
        };
        let default: Vec<_> =
            flag.get_default_values().iter().map(|it| it.to_string_lossy().into_owned()).collect();
        let default = if default.join("").is_empty() {
            String::new()
        } else {
            format!("`{}`", default.join(" "))
        };
        let help = flag.get_help().unwrap().to_string();
        writeln!(page, "| `--{long}` | {default} | {help} |").unwrap();
    }
    page.push_str(
        "\nESO's other flags are taken and said to be ignored. Variables: `AWS_STS_ENDPOINT`, `AWS_ECR_ENDPOINT`, \
         `AWS_ECR_PUBLIC_ENDPOINT`, then those of [the environment](environment.md) that name regions, \
         endpoints, certificates, proxies (for AWS alone) and the controller's own identity; `KUBECONFIG` outside of a pod; `POD_NAMESPACE`, and `POD_NAME` or `HOSTNAME`, for the Lease.\n\n\
         ## Conditions\n\nThe words are constant. `Refreshing` is on rolecall's CRD alone.\n\n\
         | condition | status | reason | message, or cure |\n| --- | --- | --- | --- |\n",
    );
    for ready in Ready::ALL {
        let status = if ready.is_ready() { "True" } else { "False" };
        writeln!(page, "| `Ready` | {status} | `{}` | `{}` |", ready.reason(), ready.message())
            .unwrap();
    }
    page.push_str("| `Refreshing` | True | `Scheduled` | nothing is to do |\n");
    page.push_str("| `Refreshing` | False | `PolicyNever` | let `refreshPolicy` be Periodic with an interval above zero |\n");
    for reason in Reason::ALL {
        writeln!(page, "| `Refreshing` | False | `{}` | {} |", reason.as_str(), reason.cure())
            .unwrap();
    }
    events_and_metrics(&mut page);
    check("controller.md", &page);
}

fn events_and_metrics(page: &mut String) {
    page.push_str(
        "\nA failed renewal leaves `Ready` at True while the stored credential is good for longer than \
         `--alarm-margin`; `status.lastError` says what failed, since when and how often, and \
         `status.nextRefreshTime` when it is tried next.\n\n\
         ## Events\n\n| type | reason | note |\n| --- | --- | --- |\n",
    );
    for what in [
        Announcement::Created,
        Announcement::Updated,
        Announcement::Deleted,
        Announcement::OrphanDeleted,
        Announcement::PolicyNever,
        Announcement::IntervalTooLong,
        Announcement::BothAuth,
        Announcement::MixedSources,
        Announcement::AnotherController,
    ] {
        let (kind, reason, note) = words(what, None);
        let kind = if kind == EventType::Normal { "Normal" } else { "Warning" };
        writeln!(page, "| {kind} | `{reason}` | {note} |").unwrap();
    }
    page.push_str(
        "| Warning | `UpdateFailed` | what failed, in full; said again when the class changes |\n",
    );
    page.push_str(
        "\n## Metrics\n\n| name | kind | labels | meaning |\n| --- | --- | --- | --- |\n",
    );
    for (name, kind, labels, meaning) in METRICS {
        writeln!(page, "| `{name}` | {kind} | {labels} | {meaning} |").unwrap();
    }
    page.push_str(
        "\n`/metrics` is served at `--metrics-addr`; `/healthz` (the scheduler moves; what AWS does is no \
         reason to restart) and `/readyz` (every watch has told what there is) at `--live-addr`.\n",
    );
}

#[test]
fn the_page_of_the_crds_is_what_the_types_say() {
    let mut page = String::from(
        "# The CRDs\n\nMade by `cargo xtask gen` from the types, as `kubectl explain` prints them. The files: `deploy/crds/`.\n",
    );
    for crd in crds() {
        let kind = crd["spec"]["names"]["kind"].as_str().unwrap();
        let version = &crd["spec"]["versions"][0];
        let group = crd["spec"]["group"].as_str().unwrap();
        writeln!(
            page,
            "\n## {kind}\n\n`{group}/{}`\n\n| field | type | meaning |\n| --- | --- | --- |",
            version["name"].as_str().unwrap()
        )
        .unwrap();
        for part in ["spec", "status"] {
            fields(&version["schema"]["openAPIV3Schema"]["properties"][part], part, &mut page);
        }
    }
    check("crds.md", &page);
}

fn fields(schema: &Value, path: &str, page: &mut String) {
    let kind = schema["type"].as_str().unwrap_or("object");
    let mut about =
        schema["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|");
    if let Some(words) = schema["enum"].as_array().filter(|words| words.len() < 8) {
        let words: Vec<_> = words.iter().map(|it| format!("`{}`", it.as_str().unwrap())).collect();
        write!(about, " One of {}.", words.join(", ")).unwrap();
    }
    for (word, field) in [
        ("from", "minimum"),
        ("at least", "minLength"),
        ("to", "maximum"),
        ("at most", "maxLength"),
        ("at most", "maxItems"),
    ] {
        if let Some(number) = schema[field].as_u64() {
            write!(about, " {word} {number}").unwrap();
        }
    }
    writeln!(page, "| `{path}` | {kind} | {} |", about.trim()).unwrap();
    if let Some(properties) = schema["properties"].as_object() {
        for (name, inner) in properties {
            fields(inner, &format!("{path}.{name}"), page);
        }
    }
    if schema["items"]["properties"].is_object() {
        for (name, inner) in schema["items"]["properties"].as_object().unwrap() {
            fields(inner, &format!("{path}[].{name}"), page);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "cargo xtask gen says so")]
fn check(name: &str, page: &str) {
    let path = format!("{}/../../docs/reference/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var_os("ROLECALL_GEN").is_some() {
        std::fs::write(&path, page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == page,
        "docs/reference/{name} is not what the code says: run cargo xtask gen"
    );
}

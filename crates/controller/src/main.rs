//! The binary `rolecall-controller`.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use rolecall_controller::args::{Args, Work, without_ignored};
use rolecall_controller::{release, run, schema};
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    // Before anything is read: no core dump, no debugger of the same user, no /proc/PID/environ.
    #[cfg(target_os = "linux")]
    let hidden =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    #[cfg(target_os = "linux")]
    if hidden.is_err() {
        drop(writeln!(std::io::stderr(), "rolecall-controller: this process can be dumped"));
    }
    let words = std::env::args_os().map(|word| word.to_string_lossy().into_owned());
    let (words, ignored) = without_ignored(words);
    let args = Args::parse_from(words);
    let done = match args.command {
        Some(Work::Crds) => crds(),
        Some(Work::Release(args)) => {
            prepared().and_then(|runtime| runtime.block_on(release::run(args)))
        }
        None => control(args.run, &ignored),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody reads it when stderr is closed.
            drop(writeln!(std::io::stderr(), "rolecall-controller: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn crds() -> anyhow::Result<()> {
    let text = schema::crds_yaml()?;
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(())
}

fn control(args: rolecall_controller::args::RunArgs, ignored: &[&str]) -> anyhow::Result<()> {
    // The client of the API server quotes answers that it cannot read, and its watches tell of each try
    // what we tell once.
    let filter =
        format!("warn,kube_client=off,kube_runtime=off,rolecall_controller={}", args.loglevel);
    let filter = EnvFilter::try_new(filter)?;
    tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
    if !ignored.is_empty() {
        tracing::info!(flags = ignored.join(" "), "flags without a meaning here are ignored");
    }
    prepared()?.block_on(run::run(args))
}

/// What every client of the API server needs.
fn prepared() -> anyhow::Result<tokio::runtime::Runtime> {
    // One provider of cryptography for every client.
    rustls::crypto::aws_lc_rs::default_provider()
        .install_default()
        .map_err(|_| anyhow::anyhow!("there are two providers of cryptography"))?;
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().build()?)
}

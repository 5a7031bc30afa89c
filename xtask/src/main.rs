//! The commands of this repository: what a shell script would do, and no more.

mod bench;
mod bench_cluster;
mod cluster;
mod dist;
mod e2e;
mod fuzz;
mod go;
mod guides;
mod helm;
mod image;
mod judge;
mod lanes;
mod oci;
mod plane;
mod prometheus;
mod step;
mod tools;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The commands of this repository
#[derive(Debug, Parser)]
struct Xtask {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Every test that needs nothing but Rust: no root, no Go, no system package
    Test,
    /// The gate of a landing: test, then formatting, lints, docs, dependencies, outside judges
    Ci,
    /// Programs that are not ours: the AWS CLI and boto3 against our emulator, our client against
    /// ministack, our reading of config files against botocore, our templates against Go's, our alerts
    /// by promtool, our step with Relay's Python SDK; then what `dist` makes, made twice, and both images (which takes
    /// root)
    Judge,
    /// What there is to install: two static binaries, bills of materials, the images of the controller
    /// and of the step as OCI archives, checksums
    Dist,
    /// The tests of the controller on a real API server, which is built when it is missing
    E2e {
        /// Only tests whose names contain this
        filter: Option<String>,
    },
    /// A day of ten thousand objects in a minute: the controller's decisions on a manual clock, with
    /// faults, restarts and edits
    Sim {
        /// What the dice begin with
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// A control plane on this machine with the emulator and the controller, until Ctrl-C
    Cluster,
    /// A fuzzer on the renderer of templates, until it finds something or the minutes are over
    Fuzz {
        /// For how long
        #[arg(long, default_value_t = 10)]
        minutes: u64,
    },
    /// Ratios against a named peer, measured in the same run
    Bench {
        #[command(subcommand)]
        name: Bench,
    },
    /// Format the code
    Fmt,
    /// Write the generated pages and schemas anew; `test` fails where they are not what this writes
    Gen,
    /// Run one program and print what it took: a part of `bench`
    #[command(hide = true)]
    Measure {
        #[arg(last = true)]
        words: Vec<OsString>,
    },
}

#[derive(Debug, Subcommand)]
enum Bench {
    /// Wall time and peak memory of `rolecall assume`, beside a bare SDK program and the AWS CLI
    Cli {
        /// How many runs of each
        #[arg(long, default_value_t = 30)]
        runs: usize,
    },
    /// Wall time and peak memory of `rolecall relay-step`, beside a bare SDK program and a step that
    /// is written with Relay's Python SDK and boto3
    Step {
        /// How many runs of each
        #[arg(long, default_value_t = 30)]
        runs: usize,
    },
    /// How fast many ExternalSecrets become ready, beside a bare client with the same requests
    Cluster {
        /// How many
        #[arg(long, default_value_t = 1_000)]
        size: usize,
    },
    /// How often a pull secret is rendered in a second, beside Go's templates
    Render {
        /// How long each of three rounds takes
        #[arg(long, default_value_t = 3)]
        seconds: u32,
    },
}

fn main() -> ExitCode {
    let done = match Xtask::parse().command {
        Command::Test => lanes::test(),
        Command::Ci => lanes::ci(),
        Command::Judge => judge::judge_all().and_then(|()| judge::judge_shipped()),
        Command::Dist => dist::dist(),
        Command::E2e { filter } => e2e::e2e(filter.as_deref()),
        Command::Sim { seed } => e2e::sim(seed),
        Command::Cluster => cluster::cluster(),
        Command::Bench { name: Bench::Cli { runs } } => bench::cli(runs),
        Command::Bench { name: Bench::Step { runs } } => step::bench_step(runs),
        Command::Bench { name: Bench::Cluster { size } } => bench_cluster::bench_cluster(size),
        Command::Bench { name: Bench::Render { seconds } } => go::bench_render(seconds),
        Command::Fuzz { minutes } => fuzz::fuzz(minutes),
        Command::Fmt => lanes::format(),
        Command::Gen => lanes::generate(),
        Command::Measure { words } => bench::measure(&words),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tools::say(&format!("xtask: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

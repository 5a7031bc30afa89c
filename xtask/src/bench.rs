//! Ratios against a named peer, measured in the same run on the same machine.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};

use crate::judge::{PACKAGES, RunningEmulator};
use crate::tools::{cargo, python, release, run, say};

/// Wall time and peak memory of `rolecall assume`, beside a bare SDK program and the AWS CLI.
pub(crate) fn cli(runs: usize) -> Result<()> {
    run(&mut cargo(&["build", "--release", "--locked", "--package", "rolecall"]))?;
    let bare = ["build", "--release", "--locked", "--package", "rolecall-aws", "--example", "bare"];
    run(&mut cargo(&bare))?;
    let program = release("rolecall")?;
    let emulator = RunningEmulator::start(&program)?;
    let words = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    let cli =
        ["-m", "awscli", "sts", "assume-role", "--role-session-name", "bench", "--role-arn", ROLE];
    let peers = [
        ("bare SDK program", release("examples/bare")?, words(&[ROLE])),
        ("rolecall assume", program.clone(), words(&["assume", ROLE, "-o", "json"])),
        ("aws sts assume-role", python(&PACKAGES)?, words(&cli)),
    ];
    compare(runs, &peers, &emulator)?;
    let bytes = std::fs::metadata(&program).context("cannot look at the release binary")?.len();
    say(&format!("release binary: {:.1} MB", float(bytes) / 1e6));
    Ok(())
}

/// A program with a name for people, and its arguments.
type Peer<'a> = (&'a str, PathBuf, Vec<OsString>);

/// Runs each in turn, and prints medians and ratios to the first.
pub(crate) fn compare(runs: usize, peers: &[Peer<'_>], emulator: &RunningEmulator) -> Result<()> {
    let mut samples = vec![Vec::new(); peers.len()];
    // One run more than asked: the first fills the page cache.
    for round in 0..=runs {
        for ((_, program, arguments), samples) in peers.iter().zip(&mut samples) {
            let sample = Sample::of(program, arguments, emulator)?;
            if round > 0 {
                samples.push(sample);
            }
        }
    }
    let names: Vec<&str> = peers.iter().map(|(name, ..)| *name).collect();
    report(runs, &names, &samples);
    Ok(())
}

/// One run of a program.
#[derive(Clone, Copy, Debug)]
struct Sample {
    microseconds: u64,
    peak_kib: u64,
}

impl Sample {
    /// Runs the program from a process of its own: the kernel counts the memory of whoever starts a
    /// program towards the program's peak, so that one must be small and new.
    fn of(program: &Path, arguments: &[OsString], emulator: &RunningEmulator) -> Result<Self> {
        let measurer = std::env::current_exe().context("cannot find this program")?;
        let mut command = Command::new(measurer);
        command.arg("measure").arg("--").arg(program).args(arguments);
        command.envs(emulator.environment.clone()).stderr(Stdio::inherit());
        // The bare program knows no bundle, so nobody reads the machine's.
        command.env_remove("AWS_CA_BUNDLE");
        let output = command.output().context("could not start the measuring process")?;
        ensure!(output.status.success(), "{} failed", program.display());
        let text = String::from_utf8(output.stdout).context("the measure is no text")?;
        let (microseconds, peak_kib) = text.trim().split_once(' ').context("no measure")?;
        Ok(Self { microseconds: microseconds.parse()?, peak_kib: peak_kib.parse()? })
    }
}

/// Runs one program with its output thrown away; prints microseconds and peak KiB.
pub(crate) fn measure(words: &[OsString]) -> Result<()> {
    let (program, arguments) = words.split_first().context("there is no program")?;
    #[expect(clippy::disallowed_methods, reason = "a measure of wall time")]
    let start = std::time::Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status();
    let taken = start.elapsed();
    let status = status.with_context(|| format!("could not start {}", program.display()))?;
    ensure!(status.success(), "{} ended with {status}", program.display());
    let peak = getrusage(UsageWho::RUSAGE_CHILDREN).context("no usage")?.max_rss();
    #[expect(clippy::print_stdout, reason = "the measure is this command's data")]
    {
        println!("{} {peak}", taken.as_micros());
    }
    Ok(())
}

fn report(runs: usize, names: &[&str], samples: &[Vec<Sample>]) {
    let medians: Vec<(u64, u64)> = samples
        .iter()
        .map(|samples| {
            let wall = median(samples.iter().map(|sample| sample.microseconds).collect());
            (wall, median(samples.iter().map(|sample| sample.peak_kib).collect()))
        })
        .collect();
    say(&format!("{runs} runs of each in turn, medians, ratios to the first"));
    let Some(base) = medians.first().copied() else { return };
    for (name, (wall, peak)) in names.iter().zip(medians) {
        say(&format!(
            "{name:22} {:8.1} ms ({:.2} x) {:7.1} MiB ({:.2} x)",
            float(wall) / 1e3,
            float(wall) / float(base.0),
            float(peak) / 1024.0,
            float(peak) / float(base.1),
        ));
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values.get(values.len() / 2).copied().unwrap_or_default()
}

/// Exact for every number that a bench meets.
pub(crate) fn float(number: u64) -> f64 {
    f64::from(u32::try_from(number).unwrap_or(u32::MAX))
}

const ROLE: &str = "arn:aws:iam::111122223333:role/deployer";

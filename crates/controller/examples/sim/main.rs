//! A day of many objects in seconds: the production `decide` on a manual clock, with an AWS that is
//! down, throttles and denies, a controller that is restarted, and people who edit.
//!
//! `cargo xtask sim` runs it. It fails where a credential ends though AWS could be reached within
//! the margin, or where calls crowd. `cargo xtask judge` lets Prometheus watch two quieter days.

#![expect(
    clippy::print_stdout,
    clippy::panic,
    reason = "it prints what it found, and fails like a test"
)]

mod course;
mod day;
mod promtool;
mod scrapes;

use std::path::PathBuf;

use clap::Parser;

use crate::course::Kind;
use crate::day::Day;

#[derive(Clone, Debug, Parser)]
struct Args {
    /// How many objects
    #[arg(long, default_value_t = 10_000)]
    grants: usize,
    /// How many hours
    #[arg(long, default_value_t = 24)]
    hours: i64,
    /// What the dice begin with
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Which day
    #[arg(long, value_enum, default_value_t = Kind::Rough)]
    day: Kind,
    /// Write what Prometheus sees, and which alerts it has to give, as a test of promtool
    #[arg(long)]
    promtool: Option<PathBuf>,
    /// Renew at the end and not before it: a fault that the simulation has to find
    #[arg(long)]
    without_margin: bool,
}

fn main() -> Result<(), String> {
    let args = Args::parse();
    let day = Day::new(&args)?.run(args.promtool.is_some())?;
    println!(
        "{} objects, {} h, seed {}: {} calls, {} passes, {} failed tries",
        args.grants, args.hours, args.seed, day.calls, day.passes, day.failures
    );
    if let Some(file) = &args.promtool {
        return promtool::write(&day, args.day, file);
    }
    let (peak, mean) = day.peak_and_mean();
    println!("calls per minute after the first hour, faults aside: mean {mean:.0}, peak {peak}");
    println!("credentials that ended though AWS could be reached: {}", day.lost.len());
    for lost in day.lost.iter().take(5) {
        println!("  {lost}");
    }
    if !day.lost.is_empty() {
        return Err("credentials were lost".to_owned());
    }
    if f64::from(peak) > 2.0 * mean {
        return Err("calls crowd".to_owned());
    }
    Ok(())
}

//! The one place that writes: data to standard output, everything else to standard error.

use std::collections::HashSet;
use std::io::{self, Write};

use crate::args::{ErrorFormat, Verbosity};
use crate::report::{Exit, Failure};

/// Standard output and standard error, and how much goes to the latter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Terminal {
    verbosity: Verbosity,
}

impl Terminal {
    pub(crate) fn new(verbosity: Verbosity) -> Self {
        Self { verbosity }
    }

    /// Writes data in one go and makes sure that it is out.
    pub(crate) fn data(text: &str) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
            Failure::new(Exit::Other, "could not write to standard output").cause(error.to_string())
        })
    }

    /// Something a person should know though nothing is wrong.
    pub(crate) fn warn(self, text: &str) {
        if !self.verbosity.quiet {
            to_stderr(&format!("warning: {text}\n"));
        }
    }

    /// Each of them once, and of many the first twenty: a config file can give thousands.
    pub(crate) fn warn_each<'a>(self, warnings: impl Iterator<Item = &'a String>) {
        for warning in each_once(warnings) {
            self.warn(&warning);
        }
    }

    /// A step, for those who asked for it.
    pub(crate) fn step(self, text: &str) {
        if self.verbosity.verbose {
            to_stderr(&format!("{text}\n"));
        }
    }

    /// A note that is part of the answer.
    pub(crate) fn note(self, text: &str) {
        if !self.verbosity.quiet {
            to_stderr(&format!("note: {text}\n"));
        }
    }

    /// What `--quiet` does not silence.
    pub(crate) fn banner(text: &str) {
        to_stderr(&format!("{text}\n"));
    }

    /// One line for each fault, for logs that have no more.
    pub(crate) fn failure_in_lines(self, failure: &Failure) {
        to_stderr(&match self.verbosity.error_format {
            ErrorFormat::Text => failure.render_lines(),
            ErrorFormat::Json => failure.render_json(),
        });
    }

    pub(crate) fn failure(self, failure: &Failure) {
        to_stderr(&match self.verbosity.error_format {
            ErrorFormat::Text => failure.render(),
            ErrorFormat::Json => failure.render_json(),
        });
    }
}

/// Where standard error is closed there is nobody to tell.
fn to_stderr(text: &str) {
    let mut err = anstream::stderr().lock();
    drop(err.write_all(text.as_bytes()));
}

/// Warnings without repetition; beyond [`MOST_WARNINGS`] only their number.
fn each_once<'a>(warnings: impl Iterator<Item = &'a String>) -> Vec<String> {
    let mut known = HashSet::new();
    let mut told = Vec::new();
    for warning in warnings {
        if known.insert(warning) && told.len() < MOST_WARNINGS {
            told.push(warning.clone());
        }
    }
    if known.len() > told.len() {
        told.push(format!("and {} more", known.len() - told.len()));
    }
    told
}

/// A screenful; who reads more reads the file.
const MOST_WARNINGS: usize = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(warnings: impl Iterator<Item = usize>, expected: &[&str]) {
        let warnings: Vec<String> = warnings.map(|number| number.to_string()).collect();
        let told = each_once(warnings.iter());
        let ends: Vec<&str> = told.iter().rev().take(2).rev().map(String::as_str).collect();
        assert_eq!(ends, expected);
    }

    #[test]
    fn of_many_warnings_the_first_twenty_are_told() {
        check([1, 2, 1, 2].into_iter(), &["1", "2"]);
        check(1..=20, &["19", "20"]);
        check((1..=21).chain(1..=21), &["20", "and 1 more"]);
        check((1..=20_000).chain(1..=20_000), &["20", "and 19980 more"]);
    }
}

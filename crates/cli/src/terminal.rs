//! The one place that writes: data to standard output, everything else to standard error.

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

//! `relay-step`: what was typed.

use std::path::PathBuf;

use clap::Args;

const EXAMPLES: &str = "Examples:
  rolecall relay-step
  rolecall relay-step --local sample.yaml --emulate=world.yaml";

#[derive(Args, Debug)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct RelayStepArgs {
    /// Take the spec from a sample file, and print the outputs as JSON
    ///
    /// The file has the form that relay dev metadata reads: connections, secrets, and runs with their
    /// parameters and steps. Functions such as !Fn.concat and ${concat(…)} are refused.
    #[arg(long, value_name = "FILE")]
    pub(crate) local: Option<PathBuf>,
    /// The run of the sample file
    #[arg(long, default_value = "1", value_name = "NAME", requires = "local")]
    pub(crate) run: String,
    /// The step of that run
    #[arg(long, default_value = "default", value_name = "NAME", requires = "local")]
    pub(crate) step: String,
    /// Call the embedded emulator instead of AWS, with the accounts of a world file
    ///
    /// Without =WORLD it is the built-in world. The keys of the spec's connection must be those of a
    /// user of that world. The environment's endpoints and region are not used.
    #[arg(long, value_name = "WORLD", num_args = 0..=1, require_equals = true, requires = "local")]
    #[expect(clippy::option_option, reason = "absent, the built-in world, or a file")]
    pub(crate) emulate: Option<Option<PathBuf>>,
}

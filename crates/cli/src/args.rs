//! What was typed. What it means is decided in the doors.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[default: …] is how clap writes a default")]

mod emulate;
mod guards;
mod place;
mod relay;
mod request;
mod source;
mod template;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub(crate) use emulate::{
    EmulateArgs, EmulateCommand, EmulateMfaCodeArgs, EmulateServeArgs, EmulateTokenArgs,
};
pub(crate) use guards::GuardArgs;
pub(crate) use place::PlaceArgs;
pub(crate) use relay::RelayStepArgs;
pub(crate) use request::{AssumeArgs, AssumeOutput, ExecArgs, ParameterArgs, RequestArgs};
pub(crate) use source::{MfaArgs, SourceArgs, SourceChoice, TokenArgs};
pub(crate) use template::{TemplateArgs, TemplateOutput};

/// How manifests are run, for `--help` and the reference.
const GENERATE_EXAMPLES: &str = "Examples:
  rolecall generate -f grant.yaml
  rolecall generate -f grants.yaml --name team-a/token -o json
  rolecall generate -f grant.yaml --secrets-dir /etc/secrets";

/// Turns an identity you already hold into short-lived AWS credentials for a role
#[derive(Debug, Parser)]
#[command(version, propagate_version = true, disable_help_subcommand = true)]
#[command(
    after_help = "Exit status: 0 done, 1 output that cannot be written, 2 usage or something \
missing, 3 refused, 4 try later; exec 125 for all of these, else the command's own."
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) verbosity: Verbosity,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Verbosity {
    /// Print errors only: no notes and no warnings
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say which source was used and what each call gave
    #[arg(short, long, global = true)]
    pub(crate) verbose: bool,
    /// How an error is written to standard error
    ///
    /// The JSON is one line, with stable codes: docs/reference/exit-codes.md.
    #[arg(long, global = true, value_enum, default_value = "text", value_name = "FORMAT")]
    pub(crate) error_format: ErrorFormat,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ErrorFormat {
    /// For people
    Text,
    /// One line of JSON, for programs
    Json,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the generators of a manifest and print their output keys
    ///
    /// The generators are those of External Secrets Operator; docs/reference/manifests.md has their
    /// fields. All grants are minted before anything is printed, so a failed one takes nothing away.
    Generate(GenerateArgs),
    /// Render the templates of ExternalSecrets without any call
    ///
    /// Shows the Secret that would be written, and which of its keys comes from which template. The
    /// generators' keys have made-up values, or those of --data. docs/guides/templates.md has the
    /// language and its functions.
    Template(TemplateArgs),
    /// Assume a role and print its credentials
    ///
    /// The request is by flags (ROLE_ARN and those under Request), or it is a grant by -f. What
    /// cannot work is said before any call, all of it at once.
    Assume(AssumeArgs),
    /// Assume a role and run a command with its credentials
    ///
    /// On Unix the command replaces rolecall: exit status and signals are its own. Removed from its
    /// environment is what names another identity: keys, session token, profile, role, web identity,
    /// container credentials, account. A script inside that uses a --profile of its own goes its own
    /// way. The credentials are static: a command that runs longer than they last must be started
    /// anew. A failure of rolecall's own ends with 125, a command that cannot be run with 126, one
    /// that is not found with 127.
    Exec(ExecArgs),
    /// Run as a step of a Relay workflow, in place of relaysh/aws-sts-step-assume-role
    ///
    /// Takes the step's spec from Relay's metadata API, which METADATA_API_URL names, assumes the
    /// role, and writes the outputs connection and role. Its output and its exit status are the
    /// step's own: 0 done, 1 everything else, each problem on one line. docs/guides/relay.md has
    /// every setting.
    RelayStep(RelayStepArgs),
    /// Serve an emulated STS, to try things without an account
    ///
    /// Serves until Ctrl-C, and prints the environment for the AWS CLI and the SDKs. The form of a
    /// world, the faults on cue and the control port are in docs/reference/world.md. The credentials
    /// that it gives open nothing at AWS.
    Emulate(EmulateArgs),
}

#[derive(Args, Debug)]
#[command(after_long_help = GENERATE_EXAMPLES)]
pub(crate) struct GenerateArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value = "keys", value_name = "FORMAT")]
    pub(crate) output: GenerateOutput,
    #[command(flatten)]
    pub(crate) grants: GrantFileArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) guards: GuardArgs,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum GenerateOutput {
    /// KEY=VALUE lines of one grant
    Keys,
    /// A map of keys to strings, or of names to such maps where there are several grants
    Json,
    /// The same as YAML
    Yaml,
    /// Run the ExternalSecrets of the files, and print the Kubernetes Secrets they would write
    Secret,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Grant")]
pub(crate) struct GrantFileArgs {
    /// A file of YAML documents: grants, and the Secrets and ServiceAccounts they name ('-' reads
    /// standard input)
    #[arg(short = 'f', long = "filename", value_name = "FILE", required = true)]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) choice: GrantChoiceArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Grant")]
pub(crate) struct GrantChoiceArgs {
    /// The grant to run, where the files hold several (NAME or NAMESPACE/NAME)
    ///
    /// Without it generate runs all of them; assume and exec run one.
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where Secrets are that no file holds, as DIR/NAME/KEY
    ///
    /// As Kubernetes mounts them.
    #[arg(long, value_name = "DIR")]
    pub(crate) secrets_dir: Option<PathBuf>,
}

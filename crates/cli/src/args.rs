//! What was typed. What it means is decided in the doors.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[default: …] is how clap writes a default")]

mod source;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use rolecall_engine::guard::{AccountId, Guards, RolePattern};
use rolecall_engine::request::seconds_from_text;
use rolecall_engine::violation::Violations;

pub(crate) use source::{MfaArgs, PlaceArgs, SourceArgs, SourceChoice, TokenArgs};

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
    Generate(GenerateArgs),
    /// Assume a role and print its credentials
    Assume(AssumeArgs),
    /// Assume a role and run a command with its credentials
    Exec(ExecArgs),
    /// Serve an emulated STS, to try things without an account
    Emulate(EmulateArgs),
}

#[derive(Args, Debug)]
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
    /// KEY=VALUE lines of one generator
    Keys,
    /// A map of keys to strings, or of names to such maps
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
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<String>,
    /// Where Secrets are that no file holds, as DIR/NAME/KEY
    #[arg(long, value_name = "DIR")]
    pub(crate) secrets_dir: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct AssumeArgs {
    /// How to print
    #[arg(short, long, value_enum, default_value = "env", value_name = "FORMAT")]
    pub(crate) output: AssumeOutput,
    #[command(flatten)]
    pub(crate) request: RequestArgs,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum AssumeOutput {
    /// Export lines for sh, bash and zsh
    Env,
    /// Set lines for fish
    Fish,
    /// Lines for PowerShell
    Powershell,
    /// The shape of aws sts assume-role
    Json,
    /// NAME=VALUE lines, as docker --env-file reads them
    Dotenv,
    /// What the AWS SDKs read from a credential_process
    CredentialProcess,
}

#[derive(Args, Debug)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD")]
    pub(crate) command: Vec<OsString>,
}

/// A request by flags, or a grant by file.
#[derive(Args, Debug)]
pub(crate) struct RequestArgs {
    /// The role to assume
    #[arg(value_name = "ROLE_ARN")]
    pub(crate) role: Option<String>,
    /// Take the grant of a manifest instead of ROLE_ARN and its flags
    #[arg(short = 'f', long = "filename", value_name = "FILE", help_heading = "Grant")]
    pub(crate) files: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) choice: GrantChoiceArgs,
    #[command(flatten)]
    pub(crate) parameters: ParameterArgs,
    #[command(flatten)]
    pub(crate) source: SourceArgs,
    #[command(flatten)]
    pub(crate) guards: GuardArgs,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Request")]
pub(crate) struct ParameterArgs {
    /// The session's name, 2 to 64 letters, digits or _+=,.@- [default: USER@HOST]
    #[arg(long, value_name = "NAME")]
    pub(crate) session_name: Option<String>,
    /// How long the session lasts, 15m to 12h, or in seconds [default: 1h]
    #[arg(long, value_name = "DURATION")]
    pub(crate) duration: Option<String>,
    /// What the role's trust policy asks for
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<String>,
    /// An inline session policy: a file, or JSON
    #[arg(long, value_name = "FILE|JSON")]
    pub(crate) policy: Option<String>,
    /// A managed session policy (repeat for more, at most 10)
    #[arg(long = "policy-arn", value_name = "ARN")]
    pub(crate) policy_arns: Vec<String>,
    /// A session tag (repeat for more, at most 50)
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<String>,
    /// A tag that rides along to later roles (repeat for more)
    #[arg(long = "transitive-tag", value_name = "KEY")]
    pub(crate) transitive_tags: Vec<String>,
    /// Who is behind the session, for CloudTrail; sticks to later roles
    #[arg(long, value_name = "NAME")]
    pub(crate) source_identity: Option<String>,
    /// A role to pass through first: an ARN, or JSON as in a grant's via (repeat for more)
    #[arg(long, value_name = "ARN|JSON")]
    pub(crate) via: Vec<String>,
}

impl ParameterArgs {
    /// The names of the flags that were given.
    pub(crate) fn given(&self) -> Vec<&'static str> {
        let flags = [
            ("--session-name", self.session_name.is_some()),
            ("--duration", self.duration.is_some()),
            ("--external-id", self.external_id.is_some()),
            ("--policy", self.policy.is_some()),
            ("--policy-arn", !self.policy_arns.is_empty()),
            ("--tag", !self.tags.is_empty()),
            ("--transitive-tag", !self.transitive_tags.is_empty()),
            ("--source-identity", self.source_identity.is_some()),
            ("--via", !self.via.is_empty()),
        ];
        flags.into_iter().filter(|(_, is_given)| *is_given).map(|(flag, _)| flag).collect()
    }
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Guards, checked on the answer before anything is printed")]
pub(crate) struct GuardArgs {
    /// An account that the session may be of (repeat for more)
    #[arg(long = "allow-account", value_name = "ACCOUNT")]
    accounts: Vec<String>,
    /// A role that the session may be of: a name or an ARN without its path, * and ? allowed
    /// (repeat for more)
    #[arg(long = "allow-role", value_name = "PATTERN")]
    roles: Vec<String>,
    /// The least life that must remain
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    min_ttl: Option<String>,
}

impl GuardArgs {
    /// The guards that could be read; the rest is among the violations.
    pub(crate) fn guards(&self, violations: &mut Violations) -> Guards {
        let accounts = self.accounts.iter();
        let roles = self.roles.iter();
        Guards {
            accounts: accounts
                .filter_map(|text| violations.keep("--allow-account", text.parse::<AccountId>()))
                .collect(),
            roles: roles
                .filter_map(|text| violations.keep("--allow-role", text.parse::<RolePattern>()))
                .collect(),
            min_remaining: self.min_ttl.as_deref().and_then(|text| {
                let seconds = violations.keep("--min-ttl", seconds_from_text(text))?;
                if seconds < 0 {
                    violations.push("--min-ttl", "must not be negative");
                }
                Some(jiff::SignedDuration::from_secs(seconds))
            }),
        }
    }
}

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct EmulateArgs {
    #[command(subcommand)]
    pub(crate) command: Option<EmulateCommand>,
    #[command(flatten)]
    pub(crate) serve: EmulateServeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct EmulateServeArgs {
    /// The world file [default: the built-in world]
    #[arg(long, value_name = "FILE")]
    pub(crate) world: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Serve https, and print where the certificate to trust is
    #[arg(long)]
    pub(crate) tls: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EmulateCommand {
    /// Print a web identity token, signed with the test key of a provider of the world
    Token(EmulateTokenArgs),
    /// Print the present code of an MFA device of the world
    MfaCode(EmulateMfaCodeArgs),
}

#[derive(Args, Debug)]
pub(crate) struct EmulateMfaCodeArgs {
    /// The device, as arn:aws:iam::ACCOUNT:mfa/NAME
    #[arg(value_name = "SERIAL")]
    pub(crate) serial: String,
    /// The world file [default: the built-in world]
    #[arg(long, value_name = "FILE")]
    pub(crate) world: Option<PathBuf>,
}

#[derive(Args, Debug)]
pub(crate) struct EmulateTokenArgs {
    /// The world file [default: the built-in world]
    #[arg(long, value_name = "FILE")]
    pub(crate) world: Option<PathBuf>,
    /// The provider's URL, where the world has several with a test key
    #[arg(long, value_name = "URL")]
    pub(crate) issuer: Option<String>,
    /// The subject, as system:serviceaccount:NAMESPACE:NAME
    #[arg(long, value_name = "SUBJECT")]
    pub(crate) sub: String,
    /// The audience
    #[arg(long, value_name = "AUDIENCE", default_value = "sts.amazonaws.com")]
    pub(crate) aud: String,
    /// How long the token is good; a negative one has ended already
    #[arg(
        long,
        value_name = "DURATION",
        default_value = "1h",
        allow_hyphen_values = true,
        value_parser = seconds_from_text
    )]
    pub(crate) lifetime: i64,
}

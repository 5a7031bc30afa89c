//! What is asked of STS: a request by flags, or a grant by file.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[default: …] is how clap writes a default")]

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{GrantChoiceArgs, GuardArgs, SourceArgs};

/// How roles are assumed, for `--help` and the reference.
const ASSUME_EXAMPLES: &str = "Examples:
  rolecall assume arn:aws:iam::111122223333:role/hub
  rolecall assume --profile prod -o json
  rolecall assume arn:aws:iam::444455556666:role/spoke --via arn:aws:iam::111122223333:role/hub
  rolecall assume arn:aws:iam::111122223333:role/hub --web-identity-token-env TOKEN --duration 2h
  rolecall assume -f grant.yaml --allow-account 111122223333";

/// How commands are run, for `--help` and the reference.
const EXEC_EXAMPLES: &str = "Examples:
  rolecall exec arn:aws:iam::111122223333:role/hub -- aws s3 ls
  rolecall exec --profile prod -- terraform plan
  rolecall exec -f grant.yaml --min-ttl 30m -- ./deploy";

#[derive(Args, Debug)]
#[command(after_long_help = ASSUME_EXAMPLES)]
pub(crate) struct AssumeArgs {
    /// How to print
    ///
    /// env, fish, powershell and dotenv also set AWS_REGION, AWS_DEFAULT_REGION and, where STS said
    /// it, AWS_CREDENTIAL_EXPIRATION.
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
    /// The shape of aws sts assume-role; the time ends in Z
    Json,
    /// NAME=VALUE lines, as docker --env-file reads them
    Dotenv,
    /// What the AWS SDKs read from a credential_process; always with an expiry
    CredentialProcess,
}

#[derive(Args, Debug)]
#[command(after_long_help = EXEC_EXAMPLES)]
pub(crate) struct ExecArgs {
    #[command(flatten)]
    pub(crate) request: RequestArgs,
    /// The command and its arguments
    #[arg(last = true, required = true, value_name = "CMD", help_heading = None::<&str>)]
    pub(crate) command: Vec<OsString>,
}

/// A request by flags, or a grant by file.
#[derive(Args, Debug)]
pub(crate) struct RequestArgs {
    /// The role to assume
    ///
    /// An ARN, arn:PARTITION:iam::ACCOUNT:role/NAME, of the partition of the region. It may be left
    /// out where --profile, AWS_PROFILE or the pod's environment names a role: that one is then
    /// assumed.
    #[arg(value_name = "ROLE_ARN")]
    pub(crate) role: Option<String>,
    /// Take the grant of a manifest instead of ROLE_ARN and its flags
    ///
    /// Flags may still name the source where the manifest has no auth, the endpoint, and the
    /// guards. Any other overlap is a usage error, never a silent winner: --profile beside auth,
    /// --region beside spec.region, a request flag beside -f. The form of the file is in
    /// docs/reference/manifests.md. '-' reads standard input.
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
    ///
    /// AWS_ROLE_SESSION_NAME, where it is set, comes before the default. In the default other
    /// characters are made '-'. The name stands in the session's ARN and in CloudTrail. Its bounds,
    /// and those of the flags below, are STS's:
    /// <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>.
    #[arg(long, value_name = "NAME")]
    pub(crate) session_name: Option<String>,
    /// How long the session lasts, 15m to 12h, or in seconds [default: 1h]
    ///
    /// 900 to 43200 s, written 3600, 1h, 90m or 1h30m. The role's own maximum may be less. At most
    /// 1h when the caller holds temporary credentials (role chaining):
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles.html#iam-term-role-chaining>.
    #[arg(long, value_name = "DURATION")]
    pub(crate) duration: Option<String>,
    /// What the role's trust policy asks for
    ///
    /// 2 to 1224 of A-Z a-z 0-9 _+=,.@:/-.
    #[arg(long, value_name = "ID")]
    pub(crate) external_id: Option<String>,
    /// An inline session policy: a file, or JSON
    ///
    /// 1 to 2048 characters. The session may do what both the role and this policy allow.
    #[arg(long, value_name = "FILE|JSON")]
    pub(crate) policy: Option<String>,
    /// A managed session policy (repeat for more, at most 10)
    ///
    /// 20 to 2048 characters.
    #[arg(long = "policy-arn", value_name = "ARN")]
    pub(crate) policy_arns: Vec<String>,
    /// A session tag (repeat for more, at most 50)
    ///
    /// The key has 1 to 128 characters, the value 0 to 256. Split at the first =. Keys are compared
    /// without case.
    #[arg(long = "tag", value_name = "KEY=VALUE")]
    pub(crate) tags: Vec<String>,
    /// A tag that rides along to later roles (repeat for more)
    ///
    /// The key of a tag of this request.
    #[arg(long = "transitive-tag", value_name = "KEY")]
    pub(crate) transitive_tags: Vec<String>,
    /// Who is behind the session, for CloudTrail; sticks to later roles
    ///
    /// 2 to 64 characters as in a session name, not aws:…. It cannot be changed by later roles.
    #[arg(long, value_name = "NAME")]
    pub(crate) source_identity: Option<String>,
    /// A role to pass through first: an ARN, or JSON as in a grant's via (repeat for more)
    ///
    /// At most 8, in order. The JSON is {"role": …, "requestParameters": {…}}. Names of the session
    /// are shared where a hop has none of its own.
    #[arg(long, value_name = "ARN|JSON")]
    pub(crate) via: Vec<String>,
}

impl ParameterArgs {
    /// The names of the given flags that a web identity's call has no place for.
    pub(crate) fn beyond_a_token(&self) -> Vec<&'static str> {
        let unfit = ["--external-id", "--tag", "--transitive-tag", "--source-identity"];
        self.given().into_iter().filter(|flag| unfit.contains(flag)).collect()
    }

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

//! Who asks: the flags that every one-shot command shares.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[default: …] is how clap writes a default")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::PlaceArgs;

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// Ask as this profile of the AWS config files, through the roles that it names
    ///
    /// The profile's role_arn, source_profile, credential_source, external_id, mfa_serial and their
    /// like become calls that rolecall makes and reports itself. Without ROLE_ARN the profile's own
    /// role is the last; with it, ROLE_ARN comes behind. docs/guides/sources.md lists the keys that
    /// are read.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Ask with this source only, in place of the first that the default chain finds
    ///
    /// The default chain is that of the AWS SDKs: environment variables, the AWS config files, web
    /// identity, container credentials, instance metadata. A place that is configured and fails
    /// ends the walk: nobody else is asked in its place. -v says which one gave the credentials.
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub(crate) source: Option<SourceChoice>,
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    #[command(flatten)]
    pub(crate) mfa: MfaArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Call the embedded emulator instead of AWS, with the accounts of a world file
    ///
    /// The emulator starts in this process. No real source is read: no credentials and no settings
    /// of the environment (only the user's name, for the session name), not the AWS config files,
    /// no instance metadata. The default chain is the ambient caller of the world. Without =WORLD
    /// it is the built-in world.
    ///
    /// It is a flag only, prints a line that -q does not silence, and refuses the credential-process
    /// format. With exec the command runs beside the emulator and finds it by AWS_ENDPOINT_URL_STS,
    /// AWS_ENDPOINT_URL_ECR and AWS_ENDPOINT_URL_ECR_PUBLIC.
    #[arg(
        long,
        value_name = "WORLD",
        num_args = 0..=1,
        require_equals = true,
        conflicts_with_all = [
            "profile", "source", "web_identity_token_env", "web_identity_command", "endpoint_url",
            "fips", "dual_stack", "allow_http", "ca_bundle",
        ]
    )]
    #[expect(clippy::option_option, reason = "absent, the built-in world, or a file")]
    pub(crate) emulate: Option<Option<PathBuf>>,
}

/// One place of the default chain.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SourceChoice {
    /// AWS_ACCESS_KEY_ID and what belongs to it
    Env,
    /// The profile: --profile, $AWS_PROFILE or default
    Profile,
    /// The token in $AWS_WEB_IDENTITY_TOKEN_FILE, for the role in $AWS_ROLE_ARN
    WebIdentity,
    /// The endpoint that ECS and EKS Pod Identity give a container; at most 10 s
    Container,
    /// The instance metadata service of EC2, version 2; one attempt of at most 1 s
    Imds,
    /// The credential_process of the profile, whatever else it has
    Process,
}

#[derive(Args, Debug, Default)]
#[group(id = "token", multiple = false)]
#[command(next_help_heading = "Source")]
pub(crate) struct TokenArgs {
    /// Ask with the web identity token in this file; for auth.jwt of a grant, the token of its
    /// ServiceAccount [default for auth.jwt: $AWS_WEB_IDENTITY_TOKEN_FILE]
    ///
    /// The first role is then assumed with AssumeRoleWithWebIdentity, which has no external ID,
    /// tags or source identity, and needs no keys. The file is read anew for each call.
    #[arg(long = "web-identity-token-file", id = "web_identity_token_file", value_name = "FILE", conflicts_with_all = ["profile", "source"])]
    pub(crate) file: Option<PathBuf>,
    /// Ask with the web identity token in this environment variable
    ///
    /// The variable's name, not the token: what stands on a command line can be read by other
    /// users.
    #[arg(long = "web-identity-token-env", id = "web_identity_token_env", value_name = "NAME", conflicts_with_all = ["profile", "source"])]
    pub(crate) variable: Option<String>,
    /// Ask with the web identity token that this command prints
    ///
    /// Run by the shell (sh -c, or cmd.exe /C). It prints the token alone, at most 64 KiB. Where no
    /// terminal is there, it may take 60 s.
    #[arg(long = "web-identity-command", id = "web_identity_command", value_name = "CMD", conflicts_with_all = ["profile", "source"])]
    pub(crate) command: Option<String>,
}

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Source")]
pub(crate) struct MfaArgs {
    /// The MFA device of the user who asks; its code goes with the first call [default: mfa_serial
    /// of the profile]
    ///
    /// arn:aws:iam::ACCOUNT:mfa/NAME, or the number of a hardware device; 9 to 256 characters. Only
    /// a user's own long-term keys have a second factor.
    #[arg(long = "mfa-serial", id = "mfa_serial", value_name = "ARN")]
    pub(crate) serial: Option<String>,
    /// The device's present code, 6 digits [default: asked for at the terminal]
    ///
    /// It works once. With several calls that ask for one, give --mfa-command. The prompt is at the
    /// terminal itself, never at standard input, so it works while both output streams are
    /// redirected.
    #[arg(long = "mfa-code", id = "mfa_code", value_name = "CODE", conflicts_with = "mfa_command")]
    pub(crate) code: Option<String>,
    /// A command that prints the device's present code [default: mfa_process of the profile]
    ///
    /// Run by the shell (sh -c, or cmd.exe /C) for each code. It prints the six digits. Where no
    /// terminal is there, it may take 60 s.
    #[arg(long = "mfa-command", id = "mfa_command", value_name = "CMD")]
    pub(crate) command: Option<String>,
}

//! Who asks and where: the flags that every one-shot command shares.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[default: …] is how clap writes a default")]

use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Args, Debug)]
#[command(next_help_heading = "Source")]
pub(crate) struct SourceArgs {
    /// Ask as this profile of the AWS config files, through the roles that it names
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// Ask with this source only, in place of the first that the default chain finds
    #[arg(long, value_enum, value_name = "SOURCE")]
    pub(crate) source: Option<SourceChoice>,
    #[command(flatten)]
    pub(crate) token: TokenArgs,
    #[command(flatten)]
    pub(crate) mfa: MfaArgs,
    #[command(flatten)]
    pub(crate) place: PlaceArgs,
    /// Call the embedded emulator instead of AWS, with the accounts of a world file
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
    /// The endpoint that ECS and EKS Pod Identity give a container
    Container,
    /// The instance metadata service of EC2, version 2
    Imds,
    /// The credential_process of the profile, whatever else it has
    Process,
}

#[derive(Args, Debug)]
#[group(id = "token", multiple = false)]
#[command(next_help_heading = "Source")]
pub(crate) struct TokenArgs {
    /// Ask with the web identity token in this file; for auth.jwt of a grant, the token of its
    /// ServiceAccount [default for auth.jwt: $AWS_WEB_IDENTITY_TOKEN_FILE]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["profile", "source"])]
    pub(crate) web_identity_token_file: Option<PathBuf>,
    /// Ask with the web identity token in this environment variable
    #[arg(long, value_name = "NAME", conflicts_with_all = ["profile", "source"])]
    pub(crate) web_identity_token_env: Option<String>,
    /// Ask with the web identity token that this command prints
    #[arg(long, value_name = "CMD", conflicts_with_all = ["profile", "source"])]
    pub(crate) web_identity_command: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Source")]
pub(crate) struct MfaArgs {
    /// The MFA device of the user who asks; its code goes with the first call [default: mfa_serial
    /// of the profile]
    #[arg(long, value_name = "ARN")]
    pub(crate) mfa_serial: Option<String>,
    /// The device's present code, 6 digits [default: asked for at the terminal]
    #[arg(long, value_name = "CODE", conflicts_with = "mfa_command")]
    pub(crate) mfa_code: Option<String>,
    /// A command that prints the device's present code [default: mfa_process of the profile]
    #[arg(long, value_name = "CMD")]
    pub(crate) mfa_command: Option<String>,
}

#[derive(Args, Debug)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct PlaceArgs {
    /// Where to call AWS [default: $AWS_REGION, $AWS_DEFAULT_REGION, the profile's region]
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Another server than AWS's, for every call [default: $AWS_ENDPOINT_URL_STS, …_ECR,
    /// …_ECR_PUBLIC, $AWS_ENDPOINT_URL, those of the profile]
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Call the address of the region that FIPS 140 cryptography answers at
    #[arg(long)]
    pub(crate) fips: bool,
    /// Call the address of the region that has both IPv4 and IPv6
    #[arg(long)]
    pub(crate) dual_stack: bool,
    /// Trust the certificates of this PEM file in place of the machine's [default: $AWS_CA_BUNDLE,
    /// ca_bundle of the profile]
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Let an endpoint of plain http be another machine, where session tokens go in clear
    #[arg(long)]
    pub(crate) allow_http: bool,
}

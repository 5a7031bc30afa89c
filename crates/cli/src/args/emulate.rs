//! What `emulate` takes: an STS of one's own, its tokens and its codes.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[default: …] is how clap writes a default")]

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use rolecall_engine::request::seconds_from_text;

/// How the emulator is used, for `--help` and the reference.
const EXAMPLES: &str = "Examples:
  rolecall emulate
  rolecall emulate --world world.yaml --listen 127.0.0.1:4566 --tls
  rolecall emulate token --sub system:serviceaccount:default:app
  rolecall emulate mfa-code arn:aws:iam::111122223333:mfa/alice";

#[derive(Args, Debug)]
#[command(args_conflicts_with_subcommands = true, after_long_help = EXAMPLES)]
pub(crate) struct EmulateArgs {
    #[command(subcommand)]
    pub(crate) command: Option<EmulateCommand>,
    #[command(flatten)]
    pub(crate) serve: EmulateServeArgs,
}

#[derive(Args, Debug)]
pub(crate) struct EmulateServeArgs {
    /// The world file [default: the built-in world]
    ///
    /// Accounts, users, roles, OIDC providers and MFA devices, in YAML.
    #[arg(long, value_name = "FILE")]
    pub(crate) world: Option<PathBuf>,
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
    /// Serve https, and print where the certificate to trust is
    ///
    /// The certificate is for 127.0.0.1, ::1, localhost and the address listened on. The authority
    /// that signed it is made at start, and its key is thrown away. Its certificate is in a new file
    /// of the temporary directory, printed as AWS_CA_BUNDLE and removed at the end. The control port
    /// stays plain http.
    #[arg(long)]
    pub(crate) tls: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EmulateCommand {
    /// Print a web identity token, signed with the test key of a provider of the world
    Token(EmulateTokenArgs),
    /// Print the present code of an MFA device of the world
    ///
    /// It does not know which codes a running emulator has taken. Each works once, so wait for the
    /// next one (at most 30 s) after a use.
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

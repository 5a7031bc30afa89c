//! Where AWS is called: the region and the endpoints.
#![expect(clippy::doc_markdown, reason = "the comments of fields are help texts")]
#![allow(rustdoc::broken_intra_doc_links, reason = "[default: …] is how clap writes a default")]

use std::path::PathBuf;

use clap::Args;

#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Endpoint")]
pub(crate) struct PlaceArgs {
    /// Where to call AWS [default: $AWS_REGION, $AWS_DEFAULT_REGION, the profile's region]
    ///
    /// A grant's own spec.region comes first, and does not go with this flag. Without a region
    /// nothing is sent: rolecall never guesses one, except us-east-1 behind an endpoint of one's
    /// own.
    #[arg(long, value_name = "REGION")]
    pub(crate) region: Option<String>,
    /// Another server than AWS's, for every call [default: $AWS_ENDPOINT_URL_STS, …_ECR,
    /// …_ECR_PUBLIC, $AWS_ENDPOINT_URL, those of the profile]
    ///
    /// https, or http to this machine (--allow-http lets it be another one). Behind such an
    /// endpoint ARNs are held to length and characters only, so that servers that speak like STS
    /// can be used. It reaches every call, also those of a profile's own roles.
    ///
    /// Proxies of the environment (HTTPS_PROXY, HTTP_PROXY, NO_PROXY) are used, except for what
    /// goes to this machine. A call is tried at most three times, 20 s in all, when STS throttles,
    /// is down, or does not answer. A refusal is not tried again.
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,
    /// Call the address of the region that FIPS 140 cryptography answers at
    ///
    /// Also by AWS_USE_FIPS_ENDPOINT or use_fips_endpoint of the profile. It does not go with an
    /// endpoint of one's own. See
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-endpoints.html>.
    #[arg(long)]
    pub(crate) fips: bool,
    /// Call the address of the region that has both IPv4 and IPv6
    ///
    /// Also by AWS_USE_DUALSTACK_ENDPOINT or use_dualstack_endpoint of the profile. It does not go
    /// with an endpoint of one's own.
    #[arg(long)]
    pub(crate) dual_stack: bool,
    /// Trust the certificates of this PEM file in place of the machine's [default: $AWS_CA_BUNDLE,
    /// ca_bundle of the profile]
    ///
    /// The file replaces the machine's roots, as in the AWS CLI: a server that the bundle does not
    /// vouch for is refused, AWS's own included. A file without a certificate, or with a broken
    /// one, is refused before any call.
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_bundle: Option<PathBuf>,
    /// Let an endpoint of plain http be another machine, where session tokens go in clear
    ///
    /// It goes with an endpoint only. Who can read the network can then use the credentials.
    #[arg(long)]
    pub(crate) allow_http: bool,
}

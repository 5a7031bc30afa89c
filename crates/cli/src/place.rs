//! Where to call STS: the region and the endpoint, from the flags, the environment and the profile.

use rolecall_aws::{Destination, Endpoint, PlainHttp, SharedConfig};
use rolecall_engine::region::Region;
use rolecall_engine::violation::Violations;

use crate::args::SourceArgs;
use crate::report::push_source_error;
use crate::settings::Settings;

/// The endpoint that the flag names, else the environment, and where it is named.
pub(crate) fn named_endpoint<'a>(
    args: &'a SourceArgs,
    settings: &'a Settings,
) -> Option<(&'static str, &'a str)> {
    let flag = args.endpoint_url.as_deref().map(|url| ("--endpoint-url", url));
    flag.or_else(|| settings.endpoint_url.as_ref().map(|(name, url)| (*name, url.as_str())))
}

/// The named endpoint, else the region's own address in the form that was asked for. An endpoint of
/// one's own has no such forms.
pub(crate) fn find_destination(
    args: &SourceArgs,
    settings: &Settings,
    problems: &mut Violations,
) -> Destination {
    let (fips, dual_stack) = (args.fips || settings.fips, args.dual_stack || settings.dual_stack);
    let regional = Destination::Regional { fips, dual_stack };
    let Some((origin, url)) = named_endpoint(args, settings) else {
        if args.allow_http {
            problems.push("--allow-http", "is not used: no endpoint is named");
        }
        return regional;
    };
    for (path, is_asked) in [
        ("--fips or AWS_USE_FIPS_ENDPOINT", fips),
        ("--dual-stack or AWS_USE_DUALSTACK_ENDPOINT", dual_stack),
    ] {
        if is_asked {
            problems.push(path, format_args!("does not go with an endpoint, which {origin} names"));
        }
    }
    let plain_http = if args.allow_http { PlainHttp::Anywhere } else { PlainHttp::Loopback };
    let endpoint = problems.keep(origin, Endpoint::parse(url, plain_http));
    endpoint.map_or(regional, Destination::Endpoint)
}

/// The region of the flag, the environment or the profile in use; a profile that was named and does
/// not exist is among the problems.
pub(crate) async fn find_region(
    args: &SourceArgs,
    settings: &Settings,
    has_endpoint: bool,
    problems: &mut Violations,
) -> Option<Region> {
    // A profile that is named must exist, whatever else gives the region.
    let profile = args.profile.as_ref().or(settings.profile.as_ref()).map(String::as_str);
    let has_region = args.region.is_some() || settings.region.is_some();
    let config = if args.profile.is_some() || !has_region {
        match SharedConfig::load(profile).await {
            Ok(config) => Some(config),
            Err(error) => {
                let path = if args.profile.is_some() { "--profile" } else { "AWS_PROFILE" };
                push_source_error(error, path, problems);
                None
            }
        }
    } else {
        None
    };
    if let Some(text) = &args.region {
        return parse_region("--region", text, problems);
    }
    if let Some(text) = &settings.region {
        return parse_region("AWS_REGION or AWS_DEFAULT_REGION", text, problems);
    }
    match config.as_ref().and_then(SharedConfig::region) {
        Some(text) => parse_region("region of the profile", text, problems),
        // Servers that are not AWS rarely have regions; they expect this one in the signature.
        None if has_endpoint => parse_region("endpoint", "us-east-1", problems),
        None => None,
    }
}

/// A region, or a violation at `path`.
pub(crate) fn parse_region(path: &str, text: &str, problems: &mut Violations) -> Option<Region> {
    problems.keep(path, Region::parse(text))
}

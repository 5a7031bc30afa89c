//! Where to call AWS: the region and the endpoints, from the flags, the environment and the profile.

use std::path::Path;

use rolecall_aws::{CaBundle, Destination, Endpoint, Network, PlainHttp, ProfileSettings, Retries};
use rolecall_engine::region::Region;
use rolecall_engine::request::Registry;
use rolecall_engine::violation::Violations;

use crate::args::PlaceArgs;
use crate::settings::{Named, Settings};

/// What says where to call: flags, then the environment, then the profile.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) args: &'a PlaceArgs,
    pub(crate) settings: &'a Settings,
    pub(crate) profile: &'a ProfileSettings,
}

impl Place<'_> {
    /// The endpoints that are named, and where.
    pub(crate) fn endpoints(&self) -> NamedEndpoints {
        let (variables, profile) = (&self.settings.endpoints, &self.profile.endpoints);
        NamedEndpoints {
            sts: self.endpoint(variables.sts.as_ref(), profile.sts.as_ref()),
            ecr: self.endpoint(variables.ecr.as_ref(), profile.ecr.as_ref()),
            ecr_public: self.endpoint(variables.ecr_public.as_ref(), profile.ecr_public.as_ref()),
        }
    }

    fn endpoint(&self, variable: Option<&Named>, profile: Option<&String>) -> Option<Named> {
        let flag = self.args.endpoint_url.as_ref().map(|url| ("--endpoint-url", url.clone()));
        let profile = profile.filter(|_| !self.settings.ignores_endpoints);
        flag.or_else(|| variable.cloned())
            .or_else(|| profile.map(|url| ("endpoint_url of the profile", url.clone())))
    }

    /// Where every service is: its named endpoint, else the region's own address in the form that
    /// was asked for. An endpoint of one's own has no such forms.
    pub(crate) fn network(&self, problems: &mut Violations) -> Network {
        let (settings, profile) = (self.settings, self.profile);
        let fips = self.args.fips || settings.fips.or(profile.fips).unwrap_or(false);
        let dual_stack =
            self.args.dual_stack || settings.dual_stack.or(profile.dual_stack).unwrap_or(false);
        let NamedEndpoints { sts, ecr, ecr_public } = self.endpoints();
        let named = [sts, ecr, ecr_public];
        let mut origins: Vec<&'static str> = named.iter().flatten().map(|(it, _)| *it).collect();
        origins.dedup();
        for (path, is_asked) in [
            ("--fips, AWS_USE_FIPS_ENDPOINT or use_fips_endpoint", fips),
            ("--dual-stack, AWS_USE_DUALSTACK_ENDPOINT or use_dualstack_endpoint", dual_stack),
        ] {
            if is_asked && !origins.is_empty() {
                let by = origins.join(", ");
                let problem = format_args!("does not go with an endpoint, which is named by {by}");
                problems.push(path, problem);
            }
        }
        if self.args.allow_http && origins.is_empty() {
            problems.push("--allow-http", "is not used: no endpoint is named");
        }
        let regional = Destination::Regional { fips, dual_stack };
        // The same endpoint for several services is told once.
        let mut told: Vec<&'static str> = Vec::new();
        let [sts, ecr, ecr_public] = named.map(|named| {
            let Some((origin, url)) = named else { return regional.clone() };
            match Endpoint::parse(&url, self.plain_http()) {
                Ok(endpoint) => Destination::Endpoint(endpoint),
                Err(problem) => {
                    if !told.contains(&origin) {
                        told.push(origin);
                        problems.push(origin, problem);
                    }
                    regional.clone()
                }
            }
        });
        let ca_bundle = self.ca_bundle(problems);
        Network { sts, ecr, ecr_public, ca_bundle, retries: Retries::Client }
    }

    fn plain_http(&self) -> PlainHttp {
        if self.args.allow_http { PlainHttp::Anywhere } else { PlainHttp::Loopback }
    }

    fn ca_bundle(&self, problems: &mut Violations) -> Option<CaBundle> {
        let flag = self.args.ca_bundle.as_deref().map(|path| ("--ca-bundle", path));
        let variable = self.settings.ca_bundle.as_deref().map(|path| ("AWS_CA_BUNDLE", path));
        let profile = self.profile.ca_bundle.as_deref();
        let profile = profile.map(|path| ("ca_bundle of the profile", Path::new(path)));
        let (origin, path) = flag.or(variable).or(profile)?;
        let read = CaBundle::read(path);
        if read.is_err() {
            let hint = "it holds the certificates that are trusted, each between \
                        -----BEGIN CERTIFICATE----- and -----END CERTIFICATE-----";
            return read.map_err(|error| problems.push_with_hint(origin, error, hint)).ok();
        }
        read.ok()
    }

    /// The region of the flag, the environment or the profile in use.
    pub(crate) fn region(&self, problems: &mut Violations) -> Option<Region> {
        if let Some(text) = &self.args.region {
            return parse_region("--region", text, problems);
        }
        if let Some(text) = &self.settings.region {
            return parse_region("AWS_REGION or AWS_DEFAULT_REGION", text, problems);
        }
        match &self.profile.region {
            Some(text) => parse_region("region of the profile", text, problems),
            // Servers that are not AWS rarely have regions; they expect this one in the signature.
            None if self.endpoints().sts.is_some() => {
                parse_region("endpoint", "us-east-1", problems)
            }
            None => None,
        }
    }
}

/// The endpoints that are named in place of AWS's, each with where it is named.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamedEndpoints {
    pub(crate) sts: Option<Named>,
    ecr: Option<Named>,
    ecr_public: Option<Named>,
}

impl NamedEndpoints {
    /// That of a registry, or of STS.
    pub(crate) fn of(&self, registry: Option<Registry>) -> Option<(&'static str, &str)> {
        let named = match registry {
            None => &self.sts,
            Some(Registry::Private) => &self.ecr,
            Some(Registry::Public) => &self.ecr_public,
        };
        named.as_ref().map(|(origin, url)| (*origin, url.as_str()))
    }
}

/// A region, or a violation at `path`.
pub(crate) fn parse_region(path: &str, text: &str, problems: &mut Violations) -> Option<Region> {
    problems.keep(path, Region::parse(text))
}

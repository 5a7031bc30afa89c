//! Where STS is, if not at AWS's own address for the region.

use std::fmt;
use std::net::IpAddr;

/// Where STS is, if not at AWS's own address for the region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Reads an `http` or `https` URL; a path is kept and signed.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for another scheme, for a URL without a host, and for plain http to
    /// another machine, where session tokens would go in clear.
    pub fn parse(url: &str) -> Result<Self, InvalidEndpoint> {
        let (is_plain, rest) = match (url.strip_prefix("https://"), url.strip_prefix("http://")) {
            (Some(rest), _) => (false, rest),
            (None, Some(rest)) => (true, rest),
            (None, None) => return Err(InvalidEndpoint::Scheme),
        };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = host_of(authority);
        if host.is_empty() || url.contains(char::is_whitespace) || authority.contains('@') {
            return Err(InvalidEndpoint::Host);
        }
        if is_plain && !is_loopback(host) {
            return Err(InvalidEndpoint::PlainHttp);
        }
        Ok(Self(url.to_owned()))
    }

    /// Whether it is plain http, which is always this machine.
    pub(crate) fn is_plain(&self) -> bool {
        self.0.starts_with("http://")
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The host of `host:port` or `[v6]:port`.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    }
}

fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An endpoint that will not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// Neither http nor https.
    Scheme,
    /// No host, white space, or a user name before the host.
    Host,
    /// http to a host that is not loopback.
    PlainHttp,
}

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scheme => "is not a URL that begins http:// or https://",
            Self::Host => "is not a URL with a host and nothing before it",
            Self::PlainHttp => {
                "is plain http to another machine, where tokens would go in clear: use https"
            }
        })
    }
}

impl std::error::Error for InvalidEndpoint {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_loopback() {
        let cases = [
            ("https://sts.example.net/minio/path", Ok(())),
            ("http://127.0.0.1:4566", Ok(())),
            ("http://localhost:4566/", Ok(())),
            ("http://[::1]:4566", Ok(())),
            ("http://sts.example.net", Err(InvalidEndpoint::PlainHttp)),
            ("http://127.0.0.1.example.net", Err(InvalidEndpoint::PlainHttp)),
            ("sts.example.net", Err(InvalidEndpoint::Scheme)),
            ("https://", Err(InvalidEndpoint::Host)),
            ("https://user:pw@sts.example.net", Err(InvalidEndpoint::Host)),
            ("http://127.0.0.1@evil.example", Err(InvalidEndpoint::Host)),
        ];
        for (url, expected) in cases {
            assert_eq!(Endpoint::parse(url).map(|_| ()), expected, "{url}");
        }
    }
}

//! Where STS is, if not at AWS's own address for the region.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// Where STS is, if not at AWS's own address for the region.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    url: String,
    is_plain: bool,
}

impl Endpoint {
    /// Reads an `http` or `https` URL; a path is kept and signed.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for another scheme, for a URL without a host, and for plain http to
    /// another machine, where session tokens would go in clear.
    pub fn parse(url: &str) -> Result<Self, InvalidEndpoint> {
        let uri: Uri = url.parse().map_err(|_| InvalidEndpoint::Form)?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(InvalidEndpoint::Form);
        };
        if !matches!(scheme, "http" | "https") {
            return Err(InvalidEndpoint::Form);
        }
        // A port out of range is no port to the parser, but still stands in the text.
        let has_odd_port = authority.port().is_none()
            && authority.as_str().rsplit(']').next().is_some_and(|end| end.contains(':'));
        let has_more = uri.query().is_some() || url.contains('#');
        if authority.as_str().contains('@') || uri.host() == Some("") || has_odd_port || has_more {
            return Err(InvalidEndpoint::Host);
        }
        let is_plain = scheme == "http";
        if is_plain && !uri.host().is_some_and(is_loopback) {
            return Err(InvalidEndpoint::PlainHttp);
        }
        Ok(Self { url: url.to_owned(), is_plain })
    }

    /// Whether it is plain http, which is always this machine.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.url
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// An endpoint that will not be used.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum InvalidEndpoint {
    /// No URL of http or https.
    Form,
    /// More or less than a host, perhaps a port, and perhaps a path.
    Host,
    /// http to a host that is not loopback.
    PlainHttp,
}

impl fmt::Display for InvalidEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Form => "is not a URL that begins http:// or https://",
            Self::Host => "must be a host, perhaps a port of 1 to 65535, and perhaps a path",
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
            ("sts.example.net", Err(InvalidEndpoint::Form)),
            ("ftp://sts.example.net", Err(InvalidEndpoint::Form)),
            ("HTTP://127.0.0.1:1", Ok(())),
            ("http://127.0.0.1:99999", Err(InvalidEndpoint::Host)),
            ("https://sts.example.net/?x=1", Err(InvalidEndpoint::Host)),
            ("https://sts.example.net/#f", Err(InvalidEndpoint::Host)),
            ("https://sts.example.net/a b", Err(InvalidEndpoint::Form)),
            ("https://", Err(InvalidEndpoint::Form)),
            ("https://user:pw@sts.example.net", Err(InvalidEndpoint::Host)),
            ("http://127.0.0.1@evil.example", Err(InvalidEndpoint::Host)),
        ];
        for (url, expected) in cases {
            assert_eq!(Endpoint::parse(url).map(|_| ()), expected, "{url}");
        }
    }
}

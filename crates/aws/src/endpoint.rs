//! Where STS is, if not at AWS's own address for the region.

use std::fmt;
use std::net::IpAddr;

use http::Uri;

/// Where the calls go.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Destination {
    /// AWS's own address for the region of each call, in one of its forms.
    Regional {
        /// The address that FIPS 140 cryptography answers at.
        fips: bool,
        /// The address that has both IPv4 and IPv6.
        dual_stack: bool,
    },
    /// One address for every region.
    Endpoint(Endpoint),
}

/// An STS at another address than AWS's own.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Endpoint {
    url: String,
    is_local: bool,
    is_tls: bool,
}

impl Endpoint {
    /// Reads an `http` or `https` URL; a path is kept and signed. `plain_http` says whether http
    /// may leave this machine.
    ///
    /// # Errors
    ///
    /// [`InvalidEndpoint`] for another scheme, for a URL without a host, and for plain http to
    /// another machine, where session tokens would go in clear.
    pub fn parse(url: &str, plain_http: PlainHttp) -> Result<Self, InvalidEndpoint> {
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
        let is_local = uri.host().is_some_and(is_loopback);
        if scheme == "http" && !is_local && plain_http == PlainHttp::Loopback {
            return Err(InvalidEndpoint::PlainHttp);
        }
        Ok(Self { url: url.to_owned(), is_local, is_tls: scheme == "https" })
    }

    /// Whether it is plain http to this machine.
    pub(crate) fn is_plain_local(&self) -> bool {
        self.is_local && !self.is_tls
    }

    /// Whether it is this machine.
    pub(crate) fn is_local(&self) -> bool {
        self.is_local
    }

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.url
    }
}

/// How far http without TLS may go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum PlainHttp {
    /// To this machine only.
    Loopback,
    /// Anywhere: session tokens then go in clear, as somebody has decided.
    Anywhere,
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
            Self::Form => "is not a URL of http or https with a host",
            Self::Host => "must be a host, perhaps a port of 1 to 65535, and perhaps a path: no user, query or fragment",
            Self::PlainHttp => {
                "is plain http to another machine, where tokens would go in clear: use https, or --allow-http"
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
            let parsed = Endpoint::parse(url, PlainHttp::Loopback).map(|_| ());
            assert_eq!(parsed, expected, "{url}");
        }
        let allowed = Endpoint::parse("http://sts.example.net", PlainHttp::Anywhere).unwrap();
        assert!(!allowed.is_plain_local());
    }
}

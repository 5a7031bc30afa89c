//! `METADATA_API_URL`: where Relay's metadata API is, and the token for it.
//!
//! The URL may hold the token, so no form of it is ever shown, not even one that cannot be read.

use std::fmt;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use http::uri::{Authority, Scheme, Uri};
use percent_encoding::percent_decode_str;
use zeroize::Zeroizing;

/// Where the API is; a path of the URL is dropped, as the Python SDK of Relay drops it.
#[derive(Clone)]
pub(crate) struct Address {
    scheme: Scheme,
    host: Authority,
    authorization: Option<HeaderValue>,
    /// The token in every form that a server may repeat, and the host.
    hidden: Arc<Vec<Zeroizing<String>>>,
}

/// Why a URL is none; never with a part of it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidAddress {
    #[error("is not set")]
    Missing,
    #[error("is not an http or https URL")]
    NotHttp,
    #[error("holds white space or a line break")]
    WhiteSpace,
    #[error("is not a URL: Relay's own examples leave out the @ before the host")]
    NotUrl,
}

impl Address {
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, InvalidAddress> {
        let text = text.filter(|text| !text.is_empty()).ok_or(InvalidAddress::Missing)?;
        if text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            return Err(InvalidAddress::WhiteSpace);
        }
        let parts = text.parse::<Uri>().map_err(|_| InvalidAddress::NotUrl)?.into_parts();
        let scheme = parts.scheme.ok_or(InvalidAddress::NotHttp)?;
        if scheme != Scheme::HTTP && scheme != Scheme::HTTPS {
            return Err(InvalidAddress::NotHttp);
        }
        let authority = parts.authority.ok_or(InvalidAddress::NotUrl)?;
        let (user, host) = match authority.as_str().rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority.as_str()),
        };
        let host: Authority = host.parse().map_err(|_| InvalidAddress::NotUrl)?;
        let is_port_lost = host.as_str().len() > host.host().len() && host.port_u16().is_none();
        if host.host().is_empty() || is_port_lost {
            return Err(InvalidAddress::NotUrl);
        }
        let authorization = user.map(basic).transpose()?;
        let hidden = Arc::new(user.map(forms).unwrap_or_default());
        Ok(Self { scheme, host, authorization, hidden })
    }

    /// Whether certificates are needed.
    pub(crate) fn is_https(&self) -> bool {
        self.scheme == Scheme::HTTPS
    }

    /// A server's text in one line, without the URL and the token in any form.
    pub(crate) fn shown(&self, text: &str) -> String {
        let words: Vec<&str> = text.split_whitespace().collect();
        let mut line = words.join(" ").replace(|c: char| c.is_control(), "");
        for secret in self.hidden.iter() {
            line = line.replace(secret.as_str(), "[token]");
        }
        // The host alone may be any word of a sentence.
        line.replace(&format!("//{}", self.host), "//[host]")
            .replace(&format!("@{}", self.host), "@[host]")
    }

    /// The whole URL of a path with its query.
    pub(crate) fn uri(&self, path_and_query: &str) -> Option<Uri> {
        let builder = Uri::builder().scheme(self.scheme.clone()).authority(self.host.clone());
        builder.path_and_query(path_and_query).build().ok()
    }

    /// What is sent with each request.
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }
}

/// What of the user's part of a URL must not be seen: as it stands, decoded, and as it is sent.
fn forms(user: &str) -> Vec<Zeroizing<String>> {
    let (_, token) = user.split_once(':').unwrap_or(("", user));
    let decoded = percent_decode_str(token).decode_utf8_lossy().into_owned();
    let sent = basic(user).ok().and_then(|value| {
        let (_, encoded) = value.to_str().ok()?.split_once(' ')?;
        Some(encoded.to_owned())
    });
    let all = [Some(token.to_owned()), Some(decoded), sent];
    // What is shorter is no token, and would tear every sentence apart.
    all.into_iter().flatten().filter(|text| text.len() > 3).map(Zeroizing::new).collect()
}

/// `Basic` of the user and the token, which a URL holds percent-encoded.
fn basic(user: &str) -> Result<HeaderValue, InvalidAddress> {
    let (name, token) = user.split_once(':').unwrap_or((user, ""));
    let mut text = Zeroizing::new(Vec::with_capacity(user.len() + 1));
    text.extend(percent_decode_str(name));
    text.push(b':');
    text.extend(percent_decode_str(token));
    let encoded = Zeroizing::new(format!("Basic {}", STANDARD.encode(&*text)));
    let mut value = HeaderValue::from_str(&encoded).map_err(|_| InvalidAddress::NotUrl)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Shows neither the host nor the token.
impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Result<(&str, Option<&str>), InvalidAddress>) {
        let read = Address::parse(Some(text));
        let read = read.map(|address| {
            let uri = address.uri("/spec?q=a").unwrap().to_string();
            let sent = address.authorization().map(|value| value.to_str().unwrap().to_owned());
            (uri, sent)
        });
        let expected = expected.map(|(uri, sent)| (uri.to_owned(), sent.map(str::to_owned)));
        assert_eq!(read, expected);
    }

    #[test]
    fn every_form_is_read() {
        check(
            "http://api.ns.svc.cluster.local",
            Ok(("http://api.ns.svc.cluster.local/spec?q=a", None)),
        );
        check("https://api:8443/", Ok(("https://api:8443/spec?q=a", None)));
        check("http://h/base/path?x=y", Ok(("http://h/spec?q=a", None)));
        let colon = Some("Basic OmEuYi5j");
        check("http://:a.b.c@[::]:44001", Ok(("http://[::]:44001/spec?q=a", colon)));
        check(
            "http://token:a.b.c@0.0.0.0:1",
            Ok(("http://0.0.0.0:1/spec?q=a", Some("Basic dG9rZW46YS5iLmM="))),
        );
        check("http://:a%2Eb.c@h", Ok(("http://h/spec?q=a", colon)));
        check("http://other@h", Ok(("http://h/spec?q=a", Some("Basic b3RoZXI6"))));
    }

    #[test]
    fn a_servers_text_is_shown_without_the_token() {
        let address = Address::parse(Some("http://:can%61ry@host:80")).unwrap();
        let sent = address.authorization().unwrap().to_str().unwrap().to_owned();
        let said = format!("no\n canary\u{1b}[31m can%61ry {sent} http://host:80/spec");
        let shown = address.shown(&said);
        assert_eq!(shown, "no [token][31m [token] Basic [token] http://[host]/spec");
    }

    #[test]
    fn what_is_no_url_is_refused_without_a_word_of_it() {
        check("http://:canary.token.jwt[::]:44001", Err(InvalidAddress::NotUrl));
        check("ftp://h", Err(InvalidAddress::NotHttp));
        check("h:80", Err(InvalidAddress::NotHttp));
        check("/spec", Err(InvalidAddress::NotHttp));
        check("http://", Err(InvalidAddress::NotUrl));
        check("canary with blanks", Err(InvalidAddress::WhiteSpace));
        check("http://:canary@h:80\n", Err(InvalidAddress::WhiteSpace));
        check("http://:canary@h:99999", Err(InvalidAddress::NotUrl));
        assert_eq!(Address::parse(None).unwrap_err(), InvalidAddress::Missing);
        assert_eq!(Address::parse(Some("")).unwrap_err(), InvalidAddress::Missing);
        let shown = format!("{:?}", Address::parse(Some("http://:canary@h")).unwrap());
        assert!(!shown.contains("canary") && !shown.contains('h'), "{shown}");
    }
}

//! A signer and a client of our own, so that nothing is judged by the code it tests.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Credentials of a caller.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) token: Option<String>,
}

/// An HTTP answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Reply {
    /// The text of the first element with this name.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        let (_, rest) = self.body.split_once(&format!("<{name}>"))?;
        Some(rest.split_once(&format!("</{name}>"))?.0)
    }

    /// The credentials in it.
    pub(crate) fn keys(&self) -> Keys {
        let text = |name| self.text(name).unwrap_or_else(|| panic!("no {name}: {self:?}"));
        Keys {
            id: text("AccessKeyId").to_owned(),
            secret: text("SecretAccessKey").to_owned(),
            token: Some(text("SessionToken").to_owned()),
        }
    }

    #[track_caller]
    pub(crate) fn check(&self, status: u16, part: &str) {
        assert!(self.status == status && self.body.contains(part), "{self:?} lacks {part}");
    }
}

/// What a request is signed with, and how.
#[derive(Clone, Debug)]
pub(crate) struct Signing {
    pub(crate) method: &'static str,
    pub(crate) query: String,
    pub(crate) region: &'static str,
    pub(crate) service: &'static str,
    pub(crate) extra_headers: Vec<(&'static str, String)>,
    pub(crate) content_type: &'static str,
}

impl Default for Signing {
    fn default() -> Self {
        Self {
            method: "POST",
            query: String::new(),
            region: "eu-west-1",
            service: "sts",
            extra_headers: Vec::new(),
            content_type: "application/x-www-form-urlencoded",
        }
    }
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).unwrap();
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn signature(secret: &str, scope: &[&str], canonical: &str, stamp: &str) -> String {
    let first = format!("AWS4{secret}").into_bytes();
    let key = scope.iter().fold(first, |key, part| mac(&key, part));
    let scope = scope.join("/");
    let hash = sha256(canonical.as_bytes());
    hex(&mac(&key, &format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{hash}")))
}

/// The bytes of a signed request. The query must be in canonical form already.
pub(crate) fn signed(host: &str, body: &str, keys: &Keys, now: Timestamp, how: &Signing) -> String {
    let stamp = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let mut headers = how.extra_headers.clone();
    headers.push(("content-type", how.content_type.to_owned()));
    headers.push(("host", host.to_owned()));
    headers.push(("x-amz-date", stamp.clone()));
    if let Some(token) = &keys.token {
        headers.push(("x-amz-security-token", token.clone()));
    }
    headers.sort();
    let names: Vec<&str> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";");
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}:{value}
"
            )
        })
        .collect();
    let lines = lines.concat();
    let hash = sha256(body.as_bytes());
    let canonical = format!("{}\n/\n{}\n{lines}\n{names}\n{hash}", how.method, how.query);
    let day = &stamp[..8];
    let scope = [day, how.region, how.service, "aws4_request"];
    let mark = signature(&keys.secret, &scope, &canonical, &stamp);
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={names}, Signature={mark}",
        keys.id,
        scope.join("/")
    );
    headers.push(("authorization", authorization));
    request(how.method, &how.query, &headers, body)
}

/// A presigned GET.
pub(crate) fn presigned(host: &str, query: &str, keys: &Keys, signed_at: Timestamp) -> String {
    let stamp = signed_at.strftime("%Y%m%dT%H%M%SZ").to_string();
    let scope = [&stamp[..8], "eu-west-1", "sts", "aws4_request"];
    let credential = format!("{}%2F{}", keys.id, scope.join("%2F"));
    let mut parts: Vec<String> = query.split('&').map(str::to_owned).collect();
    parts.extend([
        "X-Amz-Algorithm=AWS4-HMAC-SHA256".to_owned(),
        format!("X-Amz-Credential={credential}"),
        format!("X-Amz-Date={stamp}"),
        "X-Amz-Expires=60".to_owned(),
        "X-Amz-SignedHeaders=host".to_owned(),
    ]);
    parts.sort();
    let query = parts.join("&");
    let canonical = format!("GET\n/\n{query}\nhost:{host}\n\nhost\n{}", sha256(b""));
    let mark = signature(&keys.secret, &scope, &canonical, &stamp);
    let query = format!("{query}&X-Amz-Signature={mark}");
    request("GET", &query, &[("host", host.to_owned())], "")
}

/// The bytes of a request.
pub(crate) fn request(method: &str, query: &str, headers: &[(&str, String)], body: &str) -> String {
    let target = if query.is_empty() { "/".to_owned() } else { format!("/?{query}") };
    at(method, &target, headers, body)
}

/// The same for any path.
pub(crate) fn at(method: &str, target: &str, headers: &[(&str, String)], body: &str) -> String {
    let lines: Vec<String> = headers
        .iter()
        .map(|(name, value)| {
            format!(
                "{name}: {value}
"
            )
        })
        .collect();
    let lines = lines.concat();
    let length = body.len();
    format!(
        "{method} {target} HTTP/1.1\r\n{lines}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

/// Sends bytes and reads until the other side closes.
pub(crate) async fn raw(host: &str, request: &str) -> String {
    String::from_utf8(bytes(host, request).await).unwrap()
}

/// The same for an answer that need not be text.
pub(crate) async fn bytes(host: &str, request: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    // A reset is an end as well.
    let _end = stream.read_to_end(&mut bytes).await;
    bytes
}

/// Sends bytes and reads an answer.
pub(crate) async fn send(host: &str, request: &str) -> Reply {
    let text = raw(host, request).await;
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text:?}"));
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Reply { status, head: head.to_ascii_lowercase(), body: body.to_owned() }
}

//! The JSON 1.1 protocol: `X-Amz-Target` names service and operation, the body holds the fields.

use axum::http::Method;
use axum::http::request::Parts;
use serde_json::{Map, Value};

/// The `Content-Type` of requests and answers.
pub(crate) const CONTENT_TYPE: &str = "application/x-amz-json-1.1";

const HEADER: &str = "x-amz-target";

/// A request of this protocol.
#[derive(Clone)]
pub(crate) struct JsonCall {
    /// What comes before the dot, such as `AmazonEC2ContainerRegistry_V20150921`.
    pub(crate) target: String,
    /// What comes after it.
    pub(crate) operation: String,
    /// The fields; nothing when the body is no JSON object.
    pub(crate) fields: Option<Map<String, Value>>,
}

impl JsonCall {
    /// Reads a request; nothing when it has no target.
    pub(crate) fn read(parts: &Parts, body: &[u8]) -> Option<Self> {
        let header = parts.headers.get(HEADER).filter(|_| parts.method == Method::POST)?;
        let header = String::from_utf8_lossy(header.as_bytes());
        let (target, operation) = header.split_once('.').unwrap_or((&header, ""));
        let fields =
            if body.is_empty() { Some(Map::new()) } else { serde_json::from_slice(body).ok() };
        Some(Self { target: target.to_owned(), operation: operation.to_owned(), fields })
    }

    /// The names of all fields.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().flat_map(Map::keys).map(String::as_str)
    }
}

impl std::fmt::Debug for JsonCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("JsonCall").field("operation", &self.operation).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use proptest::prelude::*;

    use super::*;

    fn read(header: &str, body: &[u8]) -> Option<JsonCall> {
        let request = Request::post("/").header(HEADER, header).body(()).unwrap();
        JsonCall::read(&request.into_parts().0, body)
    }

    #[test]
    fn target_and_fields() {
        let call = read("Service_V1.Do", b"{\"a\": 1, \"b\": {}}").unwrap();
        assert_eq!((call.target.as_str(), call.operation.as_str()), ("Service_V1", "Do"));
        assert_eq!(call.names().collect::<Vec<_>>(), ["a", "b"]);
        assert!(read("Service_V1.Do", b"").unwrap().fields.is_some());
        assert!(read("Service_V1.Do", b"[]").unwrap().fields.is_none());
        let get = Request::get("/").header(HEADER, "Service_V1.Do").body(()).unwrap();
        assert!(JsonCall::read(&get.into_parts().0, b"").is_none());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_parser_panic(header in "[ -~]*", body: Vec<u8>) {
            let _call = read(&header, &body);
        }
    }
}

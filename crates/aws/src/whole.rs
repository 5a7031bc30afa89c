//! Refuses an answer that stops half-way, or that never stops.
//!
//! A connection that ends early cannot be told from a whole answer when the server gave no length,
//! and the SDK's reader then takes what there is: half a session token would pass for one.

use aws_sdk_sts::config::ConfigBag;
use aws_sdk_sts::config::interceptors::{
    AfterDeserializationInterceptorContextRef, BeforeDeserializationInterceptorContextMut,
};
use aws_sdk_sts::config::{Intercept, RuntimeComponents};
use aws_sdk_sts::error::BoxError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_xml::decode::Document;
use http_body_util::Limited;

/// Bounds every answer, and checks that a success in XML ends with the end of its root element; one
/// in JSON that stops half-way is refused by its reader.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum WholeAnswer {
    Xml,
    Json,
}

#[aws_smithy_runtime_api::client::interceptors::dyn_dispatch_hint]
impl Intercept for WholeAnswer {
    fn name(&self) -> &'static str {
        "whole answer"
    }

    fn modify_before_deserialization(
        &self,
        context: &mut BeforeDeserializationInterceptorContextMut<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let body = context.response_mut().body_mut();
        let whole = std::mem::replace(body, SdkBody::taken());
        *body = SdkBody::from_body_1_x(Limited::new(whole, MOST_BYTES));
        Ok(())
    }

    fn read_after_deserialization(
        &self,
        context: &AfterDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let body = response.body().bytes().unwrap_or_default();
        if *self == Self::Xml && response.status().is_success() && !is_whole(body) {
            return Err("the answer stops half-way".into());
        }
        Ok(())
    }
}

fn is_whole(body: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(body) else { return false };
    let mut document = Document::new(text);
    let Ok(root) = document.root_element() else { return false };
    let (prefix, local) = (root.start_el().prefix(), root.start_el().local());
    let end = text.rsplit("</").next().and_then(|end| end.trim_end().strip_suffix('>'));
    match end.map(str::trim_end) {
        Some(name) if prefix.is_empty() => name == local,
        Some(name) => name.strip_prefix(prefix).and_then(|n| n.strip_prefix(':')) == Some(local),
        None => false,
    }
}

/// A session token has no upper length, but one of a mebibyte has never been seen.
const MOST_BYTES: usize = 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::is_whole;

    #[test]
    fn an_answer_ends_with_its_root() {
        for (body, whole) in [
            ("<A><B>x</B></A>", true),
            ("<?xml version=\"1.0\"?>\n<A><B>x</B></A >\n", true),
            ("<ns:A xmlns:ns=\"u\"><ns:B/></ns:A>", true),
            ("<A><B>x", false),
            ("<A><B>x</B>", false),
            ("<A><A>x</B>", false),
            ("<A", false),
            ("", false),
            ("{}", false),
        ] {
            assert_eq!(is_whole(body.as_bytes()), whole, "{body}");
        }
    }
}

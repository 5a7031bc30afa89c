//! What a service says when it refuses: status, code and sentence.

use crate::random::NoRandomness;

use super::xml::Xml;

/// A refusal, as it goes over the wire.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) message: String,
}

impl Refusal {
    /// 400 with this code.
    pub(crate) fn bad(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into() }
    }

    /// 403 with this code.
    pub(crate) fn forbidden(code: &str, message: impl Into<String>) -> Self {
        Self { status: 403, code: code.to_owned(), message: message.into() }
    }

    /// 400 `ValidationError`.
    pub(crate) fn validation(message: impl Into<String>) -> Self {
        Self::bad("ValidationError", message)
    }

    /// 403 `AccessDenied`.
    pub(crate) fn denied(message: impl Into<String>) -> Self {
        Self::forbidden("AccessDenied", message)
    }

    /// E20.
    pub(crate) fn not_authorized(caller: &str, action: &str, role: &str) -> Self {
        Self::denied(format!(
            "User: {caller} is not authorized to perform: {action} on resource: {role}"
        ))
    }

    /// 403 `SignatureDoesNotMatch`.
    pub(crate) fn signature(message: impl Into<String>) -> Self {
        Self::forbidden("SignatureDoesNotMatch", message)
    }

    /// 500.
    pub(crate) fn internal() -> Self {
        Self {
            status: 500,
            code: "InternalFailure".to_owned(),
            message: "The request processing has failed because of an unknown error, exception \
                      or failure."
                .to_owned(),
        }
    }

    /// The same refusal in the words of services that speak JSON 1.1.
    pub(crate) fn in_json(mut self) -> Self {
        let (status, code) = match self.code.as_str() {
            "InvalidClientTokenId" => (400, "UnrecognizedClientException"),
            "ExpiredToken" => (400, "ExpiredTokenException"),
            "SignatureDoesNotMatch" => (400, "InvalidSignatureException"),
            "IncompleteSignature" => (400, "IncompleteSignatureException"),
            "MissingAuthenticationToken" => {
                "Missing Authentication Token".clone_into(&mut self.message);
                (400, "MissingAuthenticationTokenException")
            }
            "Throttling" => (400, "ThrottlingException"),
            "InternalFailure" => (500, "ServerException"),
            "ServiceUnavailable" => (503, "ServiceUnavailableException"),
            _ => return self,
        };
        Self { status, code: code.to_owned(), message: self.message }
    }

    /// The JSON answer.
    pub(crate) fn json_document(&self) -> String {
        serde_json::json!({ "__type": self.code, "message": self.message }).to_string()
    }

    /// The XML answer (E16).
    pub(crate) fn document(&self, request_id: &str) -> String {
        let kind = if self.status < 500 { "Sender" } else { "Receiver" };
        let error = Xml::default()
            .leaf("Type", kind)
            .leaf("Code", &self.code)
            .leaf("Message", &self.message);
        Xml::default().tree("Error", &error).leaf("RequestId", request_id).document("ErrorResponse")
    }
}

impl From<NoRandomness> for Refusal {
    fn from(_: NoRandomness) -> Self {
        Self::internal()
    }
}

//! One table of failure classes, for every door and for the retry of the SDK.
//!
//! Codes: <https://docs.aws.amazon.com/STS/latest/APIReference/CommonErrors.html>.

/// What kind of failure it is, which decides what to do next.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Class {
    /// Too many requests: back off, the quota is the calling account's.
    Throttled,
    /// STS, its identity provider or the network is down.
    Unavailable,
    /// There was an answer that is none of STS.
    Unreadable,
    /// The caller's own session or token has ended: refresh the source.
    ExpiredCaller,
    /// The web identity token is not accepted: read it anew, once.
    Token,
    /// The signature's time is off.
    Clock,
    /// Refused by policy.
    Denied,
    /// The base key is not known, or its secret is another.
    BaseKey,
    /// The request itself is wrong.
    Configuration,
    /// The request cannot be built.
    NotSendable,
    /// There was no identity to begin with.
    NoSource,
    /// A person must sign in, or give a code, before anything can go on.
    NeedsPerson,
}

impl Class {
    /// A stable word for machines.
    pub fn code(self) -> &'static str {
        match self {
            Self::Throttled => "throttled",
            Self::Unavailable => "unavailable",
            Self::Unreadable => "unreadable-answer",
            Self::ExpiredCaller => "expired-caller",
            Self::Token => "invalid-token",
            Self::Clock => "clock-skewed",
            Self::Denied => "denied",
            Self::BaseKey => "bad-base-credential",
            Self::Configuration => "invalid-request",
            Self::NotSendable => "not-sendable",
            Self::NoSource => "no-source",
            Self::NeedsPerson => "needs-person",
        }
    }

    /// Whether the same request can succeed later.
    pub fn retry(self) -> Retry {
        match self {
            Self::Throttled | Self::Unavailable | Self::Unreadable => Retry::Later,
            Self::ExpiredCaller
            | Self::Token
            | Self::Clock
            | Self::Denied
            | Self::BaseKey
            | Self::Configuration
            | Self::NotSendable
            | Self::NoSource
            | Self::NeedsPerson => Retry::Never,
        }
    }

    /// Whether a fresh source may mend it.
    pub(crate) fn blames_caller(self) -> bool {
        matches!(self, Self::ExpiredCaller | Self::Token)
    }
}

/// Whether the same request can succeed later.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Retry {
    /// Yes: nothing about it is wrong.
    Later,
    /// Not until something changes.
    Never,
}

/// Finds the class of an answer of STS.
///
/// Codes decide; text only where one code stands for two things. STS throttles with status 400.
pub fn classify(status: u16, code: &str, message: &str) -> Class {
    match code {
        "Throttling"
        | "ThrottlingException"
        | "ThrottledException"
        | "RequestThrottled"
        | "RequestThrottledException"
        | "RequestLimitExceeded"
        | "BandwidthLimitExceeded"
        | "LimitExceededException"
        | "TooManyRequestsException"
        | "TooManyRequests"
        | "SlowDown" => Class::Throttled,
        "InternalFailure"
        | "InternalError"
        | "ServerException"
        | "ServiceUnavailable"
        | "RequestTimeout"
        | "IDPCommunicationError" => Class::Unavailable,
        "InvalidIdentityToken" if message.contains("retrieve verification key") => {
            Class::Unavailable
        }
        "InvalidIdentityToken" => Class::Token,
        "ExpiredToken" | "ExpiredTokenException" | "RequestExpired" => Class::ExpiredCaller,
        "SignatureDoesNotMatch" | "InvalidSignatureException" if is_about_time(message) => {
            Class::Clock
        }
        "InvalidClientTokenId"
        | "UnrecognizedClientException"
        | "SignatureDoesNotMatch"
        | "InvalidSignatureException"
        | "IncompleteSignature"
        | "IncompleteSignatureException"
        | "MissingAuthenticationToken"
        | "MissingAuthenticationTokenException" => Class::BaseKey,
        "ValidationError"
        | "InvalidParameterValue"
        | "InvalidParameterCombination"
        | "MissingParameter"
        | "MissingAction"
        | "InvalidAction"
        | "MalformedPolicyDocument"
        | "PackedPolicyTooLarge"
        | "InvalidAuthorizationMessageException"
        | "JWTPayloadSizeExceededException"
        | "InvalidParameterException"
        | "UnsupportedCommandException" => Class::Configuration,
        "AccessDenied"
        | "AccessDeniedException"
        | "IDPRejectedClaim"
        | "RegionDisabledException"
        | "SessionDurationEscalationException"
        | "OutboundWebIdentityFederationDisabledException"
        | "ExpiredTradeInTokenException" => Class::Denied,
        _ if status == 429 => Class::Throttled,
        _ if status >= 500 => Class::Unavailable,
        _ => Class::Denied,
    }
}

fn is_about_time(message: &str) -> bool {
    message.starts_with("Signature expired") || message.starts_with("Signature not yet current")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_of_the_table_has_its_class() {
        let rows = [
            (400, "Throttling", "Rate exceeded", Class::Throttled),
            (429, "Whatever", "", Class::Throttled),
            (400, "RequestLimitExceeded", "", Class::Throttled),
            (400, "ThrottlingException", "", Class::Throttled),
            (503, "SlowDown", "", Class::Throttled),
            (400, "TooManyRequestsException", "", Class::Throttled),
            (400, "RequestExpired", "", Class::ExpiredCaller),
            (400, "PackedPolicyTooLarge", "", Class::Configuration),
            (400, "MalformedPolicyDocument", "", Class::Configuration),
            (403, "IDPRejectedClaim", "", Class::Denied),
            (403, "SignatureDoesNotMatch", "Signature not yet current: 2026", Class::Clock),
            (503, "ServiceUnavailable", "", Class::Unavailable),
            (500, "Whatever", "", Class::Unavailable),
            (400, "IDPCommunicationError", "", Class::Unavailable),
            (
                400,
                "InvalidIdentityToken",
                "Couldn't retrieve verification key from your identity provider, please reference \
                 AssumeRoleWithWebIdentity documentation for requirements",
                Class::Unavailable,
            ),
            (400, "InvalidIdentityToken", "Incorrect token audience", Class::Token),
            (403, "ExpiredToken", "", Class::ExpiredCaller),
            (400, "ExpiredTokenException", "", Class::ExpiredCaller),
            (403, "SignatureDoesNotMatch", "Signature expired: 2026 is now earlier", Class::Clock),
            (403, "SignatureDoesNotMatch", "The request signature we", Class::BaseKey),
            (403, "InvalidClientTokenId", "", Class::BaseKey),
            (403, "AccessDenied", "", Class::Denied),
            (403, "RegionDisabledException", "", Class::Denied),
            (400, "ValidationError", "", Class::Configuration),
            (400, "MissingFields", "", Class::Denied),
            (400, "InvalidSignatureException", "Signature expired: 2026", Class::Clock),
            (400, "InvalidSignatureException", "The request signature we", Class::BaseKey),
            (400, "MissingAuthenticationTokenException", "", Class::BaseKey),
            (400, "AccessDeniedException", "", Class::Denied),
            (400, "ServerException", "", Class::Unavailable),
        ];
        for (status, code, message, class) in rows {
            assert_eq!(classify(status, code, message), class, "{status} {code}");
        }
    }

    #[test]
    fn only_what_time_mends_is_for_later() {
        for class in [Class::Throttled, Class::Unavailable, Class::Unreadable] {
            assert_eq!(class.retry(), Retry::Later);
        }
        assert_eq!(Class::Denied.retry(), Retry::Never);
    }
}

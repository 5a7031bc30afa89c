//! What can go wrong between a plan and a session.
//!
//! Every error answers [`Error::code`] (stable, for machines), [`Error::class`] (what to do next)
//! and [`Error::hint`] (for people). None is derived from a debug form, and none holds a secret:
//! the adapter scrubs STS's own words before they come here.

mod class;
mod facts;
mod hint;

use std::fmt;

pub use class::{Class, Retry, classify};
pub use facts::{CallFacts, Part};

use crate::plan::PlanError;
use crate::session::InvalidCredentials;

/// Why there is no session.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The plan would be refused whatever the policies say, so nothing was sent.
    #[error("nothing was sent to STS")]
    Plan(#[from] PlanError),
    /// The source gave no identity.
    #[error("no credentials to begin with")]
    Source(#[from] SourceError),
    /// Nobody gave the code of an MFA device.
    #[error("no MFA code")]
    Factor(#[source] SourceError),
    /// A call failed.
    #[error("could not {facts}")]
    Call {
        /// Which call.
        facts: Box<CallFacts>,
        /// How it failed.
        #[source]
        failure: CallFailure,
    },
}

impl Error {
    /// A stable word for the error.
    pub fn code(&self) -> &'static str {
        self.class().code()
    }

    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Plan(_) => Class::Configuration,
            Self::Source(error) | Self::Factor(error) => error.class(),
            Self::Call { failure, .. } => failure.class(),
        }
    }

    /// Whether the same request can succeed later.
    pub fn retry(&self) -> Retry {
        self.class().retry()
    }

    /// What to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Plan(error) => Some(error.hint().to_owned()),
            Self::Source(error) | Self::Factor(error) => error.hint(),
            Self::Call { facts, failure } => Some(facts.hint(failure)),
        }
    }
}

/// How one call failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CallFailure {
    /// The service said no, or not now.
    #[error("{service} answered {code}{}{message}", if message.is_empty() { "" } else { ": " })]
    Refused {
        /// The service that was called.
        service: &'static str,
        /// The HTTP status; 0 where it is not known.
        status: u16,
        /// The code on the wire.
        code: String,
        /// The service's sentence, without any secret of the request.
        message: String,
        /// The service's name for the call.
        request_id: Option<String>,
    },
    /// There was an answer, but not one of the service.
    #[error("the answer cannot be read as one of {service}{}", status_text(*status))]
    Unreadable {
        /// The service that was called.
        service: &'static str,
        /// The HTTP status; 0 where it is not known.
        status: u16,
    },
    /// There was no answer.
    #[error("{service} did not answer: {silence}")]
    NoAnswer {
        /// The service that was called.
        service: &'static str,
        /// What happened instead.
        silence: Silence,
    },
    /// The request could not be built, so it was not sent.
    #[error("the request could not be built: {reason}")]
    NotSendable {
        /// What is wrong with it.
        reason: &'static str,
    },
}

/// Why there was no answer.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Silence {
    /// Nothing came while it was waited for.
    TimedOut,
    /// Nobody listens there.
    Refused,
    /// The host's name does not resolve.
    NoName,
    /// TLS could not be agreed on, most often because the certificate is not trusted.
    Tls,
    /// The connection failed or broke.
    Broken,
}

impl Silence {
    fn hint(self) -> &'static str {
        match self {
            Self::TimedOut | Self::Broken => "check the network, the endpoint and the proxy",
            Self::Refused => "check the endpoint and its port",
            Self::NoName => "check the region and the endpoint, and that names are resolved here",
            Self::Tls => {
                "if the authority is your own, or a proxy's, name its certificates with --ca-bundle \
                 or AWS_CA_BUNDLE"
            }
        }
    }
}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TimedOut => "it took too long",
            Self::Refused => "nobody listens at its address",
            Self::NoName => "its name does not resolve",
            Self::Tls => "TLS failed (the certificate is not trusted, or it speaks no TLS)",
            Self::Broken => "the connection failed or broke",
        })
    }
}

fn status_text(status: u16) -> String {
    if status == 0 { String::new() } else { format!(" (HTTP {status})") }
}

impl CallFailure {
    /// What kind of failure it is.
    pub fn class(&self) -> Class {
        match self {
            Self::Refused { status, code, message, .. } => classify(*status, code, message),
            Self::Unreadable { status: 429, .. } => Class::Throttled,
            Self::Unreadable { status: 408 | 500.., .. } | Self::NoAnswer { .. } => {
                Class::Unavailable
            }
            Self::Unreadable { .. } => Class::Unreadable,
            Self::NotSendable { .. } => Class::NotSendable,
        }
    }
}

/// Why a source gave no identity.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// Every source of the default chain was asked and has nothing.
    #[error("no source of the default chain gave credentials{}", Listed(tried))]
    Nothing {
        /// The sources in the order they were asked, and why each gave nothing.
        tried: Vec<Attempt>,
        /// What to do about it, where the machine tells.
        hint: Option<String>,
    },
    /// Something that was named is not there, or cannot be read.
    #[error("{what}")]
    Missing {
        /// What, as a sentence.
        what: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The keys are such that STS could only refuse them.
    #[error("{origin}: {}", joined(problems))]
    Invalid {
        /// Where the keys came from.
        origin: String,
        /// What is wrong with them, all of it.
        problems: Vec<InvalidCredentials>,
    },
    /// A source that is configured failed.
    #[error("{origin}: {reason}")]
    Failed {
        /// Which source.
        origin: String,
        /// Why, in words without a secret.
        reason: String,
        /// What kind of failure it is.
        class: Class,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl SourceError {
    fn class(&self) -> Class {
        match self {
            Self::Nothing { .. } | Self::Missing { .. } | Self::Invalid { .. } => Class::NoSource,
            Self::Failed { class, .. } => *class,
        }
    }

    fn hint(&self) -> Option<String> {
        match self {
            Self::Nothing { hint: None, .. } => Some(
                "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, name a profile with --profile, \
                 or try it without an account with --emulate"
                    .to_owned(),
            ),
            Self::Nothing { hint, .. } | Self::Missing { hint, .. } | Self::Failed { hint, .. } => {
                hint.clone()
            }
            Self::Invalid { problems, .. } => {
                problems.first().map(|problem| problem.hint().to_owned())
            }
        }
    }
}

/// One source of the default chain that gave nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Attempt {
    /// The source.
    pub source: &'static str,
    /// Why it gave nothing.
    pub reason: String,
}

fn joined(problems: &[InvalidCredentials]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

struct Listed<'a>(&'a [Attempt]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for Attempt { source, reason } in self.0 {
            write!(f, "\n    {source}: {reason}")?;
        }
        Ok(())
    }
}

//! Why a Secret cannot be rendered: places and kinds of fault, never a value.

use std::fmt;

use super::rewrite::InvalidKey;
use crate::error::Class;
use crate::grant::parse_hint;
use crate::template::{MapError, TemplateError};

/// One fault of a rendering.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A rewritten name that no Secret may have.
    #[error("invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): {0}")]
    InvalidKey(InvalidKey),
    /// A name grew beyond all measure between two steps.
    #[error(
        "error applying rewrite to keys: failed rewrite operation[{step}]: a key grows beyond {most} bytes"
    )]
    Growth {
        /// Which step, counted from 0.
        step: usize,
        /// How long a key may be between two steps.
        most: usize,
    },
    /// A `transform` that fails over a key.
    #[error("error applying rewrite to keys: failed rewrite operation[{step}]: {error}")]
    Transform {
        /// Which step, counted from 0.
        step: usize,
        /// Why.
        error: TemplateError,
    },
    /// An object that `templateFrom` names is not there.
    #[error("error fetching templateFrom data: {kind} \"{name}\" not found")]
    Missing {
        /// `configmaps` or `secrets`.
        kind: &'static str,
        /// Its name.
        name: String,
    },
    /// A key that `templateFrom` names is not there.
    #[error("error fetching templateFrom data: error in {kind} {name}: missing key {key}")]
    MissingKey {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// The object's name.
        name: String,
        /// The key.
        key: String,
    },
    /// A key that `templateFrom` names holds bytes that are no text.
    #[error("error fetching templateFrom data: error in {kind} {name}: key {key} is no UTF-8 text")]
    NotText {
        /// `configmap` or `secret`.
        kind: &'static str,
        /// The object's name.
        name: String,
        /// The key.
        key: String,
    },
    /// A text of `templateFrom` that is no template.
    #[error("unable to parse template at key {key}: {error}")]
    Parse {
        /// The key it stands under.
        key: String,
        /// Why.
        error: TemplateError,
    },
    /// A template that fails.
    #[error("unable to execute template at key {key}: {error}")]
    Execute {
        /// The key it fills, or stands under.
        key: String,
        /// Why.
        error: TemplateError,
    },
    /// A rendered text that is no map of strings.
    #[error("could not unmarshal the template at key {key}: what it renders {error}")]
    Map {
        /// The key it stands under.
        key: String,
        /// Why.
        error: MapError,
    },
    /// Rendered values that are not encoded as `valuesDecodingStrategy` says.
    #[error("could not decode {count} of the values of key {key}")]
    Decoding {
        /// The key the template stands under.
        key: String,
        /// How many.
        count: usize,
    },
    /// Rendered names that Kubernetes takes for no key, label or annotation.
    #[error("{count} of the names that the template at key {key} gives are no {what}")]
    InvalidNames {
        /// The key the template stands under.
        key: String,
        /// What they would be.
        what: &'static str,
        /// How many.
        count: usize,
    },
    /// A value of a label or annotation that Kubernetes does not take.
    #[error("the value of {what} {name} is none that Kubernetes takes{why}")]
    InvalidValue {
        /// `label` or `annotation`.
        what: &'static str,
        /// The name, where the manifest wrote it.
        name: Shown,
        /// What a value may be.
        why: &'static str,
    },
    /// More data than a Secret can hold.
    #[error("the Secret would hold {bytes} bytes, more than the {most} that Kubernetes takes")]
    TooLarge {
        /// How many bytes its values have.
        bytes: usize,
        /// How many they may have.
        most: usize,
    },
}

/// A name that a manifest wrote; of one that was rendered nothing is shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shown(pub(super) Option<String>);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0.as_deref().unwrap_or("(a rendered name)"))
    }
}

impl RenderError {
    /// Whether an object that `templateFrom` names is not there, or has not that key: it may come.
    pub fn is_missing_object(&self) -> bool {
        matches!(self, Self::Missing { .. } | Self::MissingKey { .. })
    }

    /// A stable word for the error.
    pub fn code(&self) -> &'static str {
        self.class().code()
    }

    /// What kind of failure it is: the manifest is to be changed.
    pub fn class(&self) -> Class {
        Class::Configuration
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        match self {
            Self::InvalidKey(_) | Self::Growth { .. } | Self::Transform { .. } => {
                "change rewrite of this entry".to_owned()
            }
            Self::Missing { .. } | Self::MissingKey { .. } => {
                "it is looked for in the ExternalSecret's own namespace; a document without one is in \
                 default"
                    .to_owned()
            }
            Self::Parse { error, .. } => {
                parse_hint(error).unwrap_or_else(|| "change the text that is named".to_owned())
            }
            Self::Execute { error, .. } => execute_hint(error),
            Self::Map { .. } | Self::InvalidNames { .. } => {
                "a value in it may need quotes: {{ .KEY | quote }}".to_owned()
            }
            Self::NotText { .. } | Self::Decoding { .. } => {
                "change the text that is named".to_owned()
            }
            Self::InvalidValue { .. } => {
                "change the template of that value".to_owned()
            }
            Self::TooLarge { .. } => "split it into several ExternalSecrets".to_owned(),
        }
    }
}

fn execute_hint(error: &TemplateError) -> String {
    use crate::template::Fault;

    match &error.fault {
        Fault::MissingKey(name) if matches!(name.as_str(), Some("Values" | "Release" | "Chart")) => {
            "that is for helm: in a chart write {{ `{{ .KEY }}` }} where the template is meant, and let \
             helm fill in the rest"
        }
        Fault::MissingKey(_) => {
            "the keys are those of the generators after rewrite; index . \"KEY\" gives an empty value \
             for one that may be missing"
        }
        Fault::WrongType { expected: "map[string]interface {}", .. } => {
            "the keys of the generators are a map of strings, which dict functions do not take: use \
             index . \"KEY\""
        }
        Fault::WrongType { expected: "int", .. } => "convert it with int",
        Fault::Fail => "the template calls fail; its words are not shown, since they may hold a secret",
        Fault::TooMuch(_) => "make the template smaller",
        _ => "docs/guides/templates.md lists the functions and what they take",
    }
    .to_owned()
}

/// All faults of a rendering; never empty.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct RenderErrors(pub(super) Vec<Located>);

/// A fault and where in the `ExternalSecret` it stands.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Located {
    /// The path of the field.
    pub path: String,
    /// The fault.
    pub error: RenderError,
}

impl RenderErrors {
    /// The faults, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Located> {
        self.0.iter()
    }
}

impl fmt::Display for RenderErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, Located { path, error }) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{path}: {error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for RenderErrors {}

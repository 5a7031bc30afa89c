//! What goes wrong with a template, in a type that cannot hold a value.
//!
//! A value is a secret, and so is whatever was made of one: no field here is text that a rendering
//! could have produced. What is told are positions, names of functions and types, and names that the
//! template itself wrote, where the template is no secret.

use std::fmt;
use std::sync::Arc;

/// Why a template cannot be parsed or rendered, and where.
///
/// Line and column are those of Go's `text/template`: lines from 1, columns in bytes from 0.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{line}:{column}: {fault}")]
pub struct TemplateError {
    /// The line, from 1.
    pub line: usize,
    /// The byte of the line, from 0.
    pub column: usize,
    /// What is wrong there.
    pub fault: Fault,
}

impl TemplateError {
    pub(super) fn at(text: &str, position: usize, fault: Fault) -> Self {
        let before = text.as_bytes().get(..position).unwrap_or(text.as_bytes());
        let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        let line = before.split(|byte| *byte == b'\n').count();
        Self { line, column: before.len() - start, fault }
    }
}

/// What is wrong with a template.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// The text is no template.
    Syntax(&'static str),
    /// A function that nobody has.
    UndefinedFunction(Name),
    /// A function of External Secrets Operator that is not supported here.
    UnsupportedFunction(&'static str),
    /// A variable that was not declared before.
    UndefinedVariable(Name),
    /// A `template` that no `define` made.
    UndefinedTemplate(Name),
    /// A field of a map that has no such key.
    MissingKey(Name),
    /// A field of a value that has no fields.
    NoField {
        /// The field.
        name: Name,
        /// The type of the value.
        type_: &'static str,
    },
    /// A field of nothing.
    NilData(Name),
    /// An argument of another type than the function takes.
    WrongType {
        /// What the function takes.
        expected: &'static str,
        /// What it got.
        got: &'static str,
    },
    /// A function with too few or too many arguments.
    ArgumentCount {
        /// The function.
        function: &'static str,
        /// How many it takes.
        expected: usize,
        /// How many it got.
        got: usize,
    },
    /// A value that takes no arguments has some.
    NotAFunction,
    /// `nil` where a value is to be given.
    NilCommand,
    /// `range` over what cannot be gone through.
    NotIterable(&'static str),
    /// Two variables for a number's range, or a number too large.
    Number(&'static str),
    /// A function refused its arguments.
    Failed {
        /// The function.
        function: &'static str,
        /// Why, without what it was given.
        why: &'static str,
    },
    /// The function `fail`; its argument is never told.
    Fail,
    /// More than the bounds of this module allow.
    TooMuch(&'static str),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(problem) | Self::Number(problem) => f.write_str(problem),
            Self::UndefinedFunction(name) => write!(f, "function{name} not defined"),
            Self::UnsupportedFunction(name) => write!(f, "unsupported template function {name}"),
            Self::UndefinedVariable(name) => write!(f, "undefined variable{name}"),
            Self::UndefinedTemplate(name) => write!(f, "template{name} not defined"),
            Self::MissingKey(name) => write!(f, "map has no entry for key{name}"),
            Self::NoField { name, type_ } => {
                write!(f, "can't evaluate field{name} in type {type_}")
            }
            Self::NilData(name) => write!(f, "nil data; no entry for key{name}"),
            Self::WrongType { expected, got } => {
                write!(f, "wrong type for value; expected {expected}; got {got}")
            }
            Self::ArgumentCount { function, expected, got } => {
                write!(f, "wrong number of args for {function}: want {expected} got {got}")
            }
            Self::NotAFunction => f.write_str("can't give argument to non-function"),
            Self::NilCommand => f.write_str("nil is not a command"),
            Self::NotIterable(type_) => {
                write!(f, "range can't iterate over a value of type {type_}")
            }
            Self::Failed { function, why } => write!(f, "error calling {function}: {why}"),
            Self::Fail => f.write_str("fail"),
            Self::TooMuch(what) => write!(f, "too much: {what}"),
        }
    }
}

/// Why a rendered text is no map of strings; tells nothing of the text.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MapError {
    /// It is no YAML.
    #[error("is invalid YAML")]
    NotYaml,
    /// It is a list or a single value.
    #[error("is no map of keys to values")]
    NotAMap,
    /// One of its values is a list or a map.
    #[error("has a value that is a list or a map")]
    NotAString,
    /// It is too much of a text.
    #[error("is {0}")]
    TooMuch(Fault),
}

/// A word of the template's text; unknown where that text comes from a Secret.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Name(Option<Arc<str>>);

impl Name {
    pub(super) fn new(name: &str, origin: Origin) -> Self {
        Self((origin == Origin::Public).then(|| name.into()))
    }

    /// The word, where it is known.
    pub fn as_str(&self) -> Option<&str> {
        self.0.as_deref()
    }
}

/// The name in quotes after a space, or nothing.
impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(name) => write!(f, " {name:?}"),
            None => Ok(()),
        }
    }
}

/// Where the text of a template comes from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// A manifest or a `ConfigMap`: its names may be told.
    Public,
    /// A Secret: none of its words may be told.
    Secret,
}

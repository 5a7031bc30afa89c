//! The functions of templates: one table.
//!
//! Those of Go's `text/template`, and of ESO (sprig's, `toYaml` and `fromYaml`) those that templates of
//! credentials use. What ESO has beside them is known by name, so that it can be refused by name.
#![expect(clippy::unnecessary_wraps, reason = "all functions of the table have one shape")]

mod builtin;
mod data;
mod encoding;
mod numbers;
mod table;
mod text;

pub(super) use table::find;

use jiff::Timestamp;

use super::fault::Fault;
use super::run::Run;
use super::value::{Text, TooDeep, Value};

/// A function of templates.
#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: &'static str,
    /// What it takes.
    parameters: &'static [Parameter],
    /// What it takes any number of after those.
    variadic: Option<Parameter>,
    pub(super) kind: Kind,
}

/// How a function is run.
pub(super) enum Kind {
    /// `and` and `or`: the value that decides ends it.
    ShortCircuit {
        stops_at: bool,
    },
    Plain(fn(&mut Arguments<'_>) -> Called),
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ShortCircuit { .. } => "ShortCircuit",
            Self::Plain(_) => "Plain",
        })
    }
}

/// What a function gives.
type Called = Result<Value, Problem>;

/// Why a function gives nothing: never a word of its arguments.
pub(super) enum Problem {
    Why(&'static str),
    Fault(Fault),
}

impl From<&'static str> for Problem {
    fn from(why: &'static str) -> Self {
        Self::Why(why)
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<TooDeep> for Problem {
    fn from(_: TooDeep) -> Self {
        Self::Fault(Fault::TooMuch("a value is nested more than 100 deep"))
    }
}

/// The type of an argument.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Parameter {
    Any,
    Text,
    Int,
    Bool,
    Map,
    Time,
}

impl Parameter {
    pub(super) fn type_name(self) -> &'static str {
        match self {
            Self::Any => "interface {}",
            Self::Text => "string",
            Self::Int => "int",
            Self::Bool => "bool",
            Self::Map => "map[string]interface {}",
            Self::Time => "time.Time",
        }
    }

    /// Lets a value through that is of this type.
    pub(super) fn check(self, value: Value) -> Result<Value, Fault> {
        let fits = matches!(
            (self, &value),
            (Self::Any, _)
                | (Self::Text, Value::Text(_))
                | (Self::Int, Value::Int(_))
                | (Self::Bool, Value::Bool(_))
                | (Self::Map, Value::Map(_) | Value::Nil)
                | (Self::Time, Value::Time(_))
        );
        if fits {
            Ok(value)
        } else {
            Err(Fault::WrongType { expected: self.type_name(), got: value.type_name() })
        }
    }
}

/// What a function is called with.
pub(super) struct Arguments<'r> {
    pub(super) values: Vec<Value>,
    pub(super) run: &'r mut Run,
    /// When this is rendered.
    pub(super) now: Timestamp,
}

impl Arguments<'_> {
    fn value(&self, index: usize) -> &Value {
        self.values.get(index).unwrap_or(&Value::Nil)
    }

    /// All from there on.
    fn rest(&self, index: usize) -> &[Value] {
        self.values.get(index..).unwrap_or_default()
    }

    fn text(&self, index: usize) -> Result<Text, Problem> {
        match self.value(index) {
            Value::Text(text) => Ok(text.clone()),
            other => Err(wrong("string", other)),
        }
    }

    fn int(&self, index: usize) -> Result<i64, Problem> {
        match self.value(index) {
            Value::Int(integer) => Ok(*integer),
            other => Err(wrong("int", other)),
        }
    }

    fn bool(&self, index: usize) -> Result<bool, Problem> {
        match self.value(index) {
            Value::Bool(flag) => Ok(*flag),
            other => Err(wrong("bool", other)),
        }
    }
}

fn wrong(expected: &'static str, got: &Value) -> Problem {
    Problem::Fault(Fault::WrongType { expected, got: got.type_name() })
}

impl Function {
    const fn new(
        name: &'static str,
        parameters: &'static [Parameter],
        run: fn(&mut Arguments<'_>) -> Called,
    ) -> Self {
        Self { name, parameters, variadic: None, kind: Kind::Plain(run) }
    }

    const fn and_more(mut self, parameter: Parameter) -> Self {
        self.variadic = Some(parameter);
        self
    }

    /// The type of the argument there.
    pub(super) fn parameter(&self, index: usize) -> Parameter {
        let fixed = self.parameters.get(index).copied();
        fixed.or(self.variadic).unwrap_or(Parameter::Any)
    }

    pub(super) fn check_count(&self, got: usize) -> Result<(), Fault> {
        let expected = self.parameters.len();
        let fits = got == expected || (self.variadic.is_some() && got > expected);
        if fits { Ok(()) } else { Err(Fault::ArgumentCount { function: self.name, expected, got }) }
    }

    pub(super) fn call(&self, arguments: &mut Arguments<'_>) -> Result<Value, Fault> {
        let Kind::Plain(run) = self.kind else { return Ok(Value::Nil) };
        run(arguments).map_err(|problem| match problem {
            Problem::Why(why) => Fault::Failed { function: self.name, why },
            Problem::Fault(fault) => fault,
        })
    }
}

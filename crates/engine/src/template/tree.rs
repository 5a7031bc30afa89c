//! A parsed template.

use std::collections::BTreeMap;

use super::functions::Function;
use super::value::Text;

/// The templates of one text, by name; the text itself has the empty name.
#[derive(Debug)]
pub(super) struct Tree {
    pub(super) root: Vec<Node>,
    pub(super) defined: BTreeMap<String, Vec<Node>>,
}

#[derive(Debug)]
pub(super) enum Node {
    Text(Text),
    Action(Pipeline),
    If(Branch),
    With(Branch),
    Range(Branch),
    Template { position: usize, name: String, pipeline: Option<Pipeline> },
    Break,
    Continue,
}

#[derive(Debug)]
pub(super) struct Branch {
    pub(super) pipeline: Pipeline,
    pub(super) body: Vec<Node>,
    pub(super) otherwise: Vec<Node>,
}

#[derive(Debug)]
pub(super) struct Pipeline {
    pub(super) position: usize,
    /// Variables that take its value.
    pub(super) variables: Vec<String>,
    /// Whether they were declared before.
    pub(super) assigns: bool,
    pub(super) commands: Vec<Command>,
}

#[derive(Debug)]
pub(super) struct Command {
    pub(super) position: usize,
    pub(super) first: Operand,
    pub(super) arguments: Vec<Operand>,
}

#[derive(Debug)]
pub(super) struct Operand {
    pub(super) position: usize,
    pub(super) term: Term,
}

#[derive(Debug)]
pub(super) enum Term {
    Dot,
    Nil,
    Bool(bool),
    Number(Number),
    Text(Text),
    Function(&'static Function),
    /// `.a.b`
    Field(Vec<String>),
    /// `$x.a.b`
    Variable(String, Vec<String>),
    Pipeline(Box<Pipeline>),
    /// `(…).a.b`
    Chain(Box<Operand>, Vec<String>),
}

/// A constant, which takes the type that is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Number {
    pub(super) integer: Option<i64>,
    pub(super) float: f64,
    /// Whether it is written as a fraction or with an exponent.
    pub(super) is_float: bool,
}

//! Runs a tree over its data, as Go's `text/template` does with `missingkey=error`.

mod range;

use jiff::Timestamp;
use zeroize::Zeroizing;

use super::fault::{Fault, Name, Origin, TemplateError};
use super::format::print;
use super::functions::{Arguments, Function, Kind, Parameter};
use super::parser::MAX_DEPTH;
use super::run::{Run, grow};
use super::tree::{Branch, Command, Node, Number, Operand, Pipeline, Term, Tree};
use super::value::{NotAMap, Text, Value};

/// Renders a tree; `data` is what its dot stands for.
pub(super) fn render<'t>(
    text: &str,
    origin: Origin,
    tree: &'t Tree,
    data: &Value,
    now: Timestamp,
    run: &'t mut Run,
) -> Result<Zeroizing<Vec<u8>>, TemplateError> {
    let mut evaluation = Evaluation {
        tree,
        origin,
        now,
        run,
        out: Zeroizing::new(Vec::new()),
        variables: vec![("$", data.clone())],
        position: 0,
        depth: 0,
    };
    match evaluation.walk(data, &tree.root) {
        Ok(_) => Ok(evaluation.out),
        Err(fault) => Err(TemplateError::at(text, evaluation.position, fault)),
    }
}

type Evaluated<T> = Result<T, Fault>;

struct Evaluation<'t> {
    tree: &'t Tree,
    origin: Origin,
    now: Timestamp,
    run: &'t mut Run,
    out: Zeroizing<Vec<u8>>,
    /// The variables that are in reach, the newest last.
    variables: Vec<(&'t str, Value)>,
    /// Where it is, for errors.
    position: usize,
    depth: usize,
}

/// How a list of nodes ended.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Flow {
    On,
    Break,
    Continue,
}

impl<'t> Evaluation<'t> {
    fn name(&self, name: &str) -> Name {
        Name::new(name, self.origin)
    }

    /// Runs `work` one level deeper.
    fn deeper<T>(&mut self, work: impl FnOnce(&mut Self) -> Evaluated<T>) -> Evaluated<T> {
        if self.depth >= MAX_DEPTH {
            return Err(Fault::TooMuch("it is nested more than 100 deep"));
        }
        self.depth += 1;
        let done = work(self);
        self.depth -= 1;
        done
    }

    fn write(&mut self, bytes: &[u8]) -> Evaluated<()> {
        self.run.spend(bytes.len())?;
        grow(&mut self.out, bytes)
    }

    fn walk(&mut self, dot: &Value, nodes: &'t [Node]) -> Evaluated<Flow> {
        for node in nodes {
            self.run.step()?;
            let flow = self.node(dot, node)?;
            if flow != Flow::On {
                return Ok(flow);
            }
        }
        Ok(Flow::On)
    }

    fn node(&mut self, dot: &Value, node: &'t Node) -> Evaluated<Flow> {
        match node {
            Node::Text(text) => self.write(text.as_bytes())?,
            Node::Action(pipeline) => {
                let value = self.pipeline(dot, pipeline)?;
                if pipeline.variables.is_empty() {
                    self.position = pipeline.position;
                    self.print(&value)?;
                }
            }
            Node::If(branch) => return self.branch(dot, branch, false),
            Node::With(branch) => return self.branch(dot, branch, true),
            Node::Range(branch) => return self.range(dot, branch),
            Node::Template { position, name, pipeline } => {
                self.position = *position;
                self.template(dot, name, pipeline.as_ref())?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::On)
    }

    fn print(&mut self, value: &Value) -> Evaluated<()> {
        match value {
            Value::Nil => self.write(b"<no value>"),
            Value::Text(text) => self.write(text.as_bytes()),
            value => {
                let mut buffer = self.run.buffer();
                print(&mut buffer, value)?;
                let bytes = buffer.finish();
                self.write(&bytes)
            }
        }
    }

    fn branch(&mut self, dot: &Value, branch: &'t Branch, is_with: bool) -> Evaluated<Flow> {
        self.deeper(|eval| {
            let declared = eval.variables.len();
            let value = eval.pipeline(dot, &branch.pipeline)?;
            let flow = match (value.is_true(), is_with) {
                (true, true) => eval.walk(&value, &branch.body),
                (true, false) => eval.walk(dot, &branch.body),
                (false, _) => eval.walk(dot, &branch.otherwise),
            };
            eval.variables.truncate(declared);
            flow
        })
    }

    fn range(&mut self, dot: &Value, branch: &'t Branch) -> Evaluated<Flow> {
        self.deeper(|eval| {
            eval.position = branch.pipeline.position;
            let declared = eval.variables.len();
            let over = eval.pipeline(dot, &branch.pipeline)?;
            let flow = eval.each(&over, branch)?;
            let flow = match flow {
                Some(flow) => flow,
                None => eval.walk(dot, &branch.otherwise)?,
            };
            eval.variables.truncate(declared);
            Ok(flow)
        })
    }

    fn assign(&mut self, name: &'t str, value: Value) -> Evaluated<()> {
        self.run.spend(self.variables.len())?;
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => Err(Fault::UndefinedVariable(self.name(name))),
        }
    }

    fn template(
        &mut self,
        dot: &Value,
        name: &'t str,
        pipeline: Option<&'t Pipeline>,
    ) -> Evaluated<()> {
        let Some(nodes) = self.tree.defined.get(name) else {
            return Err(Fault::UndefinedTemplate(self.name(name)));
        };
        let inner = match pipeline {
            Some(pipeline) => self.pipeline(dot, pipeline)?,
            None => Value::Nil,
        };
        let outer = std::mem::replace(&mut self.variables, vec![("$", inner.clone())]);
        self.deeper(|eval| eval.walk(&inner, nodes))?;
        self.variables = outer;
        Ok(())
    }

    fn pipeline(&mut self, dot: &Value, pipeline: &'t Pipeline) -> Evaluated<Value> {
        self.position = pipeline.position;
        let mut value = None;
        for command in &pipeline.commands {
            value = Some(self.command(dot, command, value)?);
        }
        let value = value.unwrap_or(Value::Nil);
        for name in &pipeline.variables {
            if pipeline.assigns {
                self.assign(name, value.clone())?;
            } else {
                self.run.step()?;
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    fn command(
        &mut self,
        dot: &Value,
        command: &'t Command,
        last: Option<Value>,
    ) -> Evaluated<Value> {
        self.run.step()?;
        let Operand { position, term } = &command.first;
        self.position = *position;
        let has_arguments = !command.arguments.is_empty() || last.is_some();
        match term {
            Term::Function(function) => {
                self.call(dot, function, command.position, &command.arguments, last)
            }
            _ if has_arguments => Err(Fault::NotAFunction),
            Term::Nil => Err(Fault::NilCommand),
            _ => self.operand(dot, &command.first, Parameter::Any),
        }
    }

    /// The value of an operand, checked against what is expected there.
    fn operand(
        &mut self,
        dot: &Value,
        operand: &'t Operand,
        expected: Parameter,
    ) -> Evaluated<Value> {
        self.position = operand.position;
        let value = match &operand.term {
            Term::Dot => dot.clone(),
            Term::Nil => Value::Nil,
            Term::Bool(value) => Value::Bool(*value),
            Term::Text(text) => Value::Text(text.clone()),
            Term::Number(number) => return constant(*number, expected),
            Term::Field(names) => self.fields(dot.clone(), names)?,
            Term::Variable(name, names) => {
                self.run.spend(self.variables.len())?;
                let found = self.variables.iter().rev().find(|(known, _)| known == name);
                let Some((_, value)) = found else {
                    return Err(Fault::UndefinedVariable(self.name(name)));
                };
                let value = value.clone();
                self.fields(value, names)?
            }
            Term::Chain(inner, names) => {
                let value = self.deeper(|eval| eval.operand(dot, inner, Parameter::Any))?;
                self.fields(value, names)?
            }
            Term::Pipeline(pipeline) => self.deeper(|eval| eval.pipeline(dot, pipeline))?,
            Term::Function(function) => self.call(dot, function, operand.position, &[], None)?,
        };
        expected.check(value)
    }

    fn fields(&mut self, mut value: Value, names: &[String]) -> Evaluated<Value> {
        for name in names {
            self.run.step()?;
            value = match value.entry(name.as_bytes()) {
                Ok(Some(inner)) => inner,
                Ok(None) => return Err(Fault::MissingKey(self.name(name))),
                Err(NotAMap) if matches!(value, Value::Nil) => {
                    return Err(Fault::NilData(self.name(name)));
                }
                Err(NotAMap) => {
                    let (name, type_) = (self.name(name), value.type_name());
                    return Err(Fault::NoField { name, type_ });
                }
            };
        }
        Ok(value)
    }

    fn call(
        &mut self,
        dot: &Value,
        function: &'static Function,
        position: usize,
        operands: &'t [Operand],
        last: Option<Value>,
    ) -> Evaluated<Value> {
        let got = operands.len() + usize::from(last.is_some());
        function.check_count(got)?;
        if let Kind::ShortCircuit { stops_at } = function.kind {
            return self.short_circuit(dot, stops_at, operands, last);
        }
        let mut values = Vec::with_capacity(got);
        for (index, operand) in operands.iter().enumerate() {
            values.push(self.operand(dot, operand, function.parameter(index))?);
        }
        if let Some(last) = last {
            values.push(function.parameter(operands.len()).check(last)?);
        }
        // Most functions go over what they are given, whatever they make of it.
        for value in &values {
            if let Value::Text(text) = value {
                self.run.spend(4 * text.as_bytes().len())?;
            }
        }
        let mut arguments = Arguments { values, run: self.run, now: self.now };
        match function.call(&mut arguments) {
            Ok(value) => Ok(value),
            Err(fault) => {
                self.position = position;
                Err(fault)
            }
        }
    }

    /// `and` and `or`: what comes after the deciding value is not looked at.
    fn short_circuit(
        &mut self,
        dot: &Value,
        stops_at: bool,
        operands: &'t [Operand],
        last: Option<Value>,
    ) -> Evaluated<Value> {
        let mut value = Value::Nil;
        for operand in operands {
            value = self.operand(dot, operand, Parameter::Any)?;
            if value.is_true() == stops_at {
                return Ok(value);
            }
        }
        Ok(last.unwrap_or(value))
    }
}

/// A constant as the type that is asked for; where any will do, as it is written.
fn constant(number: Number, expected: Parameter) -> Evaluated<Value> {
    match (expected, number.integer) {
        (Parameter::Any, _) if number.is_float => Ok(Value::Float(number.float)),
        (Parameter::Int | Parameter::Any, Some(integer)) => Ok(Value::Int(integer)),
        (Parameter::Any, None) => Err(Fault::Number("a number overflows int")),
        (expected, _) => Err(Fault::WrongType { expected: expected.type_name(), got: "a number" }),
    }
}

/// The data of a template: strings by their keys.
pub(super) fn data<'a>(entries: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Value {
    Value::text_map(entries.into_iter().map(|(key, value)| (Text::from(key), Text::from(value))))
}

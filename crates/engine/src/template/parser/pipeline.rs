//! Pipelines: declarations, commands and their operands.

use super::{Parsed, Parser};
use crate::template::fault::Fault;
use crate::template::lexer::{Kind, Token};
use crate::template::tree::{Command, Number, Operand, Pipeline, Term};
use crate::template::value::Text;
use crate::template::{functions, literals};

impl<'a> Parser<'a> {
    pub(super) fn pipeline(&mut self, context: &'static str, end: Kind) -> Parsed<Pipeline> {
        let position = self.peek_word()?.position;
        let (variables, assigns) = self.declarations(context)?;
        let mut commands: Vec<Command> = Vec::new();
        loop {
            let token = self.next_word()?;
            if token.kind == end {
                break;
            }
            self.put_back(token);
            if !begins_operand(token.kind) {
                return Err(self.syntax(token.position, "unexpected token in command"));
            }
            let command = self.command()?;
            let first = &command.first.term;
            if !commands.is_empty() && !is_executable(first) {
                let problem = "non executable command in pipeline";
                return Err(self.syntax(command.position, problem));
            }
            commands.push(command);
        }
        if commands.is_empty() {
            return Err(self.syntax(position, "missing value"));
        }
        Ok(Pipeline { position, variables, assigns, commands })
    }

    /// `$x :=`, `$x =` and in a range `$k, $v :=`.
    fn declarations(&mut self, context: &'static str) -> Parsed<(Vec<String>, bool)> {
        let mut declared = Vec::new();
        loop {
            let first = self.next_word()?;
            if first.kind != Kind::Variable {
                self.put_back(first);
                return Ok((declared, false));
            }
            let after = self.next()?;
            let next = if after.kind == Kind::Space { self.next_word()? } else { after };
            match next.kind {
                Kind::Assign | Kind::Declare => {
                    declared.push(first.text.to_owned());
                    self.variables.push(first.text);
                    return Ok((declared, next.kind == Kind::Assign));
                }
                Kind::Comma if context == "range" && declared.is_empty() => {
                    declared.push(first.text.to_owned());
                    self.variables.push(first.text);
                    let second = self.peek_word()?;
                    if !matches!(second.kind, Kind::Variable | Kind::RightDelimiter) {
                        let problem = "range can only initialize variables";
                        return Err(self.syntax(second.position, problem));
                    }
                }
                Kind::Comma => {
                    return Err(self.syntax(next.position, "too many declarations"));
                }
                _ => {
                    self.put_back(next);
                    if after.kind == Kind::Space {
                        self.put_back(after);
                    }
                    self.put_back(first);
                    return Ok((declared, false));
                }
            }
        }
    }

    fn command(&mut self) -> Parsed<Command> {
        let position = self.peek_word()?.position;
        let mut operands = Vec::new();
        loop {
            operands.extend(self.operand()?);
            let token = self.next()?;
            match token.kind {
                Kind::Space => {}
                Kind::RightDelimiter | Kind::RightParen => {
                    self.put_back(token);
                    break;
                }
                Kind::Pipe => break,
                _ => return Err(self.syntax(token.position, "unexpected token in operand")),
            }
        }
        let mut operands = operands.into_iter();
        let first = operands.next().ok_or_else(|| self.syntax(position, "empty command"))?;
        Ok(Command { position, first, arguments: operands.collect() })
    }

    /// A term and the fields that are taken of it; nothing where no term begins.
    fn operand(&mut self) -> Parsed<Option<Operand>> {
        let Some(mut operand) = self.term()? else { return Ok(None) };
        let mut fields = Vec::new();
        let mut position = operand.position;
        loop {
            let token = self.next()?;
            if token.kind != Kind::Field {
                self.put_back(token);
                break;
            }
            if fields.is_empty() {
                position = token.position;
            }
            fields.push(field_name(token.text));
        }
        if fields.is_empty() {
            return Ok(Some(operand));
        }
        match &mut operand.term {
            Term::Field(names) | Term::Variable(_, names) => names.append(&mut fields),
            Term::Function(_) | Term::Pipeline(_) => {
                let term = Term::Chain(Box::new(operand), fields);
                return Ok(Some(Operand { position, term }));
            }
            _ => return Err(self.syntax(position, "unexpected . after a constant")),
        }
        Ok(Some(Operand { position, ..operand }))
    }

    fn term(&mut self) -> Parsed<Option<Operand>> {
        let token = self.next_word()?;
        let position = token.position;
        let term = match token.kind {
            Kind::Identifier => Term::Function(self.function(token)?),
            Kind::Dot => Term::Dot,
            Kind::Nil => Term::Nil,
            Kind::Bool => Term::Bool(token.text == "true"),
            Kind::Field => Term::Field(vec![field_name(token.text)]),
            Kind::Variable if self.variables.contains(&token.text) => {
                Term::Variable(token.text.to_owned(), Vec::new())
            }
            Kind::Variable => {
                let name = self.name(token.text);
                return Err(self.fault(position, Fault::UndefinedVariable(name)));
            }
            Kind::Number => Term::Number(self.number(literals::number(token.text), position)?),
            Kind::Character => {
                Term::Number(self.number(literals::character(token.text), position)?)
            }
            Kind::Quoted => {
                let bytes = literals::unquote(token.text);
                let bytes =
                    bytes.ok_or_else(|| self.syntax(position, "invalid syntax in string"))?;
                Term::Text(Text::from(bytes))
            }
            Kind::RawQuoted => Term::Text(Text::from(literals::unquote_raw(token.text))),
            Kind::LeftParen => {
                let inner = self.deeper(position, |parser| {
                    parser.pipeline("parenthesized pipeline", Kind::RightParen)
                })?;
                Term::Pipeline(Box::new(inner))
            }
            _ => {
                self.put_back(token);
                return Ok(None);
            }
        };
        Ok(Some(Operand { position, term }))
    }

    fn function(&self, token: Token<'a>) -> Parsed<&'static functions::Function> {
        functions::find(token.text).map_err(|unsupported| {
            let fault = match unsupported {
                Some(known) => Fault::UnsupportedFunction(known),
                None => Fault::UndefinedFunction(self.name(token.text)),
            };
            self.fault(token.position, fault)
        })
    }

    fn number(&self, number: Option<Number>, position: usize) -> Parsed<Number> {
        number.ok_or_else(|| self.syntax(position, "illegal number syntax"))
    }
}

fn field_name(text: &str) -> String {
    text.trim_start_matches('.').to_owned()
}

fn begins_operand(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Bool
            | Kind::Character
            | Kind::Dot
            | Kind::Field
            | Kind::Identifier
            | Kind::Number
            | Kind::Nil
            | Kind::RawQuoted
            | Kind::Quoted
            | Kind::Variable
            | Kind::LeftParen
    )
}

fn is_executable(term: &Term) -> bool {
    !matches!(term, Term::Bool(_) | Term::Dot | Term::Nil | Term::Number(_) | Term::Text(_))
}

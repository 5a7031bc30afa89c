//! From tokens to a tree, by the grammar of Go's `text/template/parse`.

mod pipeline;

use std::collections::BTreeMap;

use super::fault::{Fault, Name, Origin, TemplateError};
use super::lexer::{Kind, Lexer, Token};
use super::literals;
use super::tree::{Branch, Node, Tree};
use super::value::Text;

/// Parses a whole text.
pub(super) fn parse(text: &str, origin: Origin) -> Result<Tree, TemplateError> {
    let mut parser = Parser {
        text,
        origin,
        lexer: Lexer::new(text),
        waiting: Vec::new(),
        variables: vec!["$"],
        ranges: 0,
        depth: 0,
        defined: BTreeMap::new(),
    };
    let root = parser.top()?;
    Ok(Tree { root, defined: parser.defined })
}

type Parsed<T> = Result<T, TemplateError>;

struct Parser<'a> {
    text: &'a str,
    origin: Origin,
    lexer: Lexer<'a>,
    /// Tokens that were put back, the next one last.
    waiting: Vec<Token<'a>>,
    /// The names that are declared here.
    variables: Vec<&'a str>,
    /// How many ranges this place is in.
    ranges: usize,
    depth: usize,
    defined: BTreeMap<String, Vec<Node>>,
}

/// How a list of nodes ended.
enum Ending {
    End,
    Else,
    Text,
}

impl<'a> Parser<'a> {
    fn next(&mut self) -> Parsed<Token<'a>> {
        if let Some(token) = self.waiting.pop() {
            return Ok(token);
        }
        self.lexer.next().map_err(|(position, problem)| self.syntax(position, problem))
    }

    fn next_word(&mut self) -> Parsed<Token<'a>> {
        loop {
            let token = self.next()?;
            if token.kind != Kind::Space {
                return Ok(token);
            }
        }
    }

    fn put_back(&mut self, token: Token<'a>) {
        self.waiting.push(token);
    }

    fn peek_word(&mut self) -> Parsed<Token<'a>> {
        let token = self.next_word()?;
        self.put_back(token);
        Ok(token)
    }

    fn fault(&self, position: usize, fault: Fault) -> TemplateError {
        TemplateError::at(self.text, position, fault)
    }

    fn syntax(&self, position: usize, problem: &'static str) -> TemplateError {
        self.fault(position, Fault::Syntax(problem))
    }

    fn name(&self, name: &str) -> Name {
        Name::new(name, self.origin)
    }

    /// Runs `parse` one level deeper.
    fn deeper<T>(&mut self, at: usize, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_DEPTH {
            return Err(self.fault(at, Fault::TooMuch("it is nested more than 100 deep")));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    fn top(&mut self) -> Parsed<Vec<Node>> {
        let (nodes, ending) = self.list(true)?;
        match ending {
            Ending::Text => Ok(nodes),
            Ending::End => Err(self.unexpected("unexpected {{end}}")),
            Ending::Else => Err(self.unexpected("unexpected {{else}}")),
        }
    }

    fn unexpected(&mut self, problem: &'static str) -> TemplateError {
        match self.next_word() {
            Ok(token) => self.syntax(token.position, problem),
            Err(error) => error,
        }
    }

    /// Nodes up to an `end`, an `else` or the end of the text.
    fn list(&mut self, is_top: bool) -> Parsed<(Vec<Node>, Ending)> {
        let mut nodes = Vec::new();
        loop {
            let token = self.next_word()?;
            match token.kind {
                Kind::End if is_top => return Ok((nodes, Ending::Text)),
                Kind::End => return Err(self.syntax(token.position, "unexpected EOF")),
                Kind::Text => nodes.push(Node::Text(Text::from(token.text))),
                Kind::LeftDelimiter => {
                    let word = self.next_word()?;
                    match (word.kind, word.text) {
                        (Kind::Keyword, "define") if is_top => self.definition()?,
                        (Kind::Keyword, "end") => {
                            self.expect(Kind::RightDelimiter, "unexpected token in end")?;
                            return Ok((nodes, Ending::End));
                        }
                        (Kind::Keyword, "else") => {
                            self.after_else()?;
                            return Ok((nodes, Ending::Else));
                        }
                        _ => nodes.push(self.action(word)?),
                    }
                }
                _ => return Err(self.syntax(token.position, "unexpected token in input")),
            }
        }
    }

    /// `else` ends here, or goes on with `if` or `with`.
    fn after_else(&mut self) -> Parsed<()> {
        let next = self.next_word()?;
        match (next.kind, next.text) {
            (Kind::RightDelimiter, _) => Ok(()),
            (Kind::Keyword, "if" | "with") => {
                self.put_back(next);
                Ok(())
            }
            _ => Err(self.syntax(next.position, "unexpected token in else")),
        }
    }

    fn expect(&mut self, kind: Kind, problem: &'static str) -> Parsed<Token<'a>> {
        let token = self.next_word()?;
        if token.kind == kind { Ok(token) } else { Err(self.syntax(token.position, problem)) }
    }

    fn action(&mut self, word: Token<'a>) -> Parsed<Node> {
        let is_keyword = word.kind == Kind::Keyword;
        match word.text {
            "if" if is_keyword => Ok(Node::If(self.control(word.position, "if")?)),
            "with" if is_keyword => Ok(Node::With(self.control(word.position, "with")?)),
            "range" if is_keyword => Ok(Node::Range(self.control(word.position, "range")?)),
            "template" if is_keyword => self.template(),
            "block" if is_keyword => self.block(),
            "break" | "continue" if is_keyword => {
                let is_break = word.text == "break";
                self.expect(Kind::RightDelimiter, "unexpected token after break or continue")?;
                if self.ranges == 0 {
                    return Err(self.syntax(word.position, "break or continue outside of range"));
                }
                Ok(if is_break { Node::Break } else { Node::Continue })
            }
            _ if is_keyword => Err(self.syntax(word.position, "unexpected keyword in command")),
            _ => {
                self.put_back(word);
                Ok(Node::Action(self.pipeline("command", Kind::RightDelimiter)?))
            }
        }
    }

    fn control(&mut self, position: usize, word: &'static str) -> Parsed<Branch> {
        self.deeper(position, |parser| {
            let (declared, ranges) = (parser.variables.len(), parser.ranges);
            let pipeline = parser.pipeline(word, Kind::RightDelimiter)?;
            parser.ranges += usize::from(word == "range");
            let (body, ending) = parser.list(false)?;
            parser.ranges = ranges;
            let otherwise = match ending {
                Ending::Else => parser.otherwise(word)?,
                Ending::End | Ending::Text => Vec::new(),
            };
            parser.variables.truncate(declared);
            Ok(Branch { pipeline, body, otherwise })
        })
    }

    /// What follows an `else`: `else if` and `else with` share the `end` of the first.
    fn otherwise(&mut self, word: &'static str) -> Parsed<Vec<Node>> {
        let next = self.peek_word()?;
        if next.kind == Kind::Keyword {
            if next.text != word {
                return Err(self.syntax(next.position, "unexpected keyword in input"));
            }
            self.next_word()?;
            return Ok(vec![self.action(next)?]);
        }
        let (nodes, ending) = self.list(false)?;
        match ending {
            Ending::Else => Err(self.unexpected("expected end; found {{else}}")),
            Ending::End | Ending::Text => Ok(nodes),
        }
    }

    fn quoted_name(&mut self, problem: &'static str) -> Parsed<(usize, String)> {
        let token = self.next_word()?;
        let bytes = match token.kind {
            Kind::Quoted => literals::unquote(token.text),
            Kind::RawQuoted => Some(literals::unquote_raw(token.text)),
            _ => None,
        };
        let name = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok((token.position, name.ok_or_else(|| self.syntax(token.position, problem))?))
    }

    fn definition(&mut self) -> Parsed<()> {
        let (position, name) = self.quoted_name("unexpected token in define clause")?;
        self.expect(Kind::RightDelimiter, "unexpected token in define clause")?;
        self.define(position, name)
    }

    fn define(&mut self, position: usize, name: String) -> Parsed<()> {
        let (variables, ranges) = (std::mem::replace(&mut self.variables, vec!["$"]), self.ranges);
        self.ranges = 0;
        let (body, ending) = self.deeper(position, |parser| parser.list(false))?;
        (self.variables, self.ranges) = (variables, ranges);
        if matches!(ending, Ending::Else) {
            return Err(self.unexpected("unexpected {{else}} in define clause"));
        }
        let is_free = self.defined.get(&name).is_none_or(|known| is_blank(known));
        if is_free {
            self.defined.insert(name, body);
        } else if !is_blank(&body) {
            return Err(self.syntax(position, "multiple definition of a template"));
        }
        Ok(())
    }

    fn template(&mut self) -> Parsed<Node> {
        let (position, name) = self.quoted_name("unexpected token in template clause")?;
        let next = self.next_word()?;
        let pipeline = if next.kind == Kind::RightDelimiter {
            None
        } else {
            self.put_back(next);
            Some(self.pipeline("template clause", Kind::RightDelimiter)?)
        };
        Ok(Node::Template { position, name, pipeline })
    }

    fn block(&mut self) -> Parsed<Node> {
        let (position, name) = self.quoted_name("unexpected token in block clause")?;
        let pipeline = Some(self.pipeline("block clause", Kind::RightDelimiter)?);
        self.define(position, name.clone())?;
        Ok(Node::Template { position, name, pipeline })
    }
}

/// Whether a definition holds nothing but white space: another may then take its place.
fn is_blank(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| match node {
        Node::Text(text) => text.as_bytes().trim_ascii().is_empty(),
        _ => false,
    })
}

/// How deep parentheses and blocks may stand in each other.
pub(super) const MAX_DEPTH: usize = 100;

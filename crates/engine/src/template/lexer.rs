//! Cuts a template's text into tokens, as Go's `text/template/parse` does.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// What a token is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Kind {
    Text,
    LeftDelimiter,
    RightDelimiter,
    Space,
    Identifier,
    Keyword,
    Field,
    Variable,
    Dot,
    Nil,
    Bool,
    Number,
    Character,
    Quoted,
    RawQuoted,
    LeftParen,
    RightParen,
    Pipe,
    Assign,
    Declare,
    Comma,
    /// A character that begins nothing.
    Other,
    End,
}

/// A piece of the text; white space is trimmed off texts already.
#[derive(Clone, Copy, Debug)]
pub(super) struct Token<'a> {
    pub(super) kind: Kind,
    pub(super) position: usize,
    pub(super) text: &'a str,
}

/// What is wrong, and where.
pub(super) type LexError = (usize, &'static str);

/// Gives one token after the other.
pub(super) struct Lexer<'a> {
    text: &'a str,
    position: usize,
    is_inside: bool,
    parens: usize,
}

impl<'a> Lexer<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, position: 0, is_inside: false, parens: 0 }
    }

    pub(super) fn next(&mut self) -> Result<Token<'a>, LexError> {
        if self.is_inside { self.inside() } else { self.outside() }
    }

    fn rest(&self) -> &'a str {
        self.text.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        Some(c)
    }

    fn take_while(&mut self, is_part: impl Fn(char) -> bool) {
        while self.peek().is_some_and(&is_part) {
            self.advance();
        }
    }

    fn token(&self, kind: Kind, start: usize) -> Token<'a> {
        let text = self.text.get(start..self.position).unwrap_or_default();
        Token { kind, position: start, text }
    }

    /// Text up to the next action; comments are passed over.
    fn outside(&mut self) -> Result<Token<'a>, LexError> {
        loop {
            let start = self.position;
            let Some(length) = self.rest().find(LEFT) else {
                self.position = self.text.len();
                let kind = if start < self.position { Kind::Text } else { Kind::End };
                return Ok(self.token(kind, start));
            };
            self.position += length;
            let after = self.rest().get(LEFT.len()..).unwrap_or_default();
            let trims = has_left_trim(after);
            if length > 0 {
                let mut text = self.token(Kind::Text, start);
                if trims {
                    text.text = text.text.trim_end_matches(SPACES);
                }
                if !text.text.is_empty() {
                    return Ok(text);
                }
            }
            let start = self.position;
            let marker = if trims { TRIM_LENGTH } else { 0 };
            self.position += LEFT.len() + marker;
            if self.rest().starts_with("/*") {
                self.comment()?;
                continue;
            }
            self.is_inside = true;
            self.parens = 0;
            return Ok(Token { kind: Kind::LeftDelimiter, position: start, text: LEFT });
        }
    }

    fn comment(&mut self) -> Result<(), LexError> {
        let start = self.position;
        let length = self.rest().find("*/").ok_or((start, "unclosed comment"))?;
        self.position += length + 2;
        let trims =
            self.trimming_right().ok_or((start, "comment ends before closing delimiter"))?;
        self.close(trims);
        Ok(())
    }

    /// Whether a right delimiter comes now, and whether it trims what follows.
    fn trimming_right(&self) -> Option<bool> {
        let rest = self.rest();
        let trimmed = rest.get(..TRIM_LENGTH).filter(|marker| is_right_trim(marker));
        if trimmed.is_some() && rest.get(TRIM_LENGTH..).is_some_and(|rest| rest.starts_with(RIGHT))
        {
            return Some(true);
        }
        rest.starts_with(RIGHT).then_some(false)
    }

    fn close(&mut self, trims: bool) {
        self.position += RIGHT.len() + if trims { TRIM_LENGTH } else { 0 };
        if trims {
            self.position = self.text.len() - self.rest().trim_start_matches(SPACES).len();
        }
    }

    fn right_delimiter(&mut self, trims: bool) -> Token<'a> {
        let position = self.position + if trims { TRIM_LENGTH } else { 0 };
        self.close(trims);
        self.is_inside = false;
        Token { kind: Kind::RightDelimiter, position, text: RIGHT }
    }

    fn inside(&mut self) -> Result<Token<'a>, LexError> {
        let start = self.position;
        if let Some(trims) = self.trimming_right() {
            if self.parens > 0 {
                return Err((start, "unclosed left paren"));
            }
            return Ok(self.right_delimiter(trims));
        }
        let Some(c) = self.advance() else { return Err((start, "unclosed action")) };
        let kind = match c {
            c if is_space(c) => return Ok(self.space(start)),
            '=' => Kind::Assign,
            ':' => {
                if self.advance() != Some('=') {
                    return Err((start, "expected :="));
                }
                Kind::Declare
            }
            '|' => Kind::Pipe,
            '"' => {
                self.quoted('"').ok_or((start, "unterminated quoted string"))?;
                Kind::Quoted
            }
            '`' => {
                let length =
                    self.rest().find('`').ok_or((start, "unterminated raw quoted string"))?;
                self.position += length + 1;
                Kind::RawQuoted
            }
            '\'' => {
                self.quoted('\'').ok_or((start, "unterminated character constant"))?;
                Kind::Character
            }
            '$' => return self.word(start, Kind::Variable),
            '.' if !self.peek().is_some_and(|c| c.is_ascii_digit()) => {
                return self.word(start, Kind::Field);
            }
            '.' | '+' | '-' | '0'..='9' => {
                self.position = start;
                return self.number();
            }
            c if is_alphanumeric(c) => return self.identifier(start),
            '(' => {
                self.parens += 1;
                Kind::LeftParen
            }
            ')' => {
                self.parens =
                    self.parens.checked_sub(1).ok_or((start, "unexpected right paren"))?;
                Kind::RightParen
            }
            ',' => Kind::Comma,
            ' '..='~' => Kind::Other,
            _ => return Err((start, "unrecognized character in action")),
        };
        Ok(self.token(kind, start))
    }

    /// A run of spaces; the last of them may belong to a delimiter that trims.
    fn space(&mut self, start: usize) -> Token<'a> {
        self.take_while(is_space);
        self.position -= 1;
        if self.trimming_right() == Some(true) {
            if self.position == start {
                return self.right_delimiter(true);
            }
        } else {
            self.position += 1;
        }
        self.token(Kind::Space, start)
    }

    /// The rest of a string up to its quote.
    fn quoted(&mut self, quote: char) -> Option<()> {
        loop {
            match self.advance()? {
                '\n' => return None,
                '\\' => {
                    self.advance().filter(|c| *c != '\n')?;
                }
                c if c == quote => return Some(()),
                _ => {}
            }
        }
    }

    /// `.field` or `$variable`, whose first character is passed.
    fn word(&mut self, start: usize, kind: Kind) -> Result<Token<'a>, LexError> {
        if self.is_at_terminator() {
            let alone = if kind == Kind::Variable { Kind::Variable } else { Kind::Dot };
            return Ok(self.token(alone, start));
        }
        self.take_while(is_alphanumeric);
        if !self.is_at_terminator() {
            return Err((start, "bad character"));
        }
        Ok(self.token(kind, start))
    }

    fn identifier(&mut self, start: usize) -> Result<Token<'a>, LexError> {
        self.take_while(is_alphanumeric);
        if !self.is_at_terminator() {
            return Err((start, "bad character"));
        }
        let token = self.token(Kind::Identifier, start);
        let kind = match token.text {
            "nil" => Kind::Nil,
            "true" | "false" => Kind::Bool,
            word if KEYWORDS.contains(&word) => Kind::Keyword,
            _ => Kind::Identifier,
        };
        Ok(Token { kind, ..token })
    }

    fn is_at_terminator(&self) -> bool {
        match self.peek() {
            None | Some('.' | ',' | '|' | ':' | ')' | '(') => true,
            Some(c) => is_space(c) || self.rest().starts_with(RIGHT),
        }
    }

    /// Whatever looks like a number; the parser decides whether it is one.
    fn number(&mut self) -> Result<Token<'a>, LexError> {
        let start = self.position;
        if self.peek().is_some_and(|c| matches!(c, '+' | '-')) {
            self.advance();
        }
        let base = self.rest().get(..2).unwrap_or_default();
        let digits: fn(char) -> bool = match base {
            "0x" | "0X" => |c| c.is_ascii_hexdigit() || c == '_',
            _ => |c| c.is_ascii_digit() || c == '_',
        };
        if matches!(base, "0x" | "0X" | "0o" | "0O" | "0b" | "0B") {
            self.position += 2;
        }
        self.take_while(digits);
        if self.peek() == Some('.') {
            self.advance();
            self.take_while(digits);
        }
        let exponent = if base.ends_with(['x', 'X']) { ['p', 'P'] } else { ['e', 'E'] };
        if self.peek().is_some_and(|c| exponent.contains(&c)) {
            self.advance();
            if self.peek().is_some_and(|c| matches!(c, '+' | '-')) {
                self.advance();
            }
            self.take_while(|c| c.is_ascii_digit() || c == '_');
        }
        let ends = self.peek().is_none_or(|c| !is_alphanumeric(c) && !matches!(c, '+' | '-'));
        if !ends {
            return Err((start, "bad number syntax"));
        }
        Ok(self.token(Kind::Number, start))
    }
}

fn is_space(c: char) -> bool {
    SPACES.contains(&c)
}

fn is_alphanumeric(c: char) -> bool {
    c == '_'
        || c.general_category_group() == GeneralCategoryGroup::Letter
        || c.general_category() == GeneralCategory::DecimalNumber
}

/// Whether `-` and a space follow the left delimiter.
fn has_left_trim(after: &str) -> bool {
    after.strip_prefix('-').is_some_and(|rest| rest.starts_with(SPACES))
}

/// Whether this is a space and `-`.
fn is_right_trim(marker: &str) -> bool {
    marker.starts_with(SPACES) && marker.ends_with('-')
}

const LEFT: &str = "{{";
const RIGHT: &str = "}}";
const SPACES: [char; 4] = [' ', '\t', '\r', '\n'];
/// A trim marker and its space.
const TRIM_LENGTH: usize = 2;
const KEYWORDS: [&str; 10] =
    ["block", "break", "continue", "define", "else", "end", "if", "range", "template", "with"];

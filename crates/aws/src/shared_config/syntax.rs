//! The text of an AWS config or credentials file, line by line.
//!
//! The grammar is the one that the SDKs share; where the AWS CLI reads a line otherwise, the line
//! is read as most tools do and remarked. A line that cannot be read belongs to its group: only who
//! reads that group hears of it.
//! <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>.

use std::fmt;

use zeroize::Zeroizing;

/// Which of the two files it is: in the config file profiles have a prefix.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum FileKind {
    Config,
    Credentials,
}

/// One `[…]` of a file with its lines; a file may have it several times.
#[derive(Debug)]
pub(crate) struct Group {
    pub(crate) header: Header,
    /// The line of the header, from 1.
    pub(crate) line: usize,
    pub(crate) properties: Vec<Property>,
    /// What cannot be read, and its line.
    pub(crate) faults: Vec<(usize, &'static str)>,
    /// What can be read, though not every tool reads it so, and its line.
    pub(crate) remarks: Vec<(usize, &'static str)>,
    /// How far the last key is indented: what is indented further goes on with it.
    indent: usize,
    last_line: Option<LastLine>,
}

/// What a group is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Header {
    /// A profile; `default` may stand without the prefix.
    Profile {
        name: String,
        is_prefixed: bool,
    },
    SsoSession(String),
    Services(String),
    /// None of them, and why: another tool's, or a profile written wrong.
    Other {
        text: String,
        why: &'static str,
    },
}

/// One key of a group. Its value may be a secret, so its debug form is the key.
#[derive(Clone, Eq, PartialEq)]
pub(crate) struct Property {
    /// In lower case.
    pub(crate) key: String,
    /// Trimmed; lines that continue it follow after a line break.
    pub(crate) value: Zeroizing<String>,
    pub(crate) line: usize,
    /// The keys below it, where its own line has no value.
    pub(crate) nested: Vec<(String, Zeroizing<String>)>,
}

impl fmt::Debug for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Property")
            .field("key", &self.key)
            .field("line", &self.line)
            .finish_non_exhaustive()
    }
}

/// A line that leaves open to which group the rest belongs.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {what}")]
pub(crate) struct SyntaxError {
    pub(crate) line: usize,
    pub(crate) what: &'static str,
}

/// Reads the groups of a file in their order.
pub(crate) fn parse(text: &str, kind: FileKind) -> Result<Vec<Group>, SyntaxError> {
    let mut groups: Vec<Group> = Vec::new();
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim_end());
        let content = line.trim_start();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        let indent = line.chars().take_while(|c| c.is_whitespace()).count();
        let goes_on = groups.last().is_some_and(|group| group.goes_on_at(indent));
        if content.starts_with('[') && !goes_on {
            let mut group = Group::begin(content, number, kind)?;
            group.remark_on_indent(indent, number);
            groups.push(group);
            continue;
        }
        let Some(group) = groups.last_mut() else {
            let what = "stands before the first [profile NAME]";
            return Err(SyntaxError { line: number, what });
        };
        if goes_on {
            group.go_on(content, number);
        } else {
            group.add(content, number);
            group.remark_on_indent(indent, number);
            group.indent = indent;
        }
    }
    Ok(groups)
}

impl Group {
    fn begin(line: &str, number: usize, kind: FileKind) -> Result<Self, SyntaxError> {
        let end = line.find(']').ok_or(SyntaxError {
            line: number,
            what: "begins a profile with [ and does not end it with ]",
        })?;
        let (inside, rest) = (&line[1..end], line[end + 1..].trim_start());
        if !rest.is_empty() && !rest.starts_with(['#', ';']) {
            let what = "has text after the ] of a profile";
            return Err(SyntaxError { line: number, what });
        }
        let mut group = Self {
            header: Header::Other { text: String::new(), why: "" },
            line: number,
            properties: Vec::new(),
            faults: Vec::new(),
            remarks: Vec::new(),
            indent: 0,
            last_line: None,
        };
        group.header = group.read_header(inside.trim(), kind);
        Ok(group)
    }

    fn read_header(&mut self, inside: &str, kind: FileKind) -> Header {
        let other = |why| Header::Other { text: inside.to_owned(), why };
        let (word, rest) = match inside.split_once(char::is_whitespace) {
            Some((word, rest)) => (word, rest.trim()),
            None => (inside, ""),
        };
        match (kind, word, rest) {
            (_, "default", "") => {
                Header::Profile { name: "default".to_owned(), is_prefixed: false }
            }
            (FileKind::Config, "profile", rest) => match self.name_in(rest) {
                Some(name) => Header::Profile { name, is_prefixed: true },
                None => other("a profile's name is one word, or stands in quotes"),
            },
            (FileKind::Config, "sso-session", rest) => {
                self.name_in(rest).map_or_else(|| other("it has no name"), Header::SsoSession)
            }
            (FileKind::Config, "services", rest) => {
                self.name_in(rest).map_or_else(|| other("it has no name"), Header::Services)
            }
            (FileKind::Config, _, _) => other("in the config file a profile is [profile NAME]"),
            (FileKind::Credentials, "profile", rest) if !rest.is_empty() => {
                other("in the credentials file a profile is [NAME], without the word profile")
            }
            (FileKind::Credentials, _, _) => match self.name_in(inside) {
                Some(name) => Header::Profile { name, is_prefixed: true },
                None => other("a profile's name is one word, or stands in quotes"),
            },
        }
    }

    /// One word, or anything in quotes.
    fn name_in(&mut self, text: &str) -> Option<String> {
        for quote in ['"', '\''] {
            let inside = text.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
            if let Some(name) = inside.filter(|name| !name.is_empty()) {
                if name.contains(char::is_whitespace) {
                    let what = "a name with blanks is not found by every tool";
                    self.remarks.push((self.line, what));
                }
                return Some(name.to_owned());
            }
        }
        (!text.is_empty() && !text.contains(char::is_whitespace)).then(|| text.to_owned())
    }

    /// Whether a line so far indented belongs to the key above it.
    fn goes_on_at(&self, indent: usize) -> bool {
        self.last_line.is_some() && indent > self.indent
    }

    /// The AWS CLI reads what is indented as a whole; several SDKs refuse the file.
    fn remark_on_indent(&mut self, indent: usize, number: usize) {
        if indent > 0 {
            self.remark_once(number, "is indented, and not every tool reads that");
        }
    }

    /// Who writes a habit of his on every line is told of it on the first one.
    fn remark_once(&mut self, number: usize, what: &'static str) {
        if self.remarks.iter().all(|(_, known)| *known != what) {
            self.remarks.push((number, what));
        }
    }

    fn add(&mut self, line: &str, number: usize) {
        self.last_line = Some(LastLine::LeftOut);
        let (line, has_comment) = without_comment(line);
        let Some((key, value, mark)) = key_and_value(line) else {
            return self.faults.push((number, "has no = between a key and its value"));
        };
        if key.is_empty() {
            return self.faults.push((number, "has no key before its ="));
        }
        if key.contains(char::is_whitespace) {
            return self.remarks.push((number, "is left out: a key is one word"));
        }
        if mark == ':' {
            self.remark_once(number, "has : where most tools want =");
        }
        if has_comment {
            self.remark_once(number, "has a comment that the AWS CLI takes for part of it");
        }
        let (key, value) = (key.to_lowercase(), Zeroizing::new(value.to_owned()));
        self.properties.push(Property { key, value, line: number, nested: Vec::new() });
        self.last_line = Some(LastLine::Kept);
    }

    /// A line that is indented further goes on with the value above it, or is a key below it.
    fn go_on(&mut self, content: &str, number: usize) {
        // What goes on with a line that was left out is left out with it.
        let is_kept = self.last_line == Some(LastLine::Kept);
        let Some(property) = self.properties.last_mut().filter(|_| is_kept) else { return };
        let is_group = property.value.is_empty() || !property.nested.is_empty();
        if !is_group {
            push_line(&mut property.value, content);
            return;
        }
        match content.split_once('=') {
            Some((key, value)) if !key.trim().is_empty() => {
                let (value, _) = without_comment(value);
                let value = Zeroizing::new(value.trim().to_owned());
                property.nested.push((key.trim().to_lowercase(), value));
            }
            // Nobody but its own tool reads what stands below a key.
            _ => self.remarks.push((number, "is left out: it has no key and =")),
        }
    }
}

/// Adds a line to a value. Where room is wanting the value moves, and what it leaves is zeroed; room
/// doubles, so that a value of many lines is not copied for each.
fn push_line(value: &mut Zeroizing<String>, line: &str) {
    let length = value.len() + 1 + line.len();
    if value.capacity() < length {
        let mut larger = Zeroizing::new(String::with_capacity(length.max(2 * value.len())));
        larger.push_str(value);
        *value = larger;
    }
    value.push('\n');
    value.push_str(line);
}

/// What became of the last line with a key.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum LastLine {
    Kept,
    LeftOut,
}

/// Splits a line at its `=`, or at a `:` in its place, as the AWS CLI does.
fn key_and_value(line: &str) -> Option<(&str, &str, char)> {
    let split = |mark: char| {
        let (key, value) = line.split_once(mark)?;
        Some((key.trim(), value.trim(), mark))
    };
    match (split('='), split(':')) {
        // A `:` may be part of a key, and an `=` of a value.
        (Some((long, ..)), Some(colon))
            if long.contains(char::is_whitespace) && !colon.0.contains(char::is_whitespace) =>
        {
            Some(colon)
        }
        (equals, colon) => equals.or(colon),
    }
}

/// Cuts a comment, which begins after a blank.
fn without_comment(line: &str) -> (&str, bool) {
    let mut blank_before = false;
    for (at, c) in line.char_indices() {
        if blank_before && (c == '#' || c == ';') {
            return (line[..at].trim_end(), true);
        }
        blank_before = c.is_whitespace();
    }
    (line, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_of_many_lines_moves_rarely() {
        let mut value = Zeroizing::new("first".to_owned());
        let mut moves = 0;
        for _ in 0..1_000 {
            let room = value.capacity();
            push_line(&mut value, "canary");
            moves += usize::from(value.capacity() != room);
        }
        assert_eq!(value.lines().count(), 1_001);
        assert!(moves < 20, "{moves} moves");
    }

    /// The type holds it: a value below a key is zeroed as any other.
    #[test]
    fn values_below_a_key_are_zeroed() {
        let groups = parse("[default]\ns3 =\n  note = canary\n", FileKind::Config).unwrap();
        let (_, value): &(String, Zeroizing<String>) = &groups[0].properties[0].nested[0];
        assert_eq!(value.as_str(), "canary");
    }
}

//! A YAML document with its tags.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use granit_parser::{BorrowedInput, Event, Parser, ScalarStyle, Tag, options};
use serde_json::{Value, json};

/// One node; aliases are followed already.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Value(Value),
    /// A string that may hold `${…}`.
    Text(String),
    List(Vec<Rc<Self>>),
    Map(Vec<(String, Rc<Self>)>),
    Reference(Reference, Vec<Rc<Self>>),
    /// A tag that is not evaluated.
    Refused(String),
}

/// What a tag names.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reference {
    Connection,
    Parameter,
    Output,
    Secret,
}

impl Reference {
    fn of(tag: &str) -> Option<Self> {
        Some(match tag {
            "Connection" => Self::Connection,
            "Parameter" => Self::Parameter,
            "Output" => Self::Output,
            "Secret" => Self::Secret,
            _ => return None,
        })
    }

    /// The keys of its map form, in the order of its list form.
    fn keys(self) -> &'static [&'static str] {
        match self {
            Self::Connection => &["type", "name"],
            Self::Output => &["from", "name"],
            Self::Parameter | Self::Secret => &["name"],
        }
    }

    pub(super) fn form(self) -> &'static str {
        match self {
            Self::Connection => "!Connection {type: TYPE, name: NAME}",
            Self::Output => "!Output {from: STEP, name: NAME}",
            Self::Parameter => "!Parameter NAME",
            Self::Secret => "!Secret NAME",
        }
    }
}

impl Node {
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        match self {
            Self::Map(entries) => {
                entries.iter().find(|(known, _)| known == key).map(|(_, node)| &**node)
            }
            _ => None,
        }
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &str> {
        let entries = match self {
            Self::Map(entries) => entries.as_slice(),
            _ => &[],
        };
        entries.iter().map(|(key, _)| key.as_str())
    }

    /// The keys of maps in maps, with nothing for values.
    pub(super) fn keys_alone(&self) -> Value {
        match self {
            Self::Map(entries) => {
                let pairs = entries.iter().map(|(key, node)| (key.clone(), node.keys_alone()));
                Value::Object(pairs.collect())
            }
            _ => Value::Null,
        }
    }
}

/// Reads the first document.
///
/// # Errors
///
/// What is wrong, as the rest of a sentence that begins with the file's name.
pub(super) fn read(text: &str) -> Result<Node, String> {
    let options = options! { emit_comments: false, block_scalar_eof_without_line_feed: true };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, anchors: HashMap::new(), nodes: 0, line: 0 };
    let node = reader.document().map_err(|problem| {
        let is_placed = problem.contains("(line ");
        if is_placed { problem } else { format!("{problem} (line {})", reader.line) }
    })?;
    if matches!(node, Node::Map(_)) { Ok(node) } else { Err("holds no map".to_owned()) }
}

type Entries = Vec<(String, Rc<Node>)>;

struct Reader<'i, T: BorrowedInput<'i>> {
    parser: Parser<'i, T>,
    /// Each with how deep it is.
    anchors: HashMap<usize, (Rc<Node>, usize)>,
    nodes: usize,
    line: usize,
}

impl<'i, T: BorrowedInput<'i>> Reader<'i, T> {
    fn next(&mut self) -> Result<Event<'i>, String> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => {
                self.line = span.start.line();
                Ok(event)
            }
            // The parser's own words quote the text.
            Some(Err(error)) => {
                let marker = error.marker();
                Err(format!("is not YAML (line {}, column {})", marker.line(), marker.col() + 1))
            }
            None => Err("ends too early".to_owned()),
        }
    }

    fn document(&mut self) -> Result<Node, String> {
        loop {
            match self.next()? {
                Event::StreamStart => {}
                Event::DocumentStart(..) => {
                    let event = self.next()?;
                    return self.node(event, 0).map(|(node, _)| (*node).clone());
                }
                _ => return Err("holds no document".to_owned()),
            }
        }
    }

    /// A node, and how deep it is below itself.
    fn node(&mut self, event: Event<'i>, depth: usize) -> Result<(Rc<Node>, usize), String> {
        const TOO_LARGE: &str = "is nested too deep or grows too large";
        self.nodes += 1;
        if depth > MAX_DEPTH || self.nodes > MAX_NODES {
            return Err(TOO_LARGE.to_owned());
        }
        let (node, height, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                (scalar(&text, style, tag.as_deref()), 0, anchor)
            }
            Event::SequenceStart(_, anchor, tag) => {
                let (mut items, mut height) = (Vec::new(), 0);
                loop {
                    let event = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    let (item, below) = self.node(event, depth + 1)?;
                    items.push(item);
                    height = height.max(below + 1);
                }
                (tagged_list(items, tag.as_deref()), height, anchor)
            }
            Event::MappingStart(_, anchor, tag) => {
                let (entries, height) = self.entries(depth)?;
                (tagged_map(entries, tag.as_deref()), height, anchor)
            }
            Event::Alias(anchor) => {
                let (node, height) =
                    self.anchors.get(&anchor).ok_or("has an alias of no anchor")?;
                // An alias is as deep as what it stands for, or a few lines would make a chain.
                return if depth + height > MAX_DEPTH {
                    Err(TOO_LARGE.to_owned())
                } else {
                    Ok((Rc::clone(node), *height))
                };
            }
            _ => return Err("is not YAML".to_owned()),
        };
        let node = Rc::new(node);
        if anchor > 0 {
            self.anchors.insert(anchor, (Rc::clone(&node), height));
        }
        Ok((node, height))
    }

    /// The entries of a map, with those that `<<` brings in behind its own.
    fn entries(&mut self, depth: usize) -> Result<(Entries, usize), String> {
        let (mut entries, mut merged) = (Entries::new(), Vec::new());
        let (mut known, mut height) = (HashSet::new(), 0);
        loop {
            let event = self.next()?;
            if matches!(event, Event::MappingEnd) {
                break;
            }
            let key = match event {
                Event::Scalar(text, ..) => text.into_owned(),
                _ => return Err("has a key that is no string".to_owned()),
            };
            let event = self.next()?;
            let (node, below) = self.node(event, depth + 1)?;
            height = height.max(below + 1);
            if key == "<<" {
                merged.push(node);
            } else if known.insert(key.clone()) {
                entries.push((key, node));
            } else {
                return Err("has the same key twice in one map".to_owned());
            }
        }
        for node in merged {
            let maps = match &*node {
                Node::List(items) => items.clone(),
                _ => vec![Rc::clone(&node)],
            };
            for map in maps {
                let Node::Map(others) = &*map else {
                    return Err("merges what is no map".to_owned());
                };
                self.nodes += others.len();
                for (key, node) in others {
                    if known.insert(key.clone()) {
                        entries.push((key.clone(), Rc::clone(node)));
                    }
                }
            }
        }
        Ok((entries, height))
    }
}

/// A tag of Relay's own: `Connection` of `!Connection`.
fn name_of(tag: Option<&Tag>) -> Option<String> {
    let tag = tag?;
    let is_core = tag.suffix_in_namespace(CORE).is_some();
    if is_core { None } else { tag.suffix_in_namespace("!").map(std::borrow::Cow::into_owned) }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Node {
    let core = tag.and_then(|tag| tag.suffix_in_namespace(CORE));
    match (core.as_deref(), name_of(tag)) {
        (_, Some(name)) => match Reference::of(&name) {
            Some(reference) => {
                Node::Reference(reference, vec![Rc::new(Node::Text(text.to_owned()))])
            }
            None => Node::Refused(format!("!{name}")),
        },
        (Some("binary"), None) => {
            let compact: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
            match STANDARD.decode(&compact).map(String::from_utf8) {
                Ok(Ok(text)) => Node::Value(Value::String(text)),
                _ => Node::Value(json!({"$encoding": "base64", "data": compact})),
            }
        }
        (None, None) if style == ScalarStyle::Plain && !text.contains("${") => {
            // What a plain scalar stands for is the YAML library's to say.
            Node::Value(serde_saphyr::from_str(text).unwrap_or_else(|_| text.into()))
        }
        _ => Node::Text(text.to_owned()),
    }
}

fn tagged_list(items: Vec<Rc<Node>>, tag: Option<&Tag>) -> Node {
    match name_of(tag) {
        None => Node::List(items),
        Some(name) => match Reference::of(&name) {
            Some(reference) => Node::Reference(reference, items),
            None => Node::Refused(format!("!{name}")),
        },
    }
}

fn tagged_map(entries: Vec<(String, Rc<Node>)>, tag: Option<&Tag>) -> Node {
    let Some(name) = name_of(tag) else { return Node::Map(entries) };
    let Some(reference) = Reference::of(&name) else { return Node::Refused(format!("!{name}")) };
    let mut by_key: BTreeMap<String, Rc<Node>> = entries.into_iter().collect();
    let names: Option<Vec<_>> = reference.keys().iter().map(|key| by_key.remove(*key)).collect();
    // Other keys are a mistake; without names the form is told.
    Node::Reference(reference, names.filter(|_| by_key.is_empty()).unwrap_or_default())
}

const CORE: &str = "tag:yaml.org,2002:";
const MAX_DEPTH: usize = 100;
/// Far beyond what anybody writes.
const MAX_NODES: usize = 100_000;

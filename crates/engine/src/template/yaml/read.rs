//! From YAML to values, as `sigs.k8s.io/yaml` gives them by way of JSON.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use granit_parser::{Event, Parser, ScalarStyle, options};

use super::resolve::{Scalar, resolve};
use crate::template::base64::{GO_STANDARD, decode};
use crate::template::fault::{Fault, MapError};
use crate::template::format::shortest;
use crate::template::parser::MAX_DEPTH;
use crate::template::run::Run;
use crate::template::value::{Text, Value};

/// A document, with its aliases followed.
#[derive(Clone)]
pub(in crate::template) enum Document {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(Text),
    Sequence(Rc<Vec<Self>>),
    Mapping(Rc<Vec<(Self, Self)>>),
}

/// Reads the first document; nothing where it is no YAML.
pub(in crate::template) fn read(run: &mut Run, text: &str) -> Result<Option<Document>, Fault> {
    run.spend(text.len().saturating_mul(8))?;
    let options = options! { emit_comments: false, block_scalar_eof_without_line_feed: true };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut reader = Reader { parser, anchors: HashMap::new(), run };
    match reader.document() {
        Ok(document) => Ok(Some(document)),
        Err(Stop::Fault(fault)) => Err(fault),
        Err(Stop::Invalid) => Ok(None),
    }
}

/// The entries of a map of strings; scalars of other types become strings.
pub(in crate::template) fn string_map(
    run: &mut Run,
    text: &str,
) -> Result<BTreeMap<Text, Text>, MapError> {
    let document = read(run, text).map_err(MapError::TooMuch)?.ok_or(MapError::NotYaml)?;
    let entries = match document {
        Document::Null => return Ok(BTreeMap::new()),
        Document::Mapping(entries) => entries,
        _ => return Err(MapError::NotAMap),
    };
    // Of equal keys the last counts, whatever the others hold.
    let mut last = BTreeMap::new();
    for (key, value) in entries.iter() {
        run.step().map_err(MapError::TooMuch)?;
        last.insert(key.as_key().ok_or(MapError::NotYaml)?, value);
    }
    let string = |(key, value): (Text, &Document)| Some((key, value.as_string()?));
    last.into_iter().map(string).collect::<Option<_>>().ok_or(MapError::NotAString)
}

enum Stop {
    Invalid,
    Fault(Fault),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

struct Reader<'r, 'i, T: granit_parser::BorrowedInput<'i>> {
    parser: Parser<'i, T>,
    anchors: HashMap<usize, Document>,
    run: &'r mut Run,
}

impl<'i, T: granit_parser::BorrowedInput<'i>> Reader<'_, 'i, T> {
    fn next(&mut self) -> Result<Event<'i>, Stop> {
        self.run.step()?;
        match self.parser.next_event() {
            Some(Ok((event, _))) => Ok(event),
            Some(Err(_)) | None => Err(Stop::Invalid),
        }
    }

    fn document(&mut self) -> Result<Document, Stop> {
        loop {
            match self.next()? {
                Event::StreamStart => {}
                Event::StreamEnd => return Ok(Document::Null),
                Event::DocumentStart(..) => {
                    let event = self.next()?;
                    return self.node(event, 0);
                }
                _ => return Err(Stop::Invalid),
            }
        }
    }

    fn node(&mut self, event: Event<'i>, depth: usize) -> Result<Document, Stop> {
        if depth > MAX_DEPTH {
            return Err(Stop::Fault(Fault::TooMuch("a value is nested more than 100 deep")));
        }
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let name = tag
                    .as_deref()
                    .map(|tag| tag.suffix_in_namespace("tag:yaml.org,2002:").unwrap_or_default());
                (scalar(&text, style, name.as_deref()).ok_or(Stop::Invalid)?, anchor)
            }
            Event::SequenceStart(_, anchor, _) => {
                let mut items = Vec::new();
                loop {
                    let event = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, depth + 1)?);
                }
                (Document::Sequence(Rc::new(items)), anchor)
            }
            Event::MappingStart(_, anchor, _) => {
                let mut entries = Vec::new();
                loop {
                    let event = self.next()?;
                    if matches!(event, Event::MappingEnd) {
                        break;
                    }
                    self.entry(event, &mut entries, depth)?;
                }
                (Document::Mapping(Rc::new(entries)), anchor)
            }
            Event::Alias(anchor) => {
                return self.anchors.get(&anchor).cloned().ok_or(Stop::Invalid);
            }
            _ => return Err(Stop::Invalid),
        };
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn entry(
        &mut self,
        event: Event<'i>,
        entries: &mut Vec<(Document, Document)>,
        depth: usize,
    ) -> Result<(), Stop> {
        let is_merge = matches!(
            &event,
            Event::Scalar(text, ScalarStyle::Plain, _, None) if text.as_ref() == "<<"
        );
        let key = self.node(event, depth + 1)?;
        let event = self.next()?;
        let value = self.node(event, depth + 1)?;
        if !is_merge {
            entries.push((key, value));
            return Ok(());
        }
        // Of several the first wins; what is written here wins if it comes later.
        let merged: Vec<Document> = match &value {
            Document::Mapping(_) => vec![value],
            Document::Sequence(items) => items.iter().rev().cloned().collect(),
            _ => return Err(Stop::Invalid),
        };
        for map in merged {
            let Document::Mapping(inner) = map else { return Err(Stop::Invalid) };
            self.run.spend(inner.len().saturating_mul(64))?;
            entries.extend(inner.iter().cloned());
        }
        Ok(())
    }
}

/// A scalar by its tag, or by its form where it is plain.
fn scalar(text: &str, style: ScalarStyle, tag: Option<&str>) -> Option<Document> {
    let as_text = || Document::Text(Text::from(text));
    let plain = || match resolve(text) {
        Scalar::Null => Document::Null,
        Scalar::Bool(flag) => Document::Bool(flag),
        Scalar::Int(integer) => Document::Int(integer),
        Scalar::Uint(unsigned) => Document::Uint(unsigned),
        Scalar::Float(float) => Document::Float(float),
        Scalar::Timestamp | Scalar::Text => as_text(),
    };
    match tag {
        None if style == ScalarStyle::Plain => Some(plain()),
        Some("binary") => {
            let bytes = decode(&GO_STANDARD, text.as_bytes());
            bytes.map(|bytes| Document::Text(Text::from(bytes)))
        }
        Some("null") => Some(plain()).filter(|node| matches!(node, Document::Null)),
        Some("bool") => Some(plain()).filter(|node| matches!(node, Document::Bool(_))),
        Some("int") => {
            Some(plain()).filter(|node| matches!(node, Document::Int(_) | Document::Uint(_)))
        }
        #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as Go converts")]
        Some("float") => match plain() {
            Document::Int(integer) => Some(Document::Float(integer as f64)),
            node => Some(node).filter(|node| matches!(node, Document::Float(_))),
        },
        None | Some(_) => Some(as_text()),
    }
}

impl Document {
    /// As the key of a JSON object.
    fn as_key(&self) -> Option<Text> {
        match self {
            Self::Text(text) => Some(text.clone()),
            Self::Bool(_) | Self::Int(_) | Self::Float(_) => self.as_string(),
            Self::Null | Self::Uint(_) | Self::Sequence(_) | Self::Mapping(_) => None,
        }
    }

    /// As a string; nothing where it is a list or a map.
    fn as_string(&self) -> Option<Text> {
        let text = match self {
            Self::Text(text) => return Some(text.clone()),
            Self::Null => String::new(),
            Self::Bool(flag) => flag.to_string(),
            Self::Int(integer) => integer.to_string(),
            Self::Uint(unsigned) => unsigned.to_string(),
            Self::Float(float) => shortest(*float, true),
            Self::Sequence(_) | Self::Mapping(_) => return None,
        };
        Some(Text::from(text.as_str()))
    }

    /// The entries of a map as JSON gives them; nothing where this is none.
    pub(in crate::template) fn into_map(
        self,
        run: &mut Run,
    ) -> Result<Option<BTreeMap<Text, Value>>, Fault> {
        match self {
            Self::Null => Ok(Some(BTreeMap::new())),
            Self::Mapping(entries) => map_of(&entries, run),
            _ => Ok(None),
        }
    }

    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as Go reads JSON")]
    fn to_value(&self, run: &mut Run) -> Result<Option<Value>, Fault> {
        run.step()?;
        Ok(Some(match self {
            Self::Null => Value::Nil,
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(integer) => Value::Float(*integer as f64),
            Self::Uint(unsigned) => Value::Float(*unsigned as f64),
            // JSON has no number without end.
            Self::Float(float) if !float.is_finite() => return Ok(None),
            Self::Float(float) => Value::Float(*float),
            Self::Text(text) => Value::Text(Text::from(&*text.to_str())),
            Self::Sequence(items) => {
                let mut list = Vec::new();
                for item in items.iter() {
                    let Some(value) = item.to_value(run)? else { return Ok(None) };
                    list.push(value);
                }
                Value::list(list).map_err(|_| TOO_DEEP)?
            }
            Self::Mapping(entries) => match map_of(entries, run)? {
                Some(map) => Value::map(map).map_err(|_| TOO_DEEP)?,
                None => return Ok(None),
            },
        }))
    }
}

fn map_of(
    entries: &[(Document, Document)],
    run: &mut Run,
) -> Result<Option<BTreeMap<Text, Value>>, Fault> {
    let mut map = BTreeMap::new();
    for (key, value) in entries {
        let (Some(key), Some(value)) = (key.as_key(), value.to_value(run)?) else {
            return Ok(None);
        };
        map.insert(key, value);
    }
    Ok(Some(map))
}

const TOO_DEEP: Fault = Fault::TooMuch("a value is nested more than 100 deep");

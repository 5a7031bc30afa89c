//! JSON as Go's `encoding/json` writes and reads it.

use std::collections::BTreeMap;
use std::io;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Error as _, Serialize, SerializeMap, Serializer};
use serde_json::ser::{CompactFormatter, Formatter, PrettyFormatter};

use super::dates;
use super::fault::Fault;
use super::run::Buffer;
use super::value::{Text, Value};

/// How JSON is written.
#[derive(Clone, Copy)]
pub(super) enum Form {
    /// `<`, `>` and `&` as escapes.
    Escaped,
    Raw,
    /// As `Escaped`, over several lines.
    Pretty,
}

/// Writes a value.
pub(super) fn write(buffer: &mut Buffer<'_>, value: &Value, form: Form) -> Result<(), Fault> {
    let mut writer = Writer { buffer, fault: None };
    let written = match form {
        Form::Escaped => serialize(&mut writer, value, GoFormatter(CompactFormatter, true)),
        Form::Raw => serialize(&mut writer, value, GoFormatter(CompactFormatter, false)),
        Form::Pretty => serialize(&mut writer, value, GoFormatter(PrettyFormatter::new(), true)),
    };
    match (written, writer.fault) {
        (_, Some(fault)) => Err(fault),
        // A number without end is the one thing that JSON has no form for: Go writes nothing then.
        (Err(_) | Ok(()), None) => Ok(()),
    }
}

fn serialize<F: Formatter>(
    writer: &mut Writer<'_, '_>,
    value: &Value,
    formatter: F,
) -> serde_json::Result<()> {
    value.serialize(&mut serde_json::Serializer::with_formatter(writer, formatter))
}

/// Passes on to a buffer, and keeps why that would take no more.
struct Writer<'b, 'r> {
    buffer: &'b mut Buffer<'r>,
    fault: Option<Fault>,
}

impl io::Write for Writer<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.buffer.push(bytes).map_err(|fault| {
            self.fault = Some(fault);
            io::ErrorKind::OutOfMemory
        })?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Serialize for Value {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nil => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(integer) | Self::Int64(integer) => serializer.serialize_i64(*integer),
            Self::Byte(byte) => serializer.serialize_u8(*byte),
            Self::Float(float) if !float.is_finite() => Err(S::Error::custom("no JSON number")),
            Self::Float(float) => serializer.serialize_f64(*float),
            Self::Text(text) => serializer.serialize_str(&text.to_str()),
            Self::Texts(texts) => serializer.collect_seq(texts.iter().map(Str)),
            Self::List(list) => serializer.collect_seq(&list.items),
            Self::TextMap(map) => {
                serializer.collect_map(map.iter().map(|(key, value)| (Str(key), Str(value))))
            }
            Self::Map(map) => {
                let mut object = serializer.serialize_map(Some(map.entries.len()))?;
                for (key, value) in &map.entries {
                    object.serialize_entry(&*key.to_str(), value)?;
                }
                object.end()
            }
            Self::Time(time) => serializer.serialize_str(&dates::format(time, dates::RFC_3339)),
        }
    }
}

struct Str<'a>(&'a Text);

impl Serialize for Str<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_str())
    }
}

/// The numbers and escapes of Go; whether `<`, `>` and `&` are escaped.
struct GoFormatter<F>(F, bool);

impl<F: Formatter> Formatter for GoFormatter<F> {
    fn write_f64<W: ?Sized + io::Write>(&mut self, writer: &mut W, value: f64) -> io::Result<()> {
        let magnitude = value.abs();
        if magnitude != 0.0 && !(1e-6..1e21).contains(&magnitude) {
            let text = format!("{value:e}");
            let signed = if text.contains("e-") { text } else { text.replace('e', "e+") };
            return writer.write_all(signed.as_bytes());
        }
        write!(writer, "{value}")
    }

    fn write_string_fragment<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let is_special = |c: char| match c {
            '<' | '>' | '&' => self.1,
            '\u{2028}' | '\u{2029}' => true,
            _ => false,
        };
        let mut rest = fragment;
        while let Some(position) = rest.find(is_special) {
            let (before, from) = rest.split_at(position);
            writer.write_all(before.as_bytes())?;
            let mut characters = from.chars();
            if let Some(c) = characters.next() {
                write!(writer, "\\u{:04x}", u32::from(c))?;
            }
            rest = characters.as_str();
        }
        writer.write_all(rest.as_bytes())
    }

    fn begin_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_array(writer)
    }

    fn end_array<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array(writer)
    }

    fn begin_array_value<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_array_value(writer, first)
    }

    fn end_array_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_array_value(writer)
    }

    fn begin_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object(writer)
    }

    fn end_object<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + io::Write>(
        &mut self,
        writer: &mut W,
        first: bool,
    ) -> io::Result<()> {
        self.0.begin_object_key(writer, first)
    }

    fn begin_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.begin_object_value(writer)
    }

    fn end_object_value<W: ?Sized + io::Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.0.end_object_value(writer)
    }
}

/// Reads JSON; nothing where it is none. Its numbers are fractions, as Go's are.
pub(super) fn read(text: &str) -> Option<Value> {
    serde_json::from_str::<Read>(text).ok().map(|read| read.0)
}

struct Read(Value);

impl<'de> Deserialize<'de> for Read {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader).map(Self)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Value;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nil)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as Go reads it")]
    fn visit_i64<E>(self, integer: i64) -> Result<Value, E> {
        Ok(Value::Float(integer as f64))
    }

    #[expect(clippy::cast_precision_loss, clippy::as_conversions, reason = "as Go reads it")]
    fn visit_u64<E>(self, integer: u64) -> Result<Value, E> {
        Ok(Value::Float(integer as f64))
    }

    fn visit_f64<E>(self, float: f64) -> Result<Value, E> {
        Ok(Value::Float(float))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(Value::Text(Text::from(text)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Read(item)) = items.next_element()? {
            list.push(item);
        }
        Value::list(list).map_err(|_| serde::de::Error::custom("too deep"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = BTreeMap::new();
        while let Some(Key(key)) = entries.next_key()? {
            let Read(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Value::map(map).map_err(|_| serde::de::Error::custom("too deep"))
    }
}

struct Key(Text);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Read::deserialize(deserializer)?.0 {
            Value::Text(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("a key is no string")),
        }
    }
}

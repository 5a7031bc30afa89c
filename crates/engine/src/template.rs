//! Go templates, as ESO renders them over the keys of a generator.
//!
//! The language of [`text/template`](https://pkg.go.dev/text/template) with `missingkey=error`, over
//! a map of strings. What a text holds is known when it is parsed: a function that is not supported
//! is refused before anything is called. A rendering is bounded by counted work and by size, and its
//! errors tell places and names, never a value.
//!
//! ```
//! use rolecall_engine::template::{Origin, Run, Template};
//!
//! let template = Template::parse("{{ .username }}:{{ .password | b64enc }}", Origin::Public)?;
//! let keys = [("username", b"AWS".as_slice()), ("password", b"secret".as_slice())];
//! let rendered = template.render(keys, jiff::Timestamp::UNIX_EPOCH, &mut Run::new())?;
//! assert_eq!(&**rendered, b"AWS:c2VjcmV0");
//! # Ok::<(), rolecall_engine::template::TemplateError>(())
//! ```

pub(crate) mod base64;
mod dates;
mod eval;
mod fault;
mod format;
mod functions;
mod json;
mod lexer;
mod literals;
mod needs;
mod parser;
mod run;
mod tree;
mod value;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;
use zeroize::Zeroizing;

pub use dates::duration as go_duration;
pub use fault::{Fault, MapError, Name, Origin, TemplateError};

pub use run::Run;
use tree::Tree;

/// A template that was parsed; cheap to clone.
#[derive(Clone)]
pub struct Template(Arc<Parsed>);

struct Parsed {
    text: Zeroizing<String>,
    origin: Origin,
    tree: Tree,
}

impl Template {
    /// The most bytes of a template: what a `ConfigMap` may hold.
    ///
    /// <https://kubernetes.io/docs/concepts/configuration/configmap/#motivation>
    pub const MAX_BYTES: usize = 1024 * 1024;

    /// Parses `text`.
    ///
    /// # Errors
    ///
    /// [`TemplateError`] for what Go refuses, for a function that is not supported, and for a text that
    /// is too long or nested too deep. It tells no word of a text whose origin is a Secret.
    pub fn parse(text: &str, origin: Origin) -> Result<Self, TemplateError> {
        if text.len() > Self::MAX_BYTES {
            return Err(TemplateError::at(text, 0, Fault::TooMuch("it is longer than 1 MiB")));
        }
        let tree = parser::parse(text, origin)?;
        Ok(Self(Arc::new(Parsed { text: Zeroizing::new(text.to_owned()), origin, tree })))
    }

    /// What would go wrong for certain over these keys: each one that it takes and that is not there.
    pub fn missing(&self, has: impl Fn(&str) -> bool) -> Vec<TemplateError> {
        let Parsed { text, origin, tree } = &*self.0;
        let mut missing = Vec::new();
        needs::each(tree, |name, position| {
            if !has(name) {
                let fault = Fault::MissingKey(Name::new(name, *origin));
                missing.push(TemplateError::at(text, position, fault));
            }
        });
        missing
    }

    /// Renders it over `keys`; `now` is what the functions of time take for now, and `run` what may be
    /// done in all.
    ///
    /// # Errors
    ///
    /// [`TemplateError`]; it holds no value.
    pub fn render<'a>(
        &self,
        keys: impl IntoIterator<Item = (&'a str, &'a [u8])>,
        now: Timestamp,
        run: &mut Run,
    ) -> Result<Zeroizing<Vec<u8>>, TemplateError> {
        let Parsed { text, origin, tree } = &*self.0;
        eval::render(text, *origin, tree, &eval::data(keys), now, run)
    }
}

/// Shows no word of it: its text may come from a Secret.
impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("origin", &self.0.origin).finish_non_exhaustive()
    }
}

/// A map of strings; its values are zeroed when dropped.
pub type StringMap = BTreeMap<String, Zeroizing<Vec<u8>>>;

/// Reads a rendered text as a map of strings, by YAML 1.1: `yes` is `true`, `010` is `8`.
///
/// # Errors
///
/// [`MapError`]
pub fn string_map(text: &[u8], run: &mut Run) -> Result<StringMap, MapError> {
    let text = std::str::from_utf8(text).map_err(|_| MapError::NotYaml)?;
    let map = yaml::string_map(run, text)?;
    let entry = |(key, value): (value::Text, value::Text)| {
        ((*key.to_str()).to_owned(), Zeroizing::new(value.as_bytes().to_vec()))
    };
    Ok(map.into_iter().map(entry).collect())
}

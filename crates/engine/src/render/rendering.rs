//! One rendering on its way: what came of the templates so far, and what went wrong.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Data;
use super::error::{Located, RenderError, Shown};
use super::renderer::Piece;
use crate::grant::{
    Decoding, RESERVED, TemplateScope, TemplateTarget, is_data_key, is_label_value,
    is_qualified_name,
};
use crate::template::base64::{self, GO_STANDARD, GO_URL};
use crate::template::{Run, Template, string_map};

/// A rendering on its way.
pub(super) struct Rendering<'k> {
    keys: &'k BTreeMap<String, Data>,
    now: Timestamp,
    /// What all templates together may do.
    run: Run,
    /// How many bytes of values there are.
    bytes: usize,
    pub(super) faults: Vec<Located>,
    pub(super) data: BTreeMap<String, Data>,
    pub(super) labels: BTreeMap<String, String>,
    pub(super) annotations: BTreeMap<String, String>,
    pub(super) origins: BTreeMap<String, String>,
}

impl<'k> Rendering<'k> {
    pub(super) fn new(keys: &'k BTreeMap<String, Data>, now: Timestamp) -> Self {
        Self {
            keys,
            now,
            run: Run::new(),
            bytes: 0,
            faults: Vec::new(),
            data: BTreeMap::new(),
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            origins: BTreeMap::new(),
        }
    }

    fn fault(&mut self, path: &str, error: RenderError) {
        self.faults.push(Located { path: path.to_owned(), error });
    }

    /// The generators' keys as they are.
    pub(super) fn take_keys(&mut self, origins: &BTreeMap<String, String>) {
        self.data.clone_from(self.keys);
        self.origins.clone_from(origins);
    }

    pub(super) fn rendered(&mut self, path: &str, key: &str, template: &Template) -> Option<Data> {
        // A Secret that is too large already gets no larger, and who went on for too long has told it.
        if self.bytes > MAX_BYTES || self.run.is_spent() {
            return None;
        }
        let keys = self.keys.iter().map(|(key, value)| (key.as_str(), value.as_slice()));
        match template.render(keys, self.now, &mut self.run) {
            Ok(rendered) => Some(rendered),
            Err(error) => {
                self.fault(path, RenderError::Execute { key: key.to_owned(), error });
                None
            }
        }
    }

    pub(super) fn add_piece(&mut self, piece: &Piece) {
        let Piece { path, key, template, scope, target, decoding } = piece;
        let Some(rendered) = self.rendered(path, key, template) else { return };
        let (values, written) = match scope {
            TemplateScope::Values => (BTreeMap::from([(key.clone(), rendered)]), Some(key)),
            TemplateScope::KeysAndValues => match string_map(&rendered, &mut self.run) {
                Ok(map) => (map, None),
                Err(error) => {
                    return self.fault(path, RenderError::Map { key: key.clone(), error });
                }
            },
        };
        let is_name: (fn(&str) -> bool, &'static str) = match target {
            TemplateTarget::Data => (is_data_key, "keys of a Secret"),
            TemplateTarget::Labels | TemplateTarget::Annotations => {
                (is_free_name, "names of labels or annotations that a template may set")
            }
        };
        let (mut illegal, mut undecoded) = (0, 0);
        for (name, value) in values {
            if !is_name.0(&name) {
                illegal += 1;
                continue;
            }
            match decoded(value, *decoding) {
                Some(value) => self.put(path, &name, value, *target, written.map(String::as_str)),
                None => undecoded += 1,
            }
        }
        if illegal > 0 {
            let (key, what) = (key.clone(), is_name.1);
            self.fault(path, RenderError::InvalidNames { key, what, count: illegal });
        }
        if undecoded > 0 {
            self.fault(path, RenderError::Decoding { key: key.clone(), count: undecoded });
        }
    }

    /// Keeps a value; `written` is the name as the manifest wrote it, if it did.
    pub(super) fn put(
        &mut self,
        path: &str,
        name: &str,
        value: Data,
        target: TemplateTarget,
        written: Option<&str>,
    ) {
        let (what, map) = match target {
            TemplateTarget::Data => {
                self.origins.insert(name.to_owned(), path.to_owned());
                self.bytes += value.len();
                self.data.insert(name.to_owned(), value);
                return;
            }
            TemplateTarget::Labels => ("label", &mut self.labels),
            TemplateTarget::Annotations => ("annotation", &mut self.annotations),
        };
        let text = std::str::from_utf8(&value).ok();
        let why = match (target, text) {
            (_, None) => ": it is UTF-8 text",
            (TemplateTarget::Labels, Some(text)) if !is_label_value(text) => {
                ": at most 63 letters, digits, -, _ and ., with a letter or digit at both ends"
            }
            (_, Some(text)) => {
                map.insert(name.to_owned(), text.to_owned());
                return;
            }
        };
        let name = Shown(written.map(str::to_owned));
        self.fault(path, RenderError::InvalidValue { what, name, why });
    }

    pub(super) fn check_size(&mut self) {
        let bytes = self.data.values().map(|value| value.len()).sum();
        if bytes > MAX_BYTES {
            self.fault("spec.target", RenderError::TooLarge { bytes, most: MAX_BYTES });
        }
        let bytes: usize =
            self.annotations.iter().map(|(key, value)| key.len() + value.len()).sum();
        if bytes > MAX_ANNOTATIONS {
            let why = ": all annotations together have at most 256 KiB";
            let error = RenderError::InvalidValue { what: "annotation", name: Shown(None), why };
            self.fault("spec.target.template", error);
        }
    }
}

/// A name of a label or annotation that is not the controllers' own.
fn is_free_name(name: &str) -> bool {
    is_qualified_name(name) && !name.starts_with(RESERVED)
}

fn decoded(value: Data, decoding: Decoding) -> Option<Data> {
    let base64 = || base64::decode(&GO_STANDARD, &value);
    let url = || base64::decode(&GO_URL, &value);
    match decoding {
        Decoding::None => Some(value),
        Decoding::Base64 => base64(),
        Decoding::Base64Url => url(),
        Decoding::Auto => Some(base64().or_else(url).unwrap_or(value)),
    }
}

/// The most bytes of a Secret's values.
/// <https://kubernetes.io/docs/concepts/configuration/secret/#restriction-data-size>
const MAX_BYTES: usize = 1024 * 1024;
/// The most bytes of all annotations.
/// <https://kubernetes.io/docs/concepts/overview/working-with-objects/annotations/>
const MAX_ANNOTATIONS: usize = 256 * 1024;

//! Renames the keys of one entry, and judges the names.

use std::collections::BTreeMap;
use std::fmt;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::Text;
use crate::error::Class;
use crate::grant::Rewrite;
use crate::pattern::{Pattern, Replacement};

/// The keys of one entry under their new names.
pub struct Rewritten {
    /// The values by their keys.
    pub keys: BTreeMap<String, Text>,
    /// What a person should know though nothing is wrong.
    pub warnings: Vec<String>,
}

/// Shows no value.
impl fmt::Debug for Rewritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<_> = self.keys.keys().collect();
        f.debug_struct("Rewritten").field("keys", &keys).field("warnings", &self.warnings).finish()
    }
}

/// Why keys could not be renamed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// A new name that no Secret may have.
    #[error("invalid secret keys (TIP: use rewrite or conversionStrategy to change keys): {0}")]
    InvalidKey(InvalidKey),
    /// A name grew beyond all measure between two steps.
    #[error(
        "error applying rewrite to keys: failed rewrite operation[{step}]: a key grows beyond {MAX_GROWTH} bytes"
    )]
    Growth {
        /// Which step, counted from 0.
        step: usize,
    },
}

impl RenderError {
    /// A stable word for the error.
    pub fn code(&self) -> &'static str {
        self.class().code()
    }

    /// What kind of failure it is: the manifest is to be changed.
    pub fn class(&self) -> Class {
        Class::Configuration
    }

    /// What to do about it.
    pub fn hint(&self) -> String {
        "change rewrite[].regexp of this entry".to_owned()
    }
}

/// What is wrong with a key; the first in their order.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// Longer than 253 bytes.
    #[error("key has length {length} but max is {MAX_KEY}: (following is truncated): {start}")]
    TooLong {
        /// Its bytes.
        length: usize,
        /// How it begins.
        start: String,
    },
    /// A character that is no letter, number, `-`, `.` or `_`.
    #[error(
        "key has invalid character {character}, only alphanumeric, '-', '.' and '_' are allowed: {key}"
    )]
    Character {
        /// The first such character, or its code where it cannot be seen.
        character: String,
        /// The key, without what cannot be seen.
        key: String,
    },
}

/// Applies the steps in order to every key, drops empty keys, and checks the rest.
///
/// Where keys become equal the last one, by the order of their names before that step, is kept with
/// a warning: ESO keeps any of them.
///
/// # Errors
///
/// [`RenderError`], which names keys and never holds a value.
pub fn rewrite(keys: Vec<(String, Text)>, steps: &[Rewrite]) -> Result<Rewritten, RenderError> {
    let mut warnings = Vec::new();
    let mut keys: BTreeMap<String, Text> = keys.into_iter().collect();
    for (index, step) in steps.iter().enumerate() {
        let Rewrite::Regexp { source, target } = step;
        // Each new name with the old one and the value.
        let mut renamed: BTreeMap<String, (String, Text)> = BTreeMap::new();
        for (old, value) in keys {
            let new =
                replace_all(&old, source, target).ok_or(RenderError::Growth { step: index })?;
            if let Some((lost, _)) = renamed.get(&new).filter(|_| !new.is_empty()) {
                let (lost, old, new) = (visible(lost), visible(&old), visible(&new));
                warnings.push(format!(
                    "rewrite[{index}]: the keys {lost} and {old} both become {new}; {old} is kept"
                ));
            }
            renamed.insert(new, (old, value));
        }
        keys = renamed.into_iter().map(|(new, (_, value))| (new, value)).collect();
    }
    keys.remove("");
    for key in keys.keys() {
        check(key).map_err(RenderError::InvalidKey)?;
        if !is_accepted_by_kubernetes(key) {
            warnings.push(format!(
                "the key {key} is one that Kubernetes refuses: it takes A-Z a-z 0-9 - . _ alone, and neither '.' nor what begins '..'"
            ));
        }
    }
    Ok(Rewritten { keys, warnings })
}

/// The key's new name; `None` if it is longer than [`MAX_GROWTH`].
fn replace_all(key: &str, source: &Pattern, target: &Replacement) -> Option<String> {
    let mut out = String::new();
    let replaced = target.replace_all(source, key, |part| {
        out.push_str(part);
        if out.len() <= MAX_GROWTH { Ok(()) } else { Err(()) }
    });
    replaced.ok().map(|()| out)
}

/// ESO's rule, which knows letters and numbers of every script.
fn check(key: &str) -> Result<(), InvalidKey> {
    let length = key.len();
    if length > MAX_KEY {
        let start = visible(key.get(..key.floor_char_boundary(MAX_KEY)).unwrap_or_default());
        return Err(InvalidKey::TooLong { length, start });
    }
    let is_legal = |c: char| {
        let group = c.general_category_group();
        matches!(group, GeneralCategoryGroup::Letter | GeneralCategoryGroup::Number)
            || "-._".contains(c)
    };
    match key.chars().find(|c| !is_legal(*c)) {
        Some(c) => {
            let character =
                if c.is_control() { format!("U+{:04X}", u32::from(c)) } else { c.to_string() };
            Err(InvalidKey::Character { character, key: visible(key) })
        }
        None => Ok(()),
    }
}

/// The API server's rule for the keys of a Secret, beside their length.
fn is_accepted_by_kubernetes(key: &str) -> bool {
    key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && key != "."
        && !key.starts_with("..")
}

/// A key without what cannot be seen.
fn visible(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).collect()
}

/// The most bytes that a key of a Secret may have.
const MAX_KEY: usize = 253;
/// The most bytes of a key between two steps: a handful of steps could else fill the memory, since
/// each of them can multiply. ESO has no such bound; no key that is used comes near.
const MAX_GROWTH: usize = 4_096;

#[cfg(test)]
mod tests;

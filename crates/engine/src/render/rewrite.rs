//! Renames the keys of one entry, and judges the names.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use super::Text;
use super::error::RenderError;
use crate::grant::{Rewrite, is_data_key};
use crate::pattern::{Pattern, Replacement};
use crate::template::Run;

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
pub fn rewrite(
    keys: Vec<(String, Text)>,
    steps: &[Rewrite],
    now: Timestamp,
) -> Result<Rewritten, RenderError> {
    let mut run = Run::new();
    let mut warnings = Vec::new();
    let mut keys: BTreeMap<String, Text> = keys.into_iter().collect();
    for (index, step) in steps.iter().enumerate() {
        // Each new name with the old one and the value.
        let mut renamed: BTreeMap<String, (String, Text)> = BTreeMap::new();
        for (old, value) in keys {
            let new = new_name(&old, step, index, now, &mut run)?;
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
        if !is_data_key(key) {
            warnings.push(format!(
                "the key {key} is one that Kubernetes refuses: it takes A-Z a-z 0-9 - . _ alone, and neither '.' nor what begins '..'"
            ));
        }
    }
    Ok(Rewritten { keys, warnings })
}

/// What a step makes of a key.
fn new_name(
    old: &str,
    step: &Rewrite,
    index: usize,
    now: Timestamp,
    run: &mut Run,
) -> Result<String, RenderError> {
    let growth = RenderError::Growth { step: index, most: MAX_GROWTH };
    match step {
        Rewrite::Regexp { source, target } => replace_all(old, source, target).ok_or(growth),
        Rewrite::Transform(template) => {
            let rendered = template
                .render([("value", old.as_bytes())], now, run)
                .map_err(|error| RenderError::Transform { step: index, error })?;
            let new = String::from_utf8_lossy(&rendered).into_owned();
            if new.len() > MAX_GROWTH { Err(growth) } else { Ok(new) }
        }
    }
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

//! Session tags and which of them ride along a chain.

use std::collections::HashSet;

use unicode_properties::{GeneralCategoryGroup, UnicodeGeneralCategory};

use crate::violation::{InvalidText, TextRule, Violations};

/// One session tag: a key of 1 to 128 characters, a value of 0 to 256.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct SessionTag {
    key: String,
    value: String,
}

impl SessionTag {
    /// The key, in the case it was written.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The value.
    pub fn value(&self) -> &str {
        &self.value
    }
}

/// The tags of one request: at most 50, no key twice whatever its case, transitive keys among them.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct SessionTags {
    tags: Vec<SessionTag>,
    transitive_keys: Vec<String>,
}

impl SessionTags {
    /// The most tags, and the most transitive keys, that one request may have.
    pub const MAX_COUNT: usize = 50;

    /// Accepts tags and transitive keys.
    ///
    /// # Errors
    ///
    /// Every violation: of a tag under the path that comes with it, of the lists under `path` and
    /// `transitive_path`.
    pub fn new(
        tags: Vec<(String, String, String)>,
        transitive_keys: Vec<String>,
        path: &str,
        transitive_path: &str,
    ) -> Result<Self, Violations> {
        let mut violations = Violations::new();
        for (list_path, count) in [(path, tags.len()), (transitive_path, transitive_keys.len())] {
            if count > Self::MAX_COUNT {
                violations.push(list_path, InvalidTags::TooMany { count });
            }
        }
        let mut seen = HashSet::new();
        for (at, key, value) in &tags {
            for problem in tag_problems(key, value) {
                violations.push(at, problem);
            }
            if !seen.insert(key.to_lowercase()) {
                violations.push(at, InvalidTags::Duplicate { key: shown(key) });
            }
        }
        for (index, key) in transitive_keys.iter().enumerate() {
            if !seen.contains(&key.to_lowercase()) {
                let problem = InvalidTags::NotAmongTags { key: shown(key) };
                violations.push(format!("{transitive_path}[{index}]"), problem);
            }
        }
        let tags = tags.into_iter().map(|(_, key, value)| SessionTag { key, value }).collect();
        violations.into_result(Some(Self { tags, transitive_keys }))
    }

    /// Whether there is neither a tag nor a transitive key.
    pub fn is_empty(&self) -> bool {
        self.tags.is_empty() && self.transitive_keys.is_empty()
    }

    /// The tags, in the order they were written.
    pub fn tags(&self) -> &[SessionTag] {
        &self.tags
    }

    /// The keys that ride along the chain.
    pub fn transitive_keys(&self) -> &[String] {
        &self.transitive_keys
    }
}

/// What is wrong with a list of tags.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTags {
    /// More than 50.
    #[error("must have at most 50 entries, has {count}")]
    TooMany {
        /// How many there are.
        count: usize,
    },
    /// The same key twice; STS compares keys without case.
    #[error("repeats the key '{key}': keys are compared without case")]
    Duplicate {
        /// The second one.
        key: String,
    },
    /// A transitive key that is no tag of the request.
    #[error("'{key}' is not among the tags of this request")]
    NotAmongTags {
        /// The transitive key.
        key: String,
    },
    /// A key that begins `aws:`.
    #[error("key must not begin with aws:, which AWS keeps for itself")]
    Reserved,
    /// A key out of bounds.
    #[error("key {0}")]
    Key(InvalidText),
    /// A value out of bounds.
    #[error("value {0}")]
    Value(InvalidText),
}

fn tag_problems(key: &str, value: &str) -> Vec<InvalidTags> {
    let mut problems = Vec::new();
    problems.extend(KEY.check(key).err().map(InvalidTags::Key));
    problems.extend(VALUE.check(value).err().map(InvalidTags::Value));
    if key.to_ascii_lowercase().starts_with("aws:") {
        problems.push(InvalidTags::Reserved);
    }
    problems
}

fn shown(key: &str) -> String {
    key.chars().filter(|c| !c.is_control()).take(128).collect()
}

/// `[\p{L}\p{Z}\p{N}_.:/=+\-@]`.
fn is_tag_character(c: char) -> bool {
    "_.:/=+-@".contains(c)
        || matches!(
            c.general_category_group(),
            GeneralCategoryGroup::Letter
                | GeneralCategoryGroup::Number
                | GeneralCategoryGroup::Separator
        )
}

const KEY: TextRule = TextRule {
    min: 1,
    max: 128,
    allows: is_tag_character,
    allowed: "letters, digits, spaces and _.:/=+-@",
};

const VALUE: TextRule = TextRule { min: 0, max: 256, ..KEY };

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(tags: &[(&str, &str)], transitive: &[&str], expected: &[&str]) {
        let tag = |(index, (key, value)): (usize, &(&str, &str))| {
            (format!("tags[{index}]"), (*key).to_owned(), (*value).to_owned())
        };
        let owned = tags.iter().enumerate().map(tag).collect();
        let transitive = transitive.iter().map(|key| (*key).to_owned()).collect();
        let told = match SessionTags::new(owned, transitive, "tags", "transitiveTagKeys") {
            Ok(_) => Vec::new(),
            Err(violations) => violations.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(told, expected);
    }

    #[test]
    fn legal_tags_pass() {
        check(&[("Team", "blue"), ("größe", ""), ("a b", "x=y")], &["team"], &[]);
        check(&[(&"k".repeat(128), &"v".repeat(256))], &[], &[]);
    }

    #[test]
    fn every_violation_is_told_at_once() {
        check(
            &[("Team", "blue"), ("TEAM", "red"), ("aws:x", ""), ("", "v"), ("k", "a\nb")],
            &["other"],
            &[
                "tags[1]: repeats the key 'TEAM': keys are compared without case",
                "tags[2]: key must not begin with aws:, which AWS keeps for itself",
                "tags[3]: key must be 1 to 128 characters long, is 0",
                "tags[4]: value may hold only letters, digits, spaces and _.:/=+-@; character 2 is a line break",
                "transitiveTagKeys[0]: 'other' is not among the tags of this request",
            ],
        );
    }

    #[test]
    fn fifty_one_tags_are_one_too_many() {
        let keys: Vec<String> = (0..51).map(|n| format!("k{n}")).collect();
        let tags: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "")).collect();
        check(&tags[..50], &[], &[]);
        check(&tags, &[], &["tags: must have at most 50 entries, has 51"]);
    }
}

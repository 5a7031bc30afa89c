//! Groups of one name become one: within a file and across both, the last value wins.

use std::collections::BTreeMap;
use std::path::Path;

use super::SharedConfig;
use super::syntax::{Group, Header, Property};

/// Everything that the files say under one name.
#[derive(Debug, Default)]
pub(super) struct Merged {
    properties: BTreeMap<String, Entry>,
    /// Lines that cannot be read, as whole sentences.
    pub(super) faults: Vec<String>,
    /// What a person should know, as whole sentences.
    pub(super) remarks: Vec<String>,
    /// The file and line of each header.
    places: Vec<(String, usize)>,
    /// Whether a `[profile default]` was among them, beside which `[default]` does not count.
    is_prefixed: bool,
}

#[derive(Debug)]
struct Entry {
    property: Property,
    file: String,
}

impl Merged {
    /// The value of a key; an empty one counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let value = self.properties.get(key)?.property.value.as_str();
        if value.is_empty() { None } else { Some(value) }
    }

    /// The value of a key below another key.
    pub(super) fn nested(&self, key: &str, below: &str) -> Option<&str> {
        let nested = &self.properties.get(key)?.property.nested;
        let (_, value) = nested.iter().rev().find(|(name, _)| name == below)?;
        if value.is_empty() { None } else { Some(value) }
    }

    /// Whether nothing but white space stands below the header.
    pub(super) fn is_empty(&self) -> bool {
        self.properties.values().all(|entry| entry.property.value.is_empty())
    }

    /// Names the places of the same profile in one file, once.
    fn add_place(&mut self, file: &str, line: usize) {
        if let Some((_, first)) = self.places.iter().find(|(known, _)| known == file) {
            let remark = format!("{file}: lines {first} and {line} are the same profile, merged");
            self.remarks.push(remark);
        }
        self.places.push((file.to_owned(), line));
    }

    fn add(&mut self, group: Group, file: &str) {
        self.add_place(file, group.line);
        self.faults.extend(group.faults.iter().map(|(n, what)| format!("{file} line {n} {what}")));
        let remarks = group.remarks.iter().map(|(n, what)| format!("{file}: line {n} {what}"));
        self.remarks.extend(remarks);
        for property in group.properties {
            let entry = Entry { property, file: file.to_owned() };
            let (key, line) = (entry.property.key.clone(), entry.property.line);
            let Some(old) = self.properties.insert(key.clone(), entry) else { continue };
            if old.file == file {
                let first = old.property.line;
                let remark =
                    format!("{file}: {key} stands on lines {first} and {line}; {line} counts");
                self.remarks.push(remark);
            }
        }
    }
}

impl SharedConfig {
    pub(super) fn merge(&mut self, groups: Vec<Group>, path: &Path) {
        let file = path.display().to_string();
        for group in groups {
            let (map, name) = match &group.header {
                Header::Profile { name, is_prefixed } => {
                    let (name, is_prefixed) = (name.clone(), *is_prefixed);
                    self.merge_profile(group, name, is_prefixed, &file);
                    continue;
                }
                Header::SsoSession(name) => (&mut self.sso_sessions, name.clone()),
                Header::Services(name) => (&mut self.services, name.clone()),
                Header::Other { text, why } => {
                    let place = format!("{file} line {}", group.line);
                    self.unusable.push((place, text.clone(), why));
                    continue;
                }
            };
            map.entry(name).or_default().add(group, &file);
        }
    }

    /// `[profile default]` beats `[default]` of the config file, wherever it stands.
    fn merge_profile(&mut self, group: Group, name: String, is_prefixed: bool, file: &str) {
        let is_default = name == "default";
        let merged = self.profiles.entry(name).or_default();
        let in_this_file = merged.places.iter().any(|(known, _)| known == file);
        if is_default && in_this_file && merged.is_prefixed != is_prefixed {
            let line = group.line;
            let remark = format!(
                "{file}: [profile default] and [default] both stand here (line {line}); \
                 [profile default] counts, while the AWS CLI takes the last one"
            );
            if merged.is_prefixed {
                merged.remarks.push(remark);
                return;
            }
            *merged = Merged::default();
            merged.remarks.push(remark);
        }
        merged.is_prefixed |= is_prefixed;
        merged.add(group, file);
    }
}

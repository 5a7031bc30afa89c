//! Groups of one name become one: within a file and across both, the last value wins.

use std::collections::BTreeMap;
use std::path::Path;

use super::SharedConfig;
use super::syntax::{FileKind, Group, Header, Property};

/// Everything that the files say under one name.
#[derive(Debug, Default)]
pub(super) struct Merged {
    properties: BTreeMap<String, Entry>,
    /// Lines that cannot be read, as whole sentences.
    pub(super) faults: Vec<String>,
    /// What a person should know, as whole sentences.
    pub(super) remarks: Vec<String>,
    /// The line of the first header in each of the files.
    places: Vec<(FileKind, usize)>,
    /// Whether a `[profile default]` was among them, beside which `[default]` does not count.
    is_prefixed: bool,
}

/// A key, and which of the files it comes from: a path would not tell them apart where both
/// variables name one file.
#[derive(Debug)]
struct Entry {
    property: Property,
    file: FileKind,
}

impl Merged {
    /// The value of a key; an empty one counts as absent.
    pub(super) fn get(&self, key: &str) -> Option<&str> {
        let value = self.properties.get(key)?.property.value.as_str();
        if value.is_empty() { None } else { Some(value) }
    }

    /// Which file the value of a key comes from; nothing where the key is absent.
    pub(super) fn file_of(&self, key: &str) -> Option<FileKind> {
        self.get(key)?;
        self.properties.get(key).map(|entry| entry.file)
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

    /// Names the places of the same profile in one file.
    fn add_place(&mut self, file: FileIn<'_>, line: usize) {
        let known = self.places.iter().find(|(known, _)| *known == file.kind);
        let Some((_, first)) = known else { return self.places.push((file.kind, line)) };
        let path = file.path;
        let remark = format!("{path}: lines {first} and {line} are the same section, merged");
        self.remarks.push(remark);
    }

    fn add(&mut self, group: Group, file: FileIn<'_>) {
        self.add_place(file, group.line);
        let path = file.path;
        self.faults.extend(group.faults.iter().map(|(n, what)| format!("{path} line {n} {what}")));
        let remarks = group.remarks.iter().map(|(n, what)| format!("{path}: line {n} {what}"));
        self.remarks.extend(remarks);
        for property in group.properties {
            let entry = Entry { property, file: file.kind };
            let (key, line) = (entry.property.key.clone(), entry.property.line);
            let Some(old) = self.properties.insert(key.clone(), entry) else { continue };
            if old.file == file.kind {
                let first = old.property.line;
                let remark =
                    format!("{path}: {key} stands on lines {first} and {line}; {line} counts");
                self.remarks.push(remark);
            }
        }
    }
}

/// One of the two files, as messages name it.
#[derive(Clone, Copy)]
struct FileIn<'a> {
    kind: FileKind,
    path: &'a str,
}

impl SharedConfig {
    pub(super) fn merge(&mut self, groups: Vec<Group>, kind: FileKind, path: &Path) {
        let path = path.display().to_string();
        let file = FileIn { kind, path: &path };
        for group in groups {
            let (map, name) = match &group.header {
                Header::Profile { name, is_prefixed } => {
                    let (name, is_prefixed) = (name.clone(), *is_prefixed);
                    self.merge_profile(group, name, is_prefixed, file);
                    continue;
                }
                Header::SsoSession(name) => (&mut self.sso_sessions, name.clone()),
                Header::Services(name) => (&mut self.services, name.clone()),
                Header::Other { text, why } => {
                    let place = format!("{path} line {}", group.line);
                    self.unusable.push((place, text.clone(), why));
                    continue;
                }
            };
            map.entry(name).or_default().add(group, file);
        }
    }

    /// `[profile default]` beats `[default]` of the config file, wherever it stands.
    fn merge_profile(&mut self, group: Group, name: String, is_prefixed: bool, file: FileIn<'_>) {
        let is_default = name == "default";
        let merged = self.profiles.entry(name).or_default();
        let in_this_file = merged.places.iter().any(|(known, _)| *known == file.kind);
        if is_default && in_this_file && merged.is_prefixed != is_prefixed {
            let (path, line) = (file.path, group.line);
            let remark = format!(
                "{path}: [profile default] and [default] both stand here (line {line}); \
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

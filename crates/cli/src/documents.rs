//! Reads files of YAML documents: grants, and the inputs that grants name.
//!
//! The YAML parser's own messages are not shown: they quote the text, which can be a Secret.

use std::path::PathBuf;

use rolecall_engine::arn::Dialect;
use rolecall_engine::fields::Fields;
use rolecall_engine::grant::{ExternalSecret, Grant};
use rolecall_engine::violation::{Violations, nearest, shown};
use serde_json::Value;
use zeroize::Zeroize;

use crate::files::read_text;
use crate::inputs::Inputs;

/// What the files hold.
#[derive(Debug, Default)]
pub(crate) struct Documents {
    pub(crate) grants: Vec<Grant>,
    pub(crate) inputs: Inputs,
    pub(crate) external_secrets: Vec<ExternalSecret>,
    /// What is wrong with the `ExternalSecret`s, for who runs them.
    pub(crate) faults_of_external_secrets: Violations,
}

impl Documents {
    /// Reads every file, and keeps what could be read.
    ///
    /// Every violation of every document is pushed; its path begins with `FILE#DOCUMENT`.
    pub(crate) fn read(files: &[PathBuf], dialect: Dialect, violations: &mut Violations) -> Self {
        let mut documents = Self::default();
        for file in files {
            let shown = file.display().to_string();
            match read_text(file, MAX_BYTES) {
                Ok(text) => documents.add_text(&shown, &text, dialect, violations),
                Err(problem) => violations.push(shown, problem),
            }
        }
        documents.find_twins(violations);
        documents
    }

    fn add_text(&mut self, file: &str, text: &str, dialect: Dialect, violations: &mut Violations) {
        let mut values = match parse(text) {
            Ok(values) => values,
            Err(NotYaml { problem, hint }) => {
                violations.push_with_hint(file, problem, hint);
                return;
            }
        };
        let mut is_empty = true;
        for (index, value) in values.iter().enumerate().filter(|(_, value)| !value.is_null()) {
            is_empty = false;
            let mut found = Violations::new();
            let mut of_external_secrets = Violations::new();
            self.add_document(value, dialect, &mut found, &mut of_external_secrets);
            let place = format!("{file}#{}", index + 1);
            violations.extend(found.below(&place));
            self.faults_of_external_secrets.extend(of_external_secrets.below(&place));
        }
        values.iter_mut().for_each(wipe);
        if is_empty {
            let hint = "write a document of kind STSAssumeRoleToken, STSSessionToken, \
                        ECRAuthorizationToken, ClusterGenerator or ExternalSecret";
            violations.push_with_hint(file, "holds no document", hint);
        }
    }

    fn add_document(
        &mut self,
        value: &Value,
        dialect: Dialect,
        violations: &mut Violations,
        of_external_secrets: &mut Violations,
    ) {
        let Some(mut top) =
            Fields::of(value, if value.is_object() { "" } else { "document" }, violations)
        else {
            return;
        };
        let Some(kind) = top.value("kind") else {
            violations.push_with_hint("kind", "is missing", "every document names its kind");
            return;
        };
        match kind.as_str().unwrap_or_default() {
            "List" => {
                for (path, item) in top.list("items", violations).unwrap_or_default() {
                    let (mut found, mut of_item) = (Violations::new(), Violations::new());
                    self.add_document(item, dialect, &mut found, &mut of_item);
                    violations.extend(found.below(&path));
                    of_external_secrets.extend(of_item.below(&path));
                }
            }
            kind if Grant::is_kind(kind) => match Grant::read(value, dialect) {
                Ok(grant) => self.grants.push(grant),
                Err(found) => violations.extend(found),
            },
            "Secret" => self.inputs.add_secret(value, violations),
            "ServiceAccount" => self.inputs.add_service_account(value, violations),
            "ConfigMap" => self.inputs.add_config_map(value, violations),
            ExternalSecret::KIND => match ExternalSecret::read(value) {
                Ok(external_secret) => self.external_secrets.push(external_secret),
                Err(found) => of_external_secrets.extend(found),
            },
            kind => refuse_kind(kind, violations),
        }
    }

    /// Two grants of one name in one namespace: which one is meant cannot be told.
    fn find_twins(&self, violations: &mut Violations) {
        for (index, grant) in self.grants.iter().enumerate() {
            let is_twin =
                |other: &&Grant| other.name == grant.name && other.namespace == grant.namespace;
            if self.grants.iter().take(index).any(|other| is_twin(&other)) {
                let path = format!("{}/{}", grant.namespace, grant.name);
                violations.push(path, "is the name of two grants");
            }
        }
    }
}

fn refuse_kind(kind: &str, violations: &mut Violations) {
    const KNOWN: [&str; 8] = [
        "STSAssumeRoleToken",
        "STSSessionToken",
        "ECRAuthorizationToken",
        "ClusterGenerator",
        "Secret",
        "ServiceAccount",
        "ConfigMap",
        "ExternalSecret",
    ];
    let hint = match nearest(kind, KNOWN) {
        Some(near) => format!("did you mean {near}?"),
        None => format!("this command knows {}", KNOWN.join(", ")),
    };
    violations.push_with_hint("kind", format_args!("'{}' is not known here", shown(kind)), hint);
}

/// A text that is not YAML.
#[derive(Debug)]
pub(crate) struct NotYaml {
    pub(crate) problem: String,
    pub(crate) hint: String,
}

/// Every document of a text; an empty one is `null`.
pub(crate) fn parse(text: &str) -> Result<Vec<Value>, NotYaml> {
    let options = serde_saphyr::options! { with_snippet: false };
    serde_saphyr::from_multiple_with_options(text, options).map_err(|error| {
        let place = error.location().map_or_else(String::new, |location| {
            format!(" (line {}, column {})", location.line(), location.column())
        });
        if let serde_saphyr::Error::DuplicateMappingKey { key, location } = error.without_snippet()
        {
            let key = key.as_deref().unwrap_or("a key");
            let is_top = location.column() == 1 && TOP_KEYS.contains(&key);
            let hint = if is_top {
                "a line --- is missing between two documents"
            } else {
                "leave one of them out"
            };
            return NotYaml {
                problem: format!("has the key {} twice{place}", shown(key)),
                hint: hint.to_owned(),
            };
        }
        if is_over_budget(&error) {
            let problem = format!("is nested too deep or grows too large{place}");
            return NotYaml { problem, hint: "write it out without so many aliases".to_owned() };
        }
        NotYaml { problem: format!("is not YAML{place}"), hint: hint_for(text) }
    })
}

/// Whether the document is refused for what it would grow to.
fn is_over_budget(error: &serde_saphyr::Error) -> bool {
    match error.without_snippet() {
        serde_saphyr::Error::AliasError { error, .. } => is_over_budget(error),
        serde_saphyr::Error::Budget { .. }
        | serde_saphyr::Error::AliasReplayLimitExceeded { .. }
        | serde_saphyr::Error::AliasExpansionLimitExceeded { .. }
        | serde_saphyr::Error::AliasReplayStackDepthExceeded { .. } => true,
        _ => false,
    }
}

/// What most often makes a copied text no YAML.
fn hint_for(text: &str) -> String {
    let hint = if text.contains("{{") || text.contains("${") {
        "it looks like a template: fill it in first, for example with helm template or envsubst"
    } else if text.contains('\0') {
        "it looks like UTF-16: save it as UTF-8"
    } else if text.lines().any(|line| line.trim_start_matches(' ').starts_with('\t')) {
        "YAML is indented with spaces, and a line begins with a tab"
    } else {
        "check the indentation, the quotes and the brackets there"
    };
    hint.to_owned()
}

/// Zeroes the strings of a document: it may have been a Secret.
pub(crate) fn wipe(value: &mut Value) {
    match value {
        Value::String(text) => text.zeroize(),
        Value::Array(items) => items.iter_mut().for_each(wipe),
        Value::Object(map) => map.values_mut().for_each(wipe),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Etcd takes objects of 1.5 MiB; a file of several is still far below this.
const MAX_BYTES: u64 = 8 * 1024 * 1024;
const TOP_KEYS: [&str; 5] = ["apiVersion", "kind", "metadata", "spec", "status"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(text: &str) -> Vec<String> {
        let mut documents = Documents::default();
        let mut violations = Violations::new();
        documents.add_text("f", text, Dialect::Aws, &mut violations);
        violations.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_bomb_of_aliases_is_refused() {
        let level = |level: usize| {
            let below = vec![format!("*a{level}"); 10].join(", ");
            format!("a{0}: &a{0} [{below}]", level + 1)
        };
        let levels: Vec<String> = (0..12).map(level).collect();
        let text = format!("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n{}", levels.join("\n"));
        assert!(told(&text)[0].starts_with("f: is nested too deep or grows too large"));
    }

    #[test]
    fn a_deep_nest_is_refused() {
        for text in ["[", "- "] {
            assert_eq!(told(&text.repeat(200_000)).len(), 1);
        }
    }

    #[test]
    fn a_list_is_read_as_its_items() {
        let text = r#"{"kind": "List", "items": [{"kind": "Nonsense"}, {"kind": "ConfigMap"}]}"#;
        assert_eq!(
            told(text),
            [
                "f#1 items[0] kind: 'Nonsense' is not known here",
                "f#1 items[1] metadata.name: is missing"
            ]
        );
    }

    proptest! {
        #[test]
        fn any_text_is_answered_without_a_panic(text in "\\PC{0,200}|[a-z:{}\\[\\] \n&*#|>-]{0,200}") {
            told(&text);
        }
    }
}

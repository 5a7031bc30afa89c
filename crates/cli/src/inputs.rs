//! What grants name: Secrets and ServiceAccounts, from documents or from a directory.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_engine::error::SourceError;
use rolecall_engine::fields::Fields;
use rolecall_engine::grant::KeyRef;
use rolecall_engine::violation::Violations;
use secrecy::SecretString;
use serde_json::Value;
use zeroize::Zeroizing;

type Name = (String, String);

/// Secrets and ServiceAccounts by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    secrets: HashMap<Name, HashMap<String, SecretString>>,
    /// The `eks.amazonaws.com/role-arn` of each account, where it has one.
    accounts: HashMap<Name, Option<String>>,
    pub(crate) secrets_dir: Option<PathBuf>,
}

impl Inputs {
    pub(crate) fn add_secret(&mut self, document: &Value, violations: &mut Violations) {
        let Some(mut top) = Fields::of(document, "", violations) else { return };
        let name = read_name(&mut top, violations);
        let mut values = HashMap::new();
        if let Some(data) = top.value("data").and_then(Value::as_object) {
            for (key, value) in data {
                match value.as_str().and_then(decode) {
                    Some(value) => drop(values.insert(key.clone(), value)),
                    None => violations.push(format!("data.{key}"), "is not base64 of UTF-8 text"),
                }
            }
        }
        if let Some(data) = top.value("stringData").and_then(Value::as_object) {
            for (key, value) in data {
                match value.as_str() {
                    Some(text) => drop(values.insert(key.clone(), SecretString::from(text))),
                    None => violations
                        .push(format!("stringData.{key}"), "must be a string; put it in quotes"),
                }
            }
        }
        if let Some(name) = name {
            self.secrets.insert(name, values);
        }
    }

    pub(crate) fn add_service_account(&mut self, document: &Value, violations: &mut Violations) {
        let Some(mut top) = Fields::of(document, "", violations) else { return };
        let Some(name) = read_name(&mut top, violations) else { return };
        let annotations = document.pointer("/metadata/annotations");
        let role = annotations.and_then(|all| all.get("eks.amazonaws.com/role-arn"));
        self.accounts.insert(name, role.and_then(Value::as_str).map(str::to_owned));
    }

    /// One value of a Secret, from the documents or the directory; raw, as Kubernetes keeps it.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] naming the Secret and the key.
    pub(crate) fn secret_value(
        &self,
        namespace: &str,
        reference: &KeyRef,
    ) -> Result<SecretString, SourceError> {
        let KeyRef { name, key } = reference;
        if let Some(values) = self.secrets.get(&(namespace.to_owned(), name.clone())) {
            return values.get(key).cloned().ok_or_else(|| SourceError::Missing {
                what: format!(
                    "cannot find secret data for key: \"{key}\" in Secret {namespace}/{name}"
                ),
                hint: Some(known_keys(values)),
            });
        }
        match &self.secrets_dir {
            Some(dir) => read_value(&dir.join(name).join(key)),
            None => Err(SourceError::Missing {
                what: format!("there is no Secret {namespace}/{name} among the documents"),
                hint: Some(self.where_to_put(namespace, name)),
            }),
        }
    }

    /// The role that a ServiceAccount is annotated with.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] when there is no such account, or none with a role.
    pub(crate) fn account_role(&self, namespace: &str, name: &str) -> Result<&str, SourceError> {
        match self.accounts.get(&(namespace.to_owned(), name.to_owned())) {
            Some(Some(role)) => Ok(role),
            Some(None) => Err(SourceError::Missing {
                what: format!(
                    "an IAM role must be associated with service account {name} (namespace: {namespace})"
                ),
                hint: Some("annotate it with eks.amazonaws.com/role-arn".to_owned()),
            }),
            None => Err(SourceError::Missing {
                what: format!("ServiceAccount \"{name}\" not found in namespace {namespace}"),
                hint: Some("add its document to the files given with -f".to_owned()),
            }),
        }
    }

    /// A grant never crosses namespaces, which surprises those who wrote `namespace:` in it.
    fn where_to_put(&self, namespace: &str, name: &str) -> String {
        let elsewhere = self.secrets.keys().find(|(_, other)| other == name);
        match elsewhere {
            Some((other, _)) => format!(
                "there is {other}/{name}, but a grant reads Secrets of its own namespace only"
            ),
            None => format!(
                "add the Secret to the files given with -f, in namespace {namespace}, or name a \
                 directory with --secrets-dir"
            ),
        }
    }
}

fn read_name(top: &mut Fields<'_>, violations: &mut Violations) -> Option<Name> {
    if !top.has("metadata") {
        violations.push("metadata.name", "is missing");
    }
    let mut metadata = top.object("metadata", violations)?;
    let name = metadata.required_text("name", violations)?;
    let namespace = metadata.text("namespace", violations).unwrap_or("default");
    Some((namespace.to_owned(), name.to_owned()))
}

fn decode(text: &str) -> Option<SecretString> {
    let compact: Zeroizing<String> =
        Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    let bytes = Zeroizing::new(STANDARD.decode(compact.as_bytes()).ok()?);
    std::str::from_utf8(&bytes).ok().map(SecretString::from)
}

fn known_keys(values: &HashMap<String, SecretString>) -> String {
    let mut keys: Vec<&str> = values.keys().map(String::as_str).collect();
    keys.sort_unstable();
    if keys.is_empty() {
        "it has no keys".to_owned()
    } else {
        format!("it has {}", keys.join(", "))
    }
}

fn read_value(path: &Path) -> Result<SecretString, SourceError> {
    let bytes = std::fs::read(path).map(Zeroizing::new).map_err(|error| SourceError::Missing {
        what: format!("{} cannot be read: {error}", path.display()),
        hint: Some("--secrets-dir holds one file per key, as DIR/NAME/KEY".to_owned()),
    })?;
    std::str::from_utf8(&bytes).map(SecretString::from).map_err(|_| SourceError::Missing {
        what: format!("{} is not UTF-8 text", path.display()),
        hint: None,
    })
}

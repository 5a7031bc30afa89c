//! What grants name: Secrets and ServiceAccounts, from documents or from a directory.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rolecall_aws::command;
use rolecall_engine::error::SourceError;
use rolecall_engine::fields::Fields;
use rolecall_engine::grant::{ExternalSecret, KeyRef, check_name, placeholder_in};
use rolecall_engine::plan::TokenFrom;
use rolecall_engine::render::{Data, Objects};
use rolecall_engine::session::Credentials;
use rolecall_engine::token::token_in;
use rolecall_engine::violation::{Violations, shown};
use secrecy::SecretString;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::files::{MOST_BYTES, read_text};
use crate::settings::named_variable;

type Name = (String, String);

/// Secrets and ServiceAccounts by namespace and name.
#[derive(Debug, Default)]
pub(crate) struct Inputs {
    secrets: HashMap<Name, Secret>,
    config_maps: HashMap<Name, BTreeMap<String, String>>,
    /// The `eks.amazonaws.com/role-arn` of each account, where it has one.
    accounts: HashMap<Name, Option<String>>,
    pub(crate) secrets_dir: Option<PathBuf>,
    /// The first reading of the token, if a grant needs it.
    pub(crate) token: Option<TokenInput>,
    /// The keys of [`SourceSpec::Given`](rolecall_engine::plan::SourceSpec).
    pub(crate) given: Option<Credentials>,
}

/// The keys of a Secret; nothing where a value could not be read.
type Secret = BTreeMap<String, Option<Data>>;

/// A web identity token and what it was when it was first read.
///
/// A pipe (`<(kubectl create token app)`) can be read once only.
#[derive(Clone, Debug)]
pub(crate) struct TokenInput {
    pub(crate) from: TokenFrom,
    pub(crate) first: Result<SecretString, SourceError>,
}

impl TokenInput {
    /// Reads the token for the first time.
    pub(crate) async fn read(from: TokenFrom) -> Self {
        let first = read_token(&from).await;
        Self { from, first }
    }
}

impl Inputs {
    pub(crate) fn add_secret(&mut self, document: &Value, violations: &mut Violations) {
        let Some(mut top) = Fields::of(document, "", violations) else { return };
        let name = read_name(&mut top, violations);
        let mut values = Secret::new();
        for (block, decoded) in [("data", true), ("stringData", false)] {
            let path = top.path_of(block);
            let Some(map) = top.value(block) else { continue };
            let Some(map) = map.as_object() else {
                violations.push(path, "must be a map of keys to strings");
                continue;
            };
            for (key, value) in map {
                let Some(text) = value.as_str() else {
                    let path = format!("{path}.{}", shown(key));
                    violations.push(path, "must be a string; put it in quotes");
                    values.insert(key.clone(), None);
                    continue;
                };
                match if decoded { decode(text) } else { Ok(Data::new(text.into())) } {
                    Ok(value) => drop(values.insert(key.clone(), Some(value))),
                    Err(NotBase64) => {
                        values.insert(key.clone(), None);
                        violations.push(format!("{path}.{}", shown(key)), "is not base64");
                    }
                }
            }
        }
        let Some(name) = name else { return };
        if self.secrets.insert(name, values).is_some() {
            violations.push("metadata.name", "is the name of two Secrets");
        }
    }

    pub(crate) fn add_config_map(&mut self, document: &Value, violations: &mut Violations) {
        let Some(mut top) = Fields::of(document, "", violations) else { return };
        let name = read_name(&mut top, violations);
        let data = top.object("data", violations);
        let keys = data.map(|data| data.texts_by_key(violations)).unwrap_or_default();
        let Some(name) = name else { return };
        let keys = keys.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned()));
        if self.config_maps.insert(name, keys.collect()).is_some() {
            violations.push("metadata.name", "is the name of two ConfigMaps");
        }
    }

    pub(crate) fn add_service_account(&mut self, document: &Value, violations: &mut Violations) {
        let Some(mut top) = Fields::of(document, "", violations) else { return };
        let Some(name) = read_name(&mut top, violations) else { return };
        let annotations = document.pointer("/metadata/annotations");
        let role = annotations.and_then(|all| all.get("eks.amazonaws.com/role-arn"));
        let role = role.and_then(Value::as_str).map(str::to_owned);
        if self.accounts.insert(name, role).is_some() {
            violations.push("metadata.name", "is the name of two ServiceAccounts");
        }
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
            let text = |value: &Data| std::str::from_utf8(value).ok().map(SecretString::from);
            let (what, hint) = match values.get(key).map(|value| value.as_ref().and_then(text)) {
                Some(Some(value)) => return Ok(value),
                Some(None) => {
                    (format!("the key \"{key}\" of Secret {namespace}/{name} is no text"), None)
                }
                None => (
                    format!(
                        "cannot find secret data for key: \"{key}\" in Secret {namespace}/{name}"
                    ),
                    Some(known_keys(values)),
                ),
            };
            return Err(SourceError::Missing { what, hint });
        }
        match &self.secrets_dir {
            Some(dir) => read_value(&dir.join(name).join(key)),
            None => Err(SourceError::Missing {
                what: format!("there is no Secret {namespace}/{name} among the documents"),
                hint: Some(self.where_to_put(namespace, name)),
            }),
        }
    }

    /// What the templates of an ExternalSecret name: objects of its namespace.
    pub(crate) fn objects_for(&self, asked: &ExternalSecret) -> Objects {
        let mut objects = Objects::default();
        let at = |name: &str| (asked.namespace.clone(), name.to_owned());
        let template = asked.target.template.iter();
        for from in template.flat_map(|template| &template.from) {
            if let Some(reference) = &from.config_map
                && let Some(keys) = self.config_maps.get(&at(&reference.name))
            {
                objects.add_config_map(&reference.name, keys.clone());
            }
            let Some(reference) = &from.secret else { continue };
            let keys: BTreeMap<String, Data> = match self.secrets.get(&at(&reference.name)) {
                Some(values) => {
                    let read = values.iter().filter_map(|(key, value)| Some((key, value.clone()?)));
                    read.map(|(key, value)| (key.clone(), value)).collect()
                }
                None => {
                    let Some(dir) = &self.secrets_dir else { continue };
                    let read = reference.items.iter().filter_map(|item| {
                        let text =
                            read_text(&dir.join(&reference.name).join(&item.key), MOST_BYTES);
                        let mut text = text.ok()?;
                        Some((item.key.clone(), Data::new(std::mem::take(&mut *text).into_bytes())))
                    });
                    read.collect()
                }
            };
            objects.add_secret(&reference.name, keys);
        }
        objects
    }

    /// The role that a ServiceAccount is annotated with.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] when there is no such account, or none with a role.
    pub(crate) fn account_role(&self, namespace: &str, name: &str) -> Result<&str, SourceError> {
        match self.accounts.get(&(namespace.to_owned(), name.to_owned())) {
            Some(Some(role)) if placeholder_in(role).is_some() => Err(SourceError::Missing {
                what: format!(
                    "the role-arn of ServiceAccount {namespace}/{name} still holds a placeholder"
                ),
                hint: Some("fill it in first, for example with envsubst".to_owned()),
            }),
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
    check_name("metadata.name", Some(name), violations);
    let namespace = metadata.text("namespace", violations).unwrap_or("default");
    Some((namespace.to_owned(), name.to_owned()))
}

struct NotBase64;

/// Base64 as Kubernetes writes it.
fn decode(text: &str) -> Result<Data, NotBase64> {
    let compact: Zeroizing<String> =
        Zeroizing::new(text.chars().filter(|c| !c.is_ascii_whitespace()).collect());
    STANDARD.decode(compact.as_bytes()).map(Data::new).map_err(|_| NotBase64)
}

fn known_keys(values: &Secret) -> String {
    let mut keys: Vec<String> = values.keys().map(|key| shown(key)).collect();
    keys.sort_unstable();
    if keys.is_empty() {
        "it has no keys".to_owned()
    } else {
        format!("it has {}", keys.join(", "))
    }
}

fn read_value(path: &Path) -> Result<SecretString, SourceError> {
    match read_text(path, MOST_BYTES) {
        Ok(text) => Ok(SecretString::from(text.as_str())),
        Err(problem) => Err(SourceError::Missing {
            what: format!("{} {problem}", path.display()),
            hint: Some("--secrets-dir holds one file per key, as DIR/NAME/KEY".to_owned()),
        }),
    }
}

fn is_variable_name(name: &str) -> bool {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(is_word)
        && name.len() <= 256
}

/// A token; a line break at its end is not part of it.
pub(crate) async fn read_token(from: &TokenFrom) -> Result<SecretString, SourceError> {
    let missing = |problem: &str| SourceError::Missing {
        what: match from {
            TokenFrom::File(file) => {
                format!("the web identity token file {} {problem}", file.display())
            }
            TokenFrom::Variable(name) => format!("the variable {name} {problem}"),
            TokenFrom::Command(_) => format!("the command of --web-identity-command {problem}"),
            TokenFrom::Given => format!("the input {problem}"),
        },
        hint: Some(match from {
            TokenFrom::Command(_) => "run it by itself: it must print one token".to_owned(),
            _ => "it gives one token, for example from kubectl create token".to_owned(),
        }),
    };
    let text = match from {
        TokenFrom::File(file) => {
            read_text(file, MOST_BYTES).map_err(|problem| missing(&problem))?
        }
        // Whoever gives the token for its name must not read it again in a log.
        TokenFrom::Variable(name) if !is_variable_name(name) => {
            return Err(SourceError::Missing {
                what: "this is no name of a variable".to_owned(),
                hint: Some("give the variable's name, not the token that it holds".to_owned()),
            });
        }
        TokenFrom::Variable(name) => {
            let value = named_variable(name).ok_or_else(|| missing("is not set"))?;
            Zeroizing::new(value.into_string().map_err(|_| missing("is no text"))?)
        }
        // It is read with the input, and never here.
        TokenFrom::Given => return Err(missing("gives no token")),
        TokenFrom::Command(line) => {
            command::output(line, &[]).await.map_err(|error| missing(&error.to_string()))?
        }
    };
    token_in(&text)
        .ok_or_else(|| missing("gives no token: a token is 4 to 20000 visible characters"))
}

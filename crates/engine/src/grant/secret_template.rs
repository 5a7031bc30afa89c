//! `spec.target.template`: what the Secret is made of, where it is not the generators' keys alone.
//!
//! Every text is parsed here, so that a template that cannot work is refused before any call. Rules
//! that guard the cluster stand here too: no Secret that is a token for its API, and no mark that ESO
//! keeps for itself.

use std::collections::BTreeMap;

use serde_json::Value;

use super::object_names::{check_key, check_name, is_qualified_name};
use crate::fields::{Fields, one_of};
use crate::template::{Fault, Origin, Template, TemplateError};
use crate::violation::{Violations, shown};

/// What the Secret is made of.
#[derive(Clone, Debug)]
pub struct SecretTemplate {
    /// Whether the generators' keys stay beside those of the template.
    pub merge_policy: MergePolicy,
    /// `type`; the Secret's own, or `Opaque`, where there is none.
    pub type_: Option<String>,
    /// `metadata.labels`.
    pub labels: BTreeMap<String, Template>,
    /// `metadata.annotations`.
    pub annotations: BTreeMap<String, Template>,
    /// `metadata.finalizers`.
    pub finalizers: Vec<String>,
    /// `data`: it wins over everything else.
    pub data: BTreeMap<String, Template>,
    /// `templateFrom`, in order.
    pub from: Vec<TemplateFrom>,
}

/// Whether the generators' keys stay beside those of the template.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum MergePolicy {
    /// They go.
    #[default]
    Replace,
    /// They stay.
    Merge,
}

/// One item of `templateFrom`.
#[derive(Clone, Debug)]
pub struct TemplateFrom {
    /// Where it stands in the document.
    pub path: String,
    /// Keys of a `ConfigMap`.
    pub config_map: Option<TemplateRef>,
    /// Keys of a Secret.
    pub secret: Option<TemplateRef>,
    /// A text that renders to a YAML map.
    pub literal: Option<Template>,
    /// What it fills.
    pub target: TemplateTarget,
    /// How its values are decoded.
    pub decoding: Decoding,
}

/// Keys of one object in the `ExternalSecret`'s namespace.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TemplateRef {
    /// The object's name.
    pub name: String,
    /// Its keys, in order.
    pub items: Vec<TemplateItem>,
}

/// One key of an object that holds templates.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TemplateItem {
    /// The key.
    pub key: String,
    /// What its text renders to.
    pub scope: TemplateScope,
}

/// What a template renders to.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TemplateScope {
    /// The value of its own key.
    #[default]
    Values,
    /// A YAML map of keys and values.
    KeysAndValues,
}

/// What a template fills.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum TemplateTarget {
    /// `data`.
    #[default]
    Data,
    /// `metadata.annotations`.
    Annotations,
    /// `metadata.labels`.
    Labels,
}

/// How rendered values are decoded.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Decoding {
    /// Not at all.
    #[default]
    None,
    /// As base64, or as its form for URLs, where they are either; else not at all.
    Auto,
    /// As base64.
    Base64,
    /// As base64 in the form for URLs.
    Base64Url,
}

impl SecretTemplate {
    pub(super) fn read(mut template: Fields<'_>, violations: &mut Violations) -> Self {
        let version = template.text("engineVersion", violations);
        if version.is_some_and(|version| version != "v2") {
            violations.push(template.path_of("engineVersion"), "must be v2");
        }
        let merge_policy = template.parsed("mergePolicy", violations, |word| {
            one_of(word, [MergePolicy::Replace, MergePolicy::Merge], |policy| match policy {
                MergePolicy::Replace => "Replace",
                MergePolicy::Merge => "Merge",
            })
        });
        let type_ = template.text("type", violations).filter(|type_| !type_.is_empty());
        let metadata = template.object("metadata", violations);
        let (labels, annotations, finalizers) = match metadata {
            Some(metadata) => read_metadata(metadata, violations),
            None => Default::default(),
        };
        let data = template.object("data", violations).map(|data| {
            read_templates(data, violations, |path, key, violations| {
                check_key(path, key, violations);
            })
        });
        let items = template.list("templateFrom", violations).unwrap_or_default();
        let from: Vec<_> = items
            .iter()
            .filter_map(|(path, item)| TemplateFrom::read(item, path, violations))
            .collect();
        let path = template.path().to_owned();
        template.finish(violations, |word| match word {
            "labels" | "annotations" | "finalizers" => {
                Some(format!("it stands in {path}.metadata"))
            }
            "stringData" => Some("data holds texts as they are".to_owned()),
            _ => None,
        });
        let read = Self {
            merge_policy: merge_policy.unwrap_or_default(),
            type_: type_.map(str::to_owned),
            labels,
            annotations,
            finalizers,
            data: data.unwrap_or_default(),
            from,
        };
        if let Some(problem) = read.forbidden_type() {
            violations.push(path, problem);
        }
        read
    }

    /// ESO's words for a Secret that would be a token for the cluster's API.
    fn forbidden_type(&self) -> Option<String> {
        const ACCOUNT: &str = "kubernetes.io/service-account.name";
        let type_ = self.type_.as_deref()?;
        let fills_annotations =
            self.from.iter().any(|from| from.target == TemplateTarget::Annotations);
        match type_ {
            "bootstrap.kubernetes.io/token" => {
                Some(format!("template.type=\"{type_}\" is not allowed"))
            }
            "kubernetes.io/service-account-token" if self.annotations.contains_key(ACCOUNT) => {
                Some(format!(
                    "template.type=\"{type_}\" with annotation \"{ACCOUNT}\" is not allowed"
                ))
            }
            "kubernetes.io/service-account-token" if fills_annotations => Some(format!(
                "template.type=\"{type_}\" with templateFrom target=\"Annotations\" is not allowed"
            )),
            _ => None,
        }
    }
}

type Metadata = (BTreeMap<String, Template>, BTreeMap<String, Template>, Vec<String>);

fn read_metadata(mut metadata: Fields<'_>, violations: &mut Violations) -> Metadata {
    let mut read = |key: &'static str, violations: &mut Violations| {
        let map = metadata.object(key, violations)?;
        Some(read_templates(map, violations, |path, key, violations| {
            if key.starts_with(RESERVED) {
                violations.push(path, IS_RESERVED);
            } else if !is_qualified_name(key) {
                violations.push(path, "is no name that Kubernetes takes for a label or annotation");
            }
        }))
    };
    let labels = read("labels", violations).unwrap_or_default();
    let annotations = read("annotations", violations).unwrap_or_default();
    let finalizers = metadata.texts("finalizers", violations).unwrap_or_default();
    for (path, finalizer) in &finalizers {
        if is_reserved_finalizer(finalizer) {
            violations.push(path, IS_RESERVED);
        } else if !is_qualified_name(finalizer) {
            violations.push(path, "is no name of a finalizer");
        }
    }
    metadata.finish(violations, |_| None);
    let finalizers = finalizers.into_iter().map(|(_, text)| text.to_owned()).collect();
    (labels, annotations, finalizers)
}

/// A map of keys to templates.
fn read_templates(
    map: Fields<'_>,
    violations: &mut Violations,
    check: impl Fn(&str, &str, &mut Violations),
) -> BTreeMap<String, Template> {
    let path = map.path().to_owned();
    let mut templates = BTreeMap::new();
    for (key, text) in map.texts_by_key(violations) {
        let path = format!("{path}.{}", shown(key));
        check(&path, key, violations);
        if let Some(template) = parse(&path, key, text, violations) {
            templates.insert(key.to_owned(), template);
        }
    }
    templates
}

fn parse(path: &str, key: &str, text: &str, violations: &mut Violations) -> Option<Template> {
    match Template::parse(text, Origin::Public) {
        Ok(template) => Some(template),
        Err(error) => {
            let problem = format!("unable to parse template at key {}: {error}", shown(key));
            match parse_hint(&error) {
                Some(hint) => violations.push_with_hint(path, problem, hint),
                None => violations.push(path, problem),
            }
            None
        }
    }
}

/// What to do about a template that does not parse.
pub(crate) fn parse_hint(error: &TemplateError) -> Option<String> {
    match &error.fault {
        Fault::UnsupportedFunction(_) | Fault::UndefinedFunction(_) => {
            Some("docs/guides/templates.md lists the functions".to_owned())
        }
        Fault::Syntax("bad character") => {
            Some("a key with - or . in its name is taken by {{ index . \"KEY\" }}".to_owned())
        }
        _ => None,
    }
}

impl TemplateFrom {
    fn read(item: &Value, path: &str, violations: &mut Violations) -> Option<Self> {
        let mut from = Fields::of(item, path, violations)?;
        let config_map = from.object("configMap", violations);
        let config_map = config_map.and_then(|fields| TemplateRef::read(fields, violations));
        let secret = from.object("secret", violations);
        let secret = secret.and_then(|fields| TemplateRef::read(fields, violations));
        let literal_path = from.path_of("literal");
        let literal = from
            .text("literal", violations)
            .and_then(|text| parse(&literal_path, "literal", text, violations));
        if !["configMap", "secret", "literal"].iter().any(|word| from.has(word)) {
            violations.push(path, "must have one of configMap, secret and literal");
        }
        let target = from.parsed("target", violations, read_target);
        let decoding = from.parsed("valuesDecodingStrategy", violations, |word| {
            let all = [Decoding::Auto, Decoding::Base64, Decoding::Base64Url, Decoding::None];
            one_of(word, all, |decoding| match decoding {
                Decoding::None => "None",
                Decoding::Auto => "Auto",
                Decoding::Base64 => "Base64",
                Decoding::Base64Url => "Base64URL",
            })
        });
        from.finish(violations, |_| None);
        let (target, decoding) = (target.unwrap_or_default(), decoding.unwrap_or_default());
        Some(Self { path: path.to_owned(), config_map, secret, literal, target, decoding })
    }
}

/// ESO takes any case, and nothing for `Data`.
fn read_target(word: &str) -> Result<TemplateTarget, String> {
    match word.to_ascii_lowercase().as_str() {
        "" | "data" => Ok(TemplateTarget::Data),
        "annotations" => Ok(TemplateTarget::Annotations),
        "labels" => Ok(TemplateTarget::Labels),
        _ => Err(format!(
            "templateFrom target=\"{}\" is not allowed when targeting a Secret, must be one of \"Data\", \"Annotations\" or \"Labels\"",
            shown(word)
        )),
    }
}

impl TemplateRef {
    fn read(mut reference: Fields<'_>, violations: &mut Violations) -> Option<Self> {
        let name = reference.required_text("name", violations);
        check_name(&reference.path_of("name"), name, violations);
        if !reference.has("items") {
            violations.push(reference.path_of("items"), "is missing");
        }
        let items = reference.list("items", violations).unwrap_or_default();
        let items: Vec<_> = items
            .iter()
            .filter_map(|(path, item)| TemplateItem::read(item, path, violations))
            .collect();
        reference.finish(violations, |_| None);
        Some(Self { name: name?.to_owned(), items })
    }
}

impl TemplateItem {
    fn read(item: &Value, path: &str, violations: &mut Violations) -> Option<Self> {
        let mut fields = Fields::of(item, path, violations)?;
        let key = fields.required_text("key", violations);
        if let Some(key) = key {
            check_key(&fields.path_of("key"), key, violations);
        }
        let scope = fields.parsed("templateAs", violations, |word| {
            let all = [TemplateScope::Values, TemplateScope::KeysAndValues];
            one_of(word, all, |scope| match scope {
                TemplateScope::Values => "Values",
                TemplateScope::KeysAndValues => "KeysAndValues",
            })
        });
        fields.finish(violations, |_| None);
        Some(Self { key: key?.to_owned(), scope: scope.unwrap_or_default() })
    }
}

/// What ESO keeps for itself.
pub(crate) const RESERVED: &str = "reconcile.external-secrets.io/";
const IS_RESERVED: &str = "is kept for the controller: no template may set it";

/// Whether a finalizer is the controllers' own.
fn is_reserved_finalizer(finalizer: &str) -> bool {
    let domain = finalizer.split('/').next().unwrap_or_default();
    domain == "external-secrets.io" || domain.ends_with(".external-secrets.io")
}

#[cfg(test)]
mod tests;

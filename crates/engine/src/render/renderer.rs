//! From the keys of all entries to the Secret: in ESO's order, every fault at once.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::error::{Located, RenderError, RenderErrors};
use super::existing::Existing;
use super::hash::{self, field_manager};
use super::objects::Objects;
use super::rendering::Rendering;
use super::secret::{SecretObject, reserved};
use super::{Data, Text};
use crate::grant::{
    CreationPolicy, Decoding, ExternalSecret, MergePolicy, RESERVED, SecretTemplate, TemplateRef,
    TemplateScope, TemplateTarget,
};
use crate::template::{Origin, Template};

/// An `ExternalSecret` whose templates are all there and parsed.
#[derive(Debug)]
pub struct Renderer {
    asked: ExternalSecret,
    /// Those of `templateFrom`, in order.
    from: Vec<Piece>,
}

/// One template of `templateFrom`.
#[derive(Debug)]
pub(super) struct Piece {
    pub(super) path: String,
    /// The key it stands under; for a literal, `literal`.
    pub(super) key: String,
    pub(super) template: Template,
    pub(super) scope: TemplateScope,
    pub(super) target: TemplateTarget,
    pub(super) decoding: Decoding,
}

/// What was rendered.
#[derive(Debug)]
pub struct Rendered {
    /// The Secret; where there was one, as it is after the write.
    pub secret: SecretObject,
    /// For each key that comes from this `ExternalSecret`, the field that it comes from.
    pub origins: BTreeMap<String, String>,
}

impl Renderer {
    /// Takes what `templateFrom` names out of `objects`, and parses it.
    ///
    /// # Errors
    ///
    /// Every object and key that is missing, and every text that is no template.
    pub fn new(asked: ExternalSecret, objects: &Objects) -> Result<Self, RenderErrors> {
        let mut faults = Vec::new();
        let mut from = Vec::new();
        let template = asked.target.template.as_ref();
        for item in template.into_iter().flat_map(|template| &template.from) {
            let piece = |path: String, key: &str, template, scope| Piece {
                path,
                key: key.to_owned(),
                template,
                scope,
                target: item.target,
                decoding: item.decoding,
            };
            let parts =
                [(item.config_map.as_ref(), Kind::ConfigMap), (item.secret.as_ref(), Kind::Secret)];
            for (reference, kind) in parts {
                let Some(reference) = reference else { continue };
                let path = format!("{}.{}", item.path, kind.field());
                for (index, wanted) in reference.items.iter().enumerate() {
                    let path = format!("{path}.items[{index}]");
                    match kind.parse(reference, &wanted.key, objects) {
                        Ok(template) => {
                            from.push(piece(path, &wanted.key, template, wanted.scope));
                        }
                        Err(error) => faults.push(Located { path, error }),
                    }
                }
            }
            if let Some(literal) = &item.literal {
                let path = format!("{}.literal", item.path);
                from.push(piece(path, "literal", literal.clone(), TemplateScope::KeysAndValues));
            }
        }
        // One that is not there at all is told once.
        faults.dedup_by(|one, other| {
            one.error == other.error && matches!(one.error, RenderError::Missing { .. })
        });
        if faults.is_empty() { Ok(Self { asked, from }) } else { Err(RenderErrors(faults)) }
    }

    /// What it renders.
    pub fn asked(&self) -> &ExternalSecret {
        &self.asked
    }

    /// Tells what no value of these keys could mend: a key that is taken and not there.
    ///
    /// # Errors
    ///
    /// Every such place.
    pub fn check(&self, has: impl Fn(&str) -> bool) -> Result<(), RenderErrors> {
        let own = self.asked.target.template.iter().flat_map(fields);
        let own = own.map(|(path, key, template, _)| (path, key.to_owned(), template));
        let from = self.from.iter();
        let from = from.map(|piece| (piece.path.clone(), piece.key.clone(), &piece.template));
        let mut faults = Vec::new();
        for (path, key, template) in from.chain(own) {
            for error in template.missing(&has) {
                let error = RenderError::Execute { key: key.clone(), error };
                faults.push(Located { path: path.clone(), error });
            }
        }
        if faults.is_empty() { Ok(()) } else { Err(RenderErrors(faults)) }
    }

    /// Renders the Secret from the keys of all entries, later keys winning; `now` is the time for the
    /// functions that ask for it.
    ///
    /// # Errors
    ///
    /// Every template that fails, by its field; nothing in it is a value, or was made of one.
    pub fn render(
        &self,
        entries: impl IntoIterator<Item = BTreeMap<String, Text>>,
        existing: Option<&Existing>,
        now: Timestamp,
    ) -> Result<Rendered, RenderErrors> {
        let mut keys: BTreeMap<String, Data> = BTreeMap::new();
        let mut origins = BTreeMap::new();
        for (index, entry) in entries.into_iter().enumerate() {
            for (key, mut value) in entry {
                origins.insert(key.clone(), format!("spec.dataFrom[{index}]"));
                keys.insert(key, Data::new(std::mem::take(&mut *value).into_bytes()));
            }
        }
        let mut rendering = Rendering::new(&keys, now);
        match &self.asked.target.template {
            None => {
                rendering.labels = copied(&self.asked.labels);
                rendering.annotations = copied(&self.asked.annotations);
                rendering.take_keys(&origins);
            }
            Some(template) => self.apply(template, &origins, &mut rendering),
        }
        rendering.check_size();
        let Rendering { faults, data, labels, annotations, origins, .. } = rendering;
        if !faults.is_empty() {
            return Err(RenderErrors(faults));
        }
        let secret = self.secret(data, labels, annotations, existing);
        Ok(Rendered { secret, origins })
    }

    fn apply(
        &self,
        template: &SecretTemplate,
        origins: &BTreeMap<String, String>,
        rendering: &mut Rendering<'_>,
    ) {
        let is_empty = template.data.is_empty() && template.from.is_empty();
        if template.merge_policy == MergePolicy::Merge || is_empty {
            rendering.take_keys(origins);
        }
        for piece in &self.from {
            rendering.add_piece(piece);
        }
        for (path, key, template, target) in fields(template) {
            if let Some(value) = rendering.rendered(&path, key, template) {
                rendering.put(&path, key, value, target, Some(key));
            }
        }
    }

    /// The object with the controller's own marks, over what is there.
    fn secret(
        &self,
        data: BTreeMap<String, Data>,
        labels: BTreeMap<String, String>,
        annotations: BTreeMap<String, String>,
        existing: Option<&Existing>,
    ) -> SecretObject {
        let ExternalSecret { name, namespace, target, .. } = &self.asked;
        let template = target.template.as_ref();
        let merges =
            matches!(target.creation_policy, CreationPolicy::Merge | CreationPolicy::CreateOrMerge);
        let mut secret = SecretObject {
            namespace: namespace.clone(),
            name: target.name.clone(),
            type_: template.and_then(|template| template.type_.clone()).unwrap_or_default(),
            immutable: target.immutable,
            labels: BTreeMap::new(),
            annotations: BTreeMap::new(),
            finalizers: Vec::new(),
            data: BTreeMap::new(),
        };
        if let Some(existing) = existing {
            let manager = field_manager(name);
            secret.labels = copied(&existing.foreign_labels(&manager));
            secret.annotations = copied(&existing.foreign_annotations(&manager));
            secret.finalizers.clone_from(&existing.finalizers);
            // What is immutable is there to stay.
            if secret.type_.is_empty() || target.immutable {
                secret.type_.clone_from(&existing.type_);
            }
            if target.immutable {
                secret.data.clone_from(&existing.data);
            } else if merges {
                secret.data = existing.foreign_data(&manager);
            }
        }
        if secret.type_.is_empty() {
            "Opaque".clone_into(&mut secret.type_);
        }
        secret.labels.extend(labels);
        secret.annotations.extend(annotations);
        let finalizers = template.into_iter().flat_map(|template| &template.finalizers);
        for finalizer in finalizers {
            if !secret.finalizers.contains(finalizer) {
                secret.finalizers.push(finalizer.clone());
            }
        }
        if !(target.immutable && existing.is_some()) {
            secret.data.extend(data);
        }
        secret.labels.insert(reserved("managed"), "true".to_owned());
        if target.creation_policy == CreationPolicy::Owner {
            let owner = hash::created_by(namespace, name);
            secret.labels.insert(reserved("created-by"), owner);
        }
        // Where other keys may be in the Secret the hash is over them too.
        if existing.is_some() || !merges {
            secret.annotations.insert(reserved("data-hash"), hash::of_data(&secret.data));
        }
        secret
    }
}

/// The templates of `data` and `metadata`, in ESO's order.
fn fields(
    template: &SecretTemplate,
) -> impl Iterator<Item = (String, &str, &Template, TemplateTarget)> {
    let groups = [
        ("data", &template.data, TemplateTarget::Data),
        ("metadata.labels", &template.labels, TemplateTarget::Labels),
        ("metadata.annotations", &template.annotations, TemplateTarget::Annotations),
    ];
    groups.into_iter().flat_map(|(field, templates, target)| {
        templates.iter().map(move |(key, template)| {
            (format!("spec.target.template.{field}.{key}"), key.as_str(), template, target)
        })
    })
}

#[derive(Clone, Copy)]
enum Kind {
    ConfigMap,
    Secret,
}

impl Kind {
    fn field(self) -> &'static str {
        match self {
            Self::ConfigMap => "configMap",
            Self::Secret => "secret",
        }
    }

    fn parse(
        self,
        reference: &TemplateRef,
        key: &str,
        objects: &Objects,
    ) -> Result<Template, RenderError> {
        let name = || reference.name.clone();
        let missing = |kind| RenderError::Missing { kind, name: name() };
        let missing_key =
            |kind| RenderError::MissingKey { kind, name: name(), key: key.to_owned() };
        let (text, origin) = match self {
            Self::ConfigMap => {
                let object = objects.config_map(&reference.name);
                let object = object.ok_or_else(|| missing("configmaps"))?;
                let text = object.get(key).ok_or_else(|| missing_key("configmap"))?;
                (text.as_str(), Origin::Public)
            }
            Self::Secret => {
                let object = objects.secret(&reference.name).ok_or_else(|| missing("secrets"))?;
                let bytes = object.get(key).ok_or_else(|| missing_key("secret"))?;
                let text = std::str::from_utf8(bytes).map_err(|_| RenderError::NotText {
                    kind: "secret",
                    name: name(),
                    key: key.to_owned(),
                })?;
                (text, Origin::Secret)
            }
        };
        Template::parse(text, origin)
            .map_err(|error| RenderError::Parse { key: key.to_owned(), error })
    }
}

fn copied(map: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    map.iter()
        .filter(|(key, _)| !key.starts_with(RESERVED))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests;

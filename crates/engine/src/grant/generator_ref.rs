//! `generatorRef`: which generator an entry of an ExternalSecret names.

use std::fmt;

use super::{ASSUME_ROLE_KIND, Ask, CLUSTER_KIND, GENERATORS_API_VERSION, Grant};
use super::{REGISTRY_KEYS, REGISTRY_TOKEN_KIND, SESSION_KEYS, SESSION_TOKEN_KIND, check_name};
use crate::fields::Fields;
use crate::violation::{Violations, nearest, shown};

/// The generator that an entry names; its namespace is always the ExternalSecret's.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct GeneratorRef {
    /// `kind`.
    pub kind: GeneratorKind,
    /// `name`.
    pub name: String,
}

/// The kinds of generators that rolecall runs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum GeneratorKind {
    /// `STSAssumeRoleToken`.
    AssumeRole,
    /// `STSSessionToken`.
    SessionToken,
    /// `ECRAuthorizationToken`.
    RegistryToken,
    /// `ClusterGenerator`, which wraps one of the others.
    Cluster,
}

impl GeneratorKind {
    const ALL: [Self; 4] =
        [Self::AssumeRole, Self::SessionToken, Self::RegistryToken, Self::Cluster];

    /// The kind as ESO writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AssumeRole => ASSUME_ROLE_KIND,
            Self::SessionToken => SESSION_TOKEN_KIND,
            Self::RegistryToken => REGISTRY_TOKEN_KIND,
            Self::Cluster => CLUSTER_KIND,
        }
    }

    /// The keys of such a generator, whose document is not known; of a wrapped one nothing is.
    ///
    /// An `ECRAuthorizationToken` is taken for one of a private registry.
    pub fn usual_keys(self) -> Option<&'static [&'static str]> {
        match self {
            Self::AssumeRole | Self::SessionToken => Some(SESSION_KEYS),
            Self::RegistryToken => Some(REGISTRY_KEYS),
            Self::Cluster => None,
        }
    }

    fn of(grant: &Grant) -> Self {
        match &grant.ask {
            _ if grant.is_cluster_wide => Self::Cluster,
            Ask::AssumeRole(_) => Self::AssumeRole,
            Ask::SessionToken(_) => Self::SessionToken,
            Ask::RegistryToken(_) => Self::RegistryToken,
        }
    }
}

impl fmt::Display for GeneratorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl GeneratorRef {
    /// Whether it names `grant`, seen from an ExternalSecret in `namespace`.
    ///
    /// A `ClusterGenerator` has no namespace, so any namespace reaches it.
    pub fn names(&self, grant: &Grant, namespace: &str) -> bool {
        self.kind == GeneratorKind::of(grant)
            && self.name == grant.name
            && (grant.is_cluster_wide || grant.namespace == namespace)
    }

    pub(super) fn read(mut reference: Fields<'_>, violations: &mut Violations) -> Option<Self> {
        let version = reference.text("apiVersion", violations).unwrap_or(GENERATORS_API_VERSION);
        let kind = reference.required_text("kind", violations);
        let name = reference.required_text("name", violations);
        check_name(&reference.path_of("name"), name, violations);
        if let Err(problem) = check_version(version, kind.unwrap_or_default()) {
            violations.push(reference.path_of("apiVersion"), problem);
        }
        let kind_path = reference.path_of("kind");
        let kind = kind.and_then(|word| read_kind(word, kind_path, violations));
        reference.finish(violations, |word| match word {
            "namespace" => {
                Some("the generator is looked for in the ExternalSecret's own".to_owned())
            }
            _ => None,
        });
        Some(Self { kind: kind?, name: name?.to_owned() })
    }
}

fn read_kind(word: &str, path: String, violations: &mut Violations) -> Option<GeneratorKind> {
    let kind = GeneratorKind::ALL.into_iter().find(|kind| kind.as_str() == word);
    if kind.is_none() {
        let known = GeneratorKind::ALL.map(GeneratorKind::as_str);
        let hint = match nearest(word, known) {
            Some(near) => format!("did you mean {near}?"),
            None => format!("it is one of {}", known.join(", ")),
        };
        let problem = format_args!("'{}' is no kind of generator here", shown(word));
        violations.push_with_hint(path, problem, hint);
    }
    kind
}

/// ESO's three answers to a version that it does not serve.
fn check_version(version: &str, kind: &str) -> Result<(), String> {
    let (group, number) = version.split_once('/').unwrap_or(("", version));
    let our_group = GENERATORS_API_VERSION.split_once('/').map_or("", |(group, _)| group);
    if version == GENERATORS_API_VERSION {
        Ok(())
    } else if number.contains('/') {
        let version = shown(version);
        Err(format!(
            "generatorRef has invalid APIVersion: unexpected GroupVersion string: {version}"
        ))
    } else if group != our_group {
        let group = shown(group);
        Err(format!("generatorRef may only reference the generators group, but got {group}"))
    } else {
        let (version, kind) = (shown(version), shown(kind));
        Err(format!("generatorRef references unknown GVK {version}, Kind={kind}"))
    }
}

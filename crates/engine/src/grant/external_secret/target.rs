//! `spec.target`: the Secret that is written.

use crate::fields::{Fields, one_of};
use crate::grant::{SecretTemplate, check_name};
use crate::violation::Violations;

/// The Secret that is written.
#[derive(Clone, Debug)]
pub struct Target {
    /// Its name: the ExternalSecret's own where none is given.
    pub name: String,
    /// How it comes to be, and whose it is.
    pub creation_policy: CreationPolicy,
    /// What becomes of it when there is no data, or no ExternalSecret.
    pub deletion_policy: DeletionPolicy,
    /// Whether Kubernetes shall refuse every later change of its data.
    pub immutable: bool,
    /// What it is made of, where that is not the generators' keys as they are.
    pub template: Option<SecretTemplate>,
}

/// How the Secret comes to be, and whose it is.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum CreationPolicy {
    /// Created, owned by the ExternalSecret, and holding its keys alone.
    #[default]
    Owner,
    /// Created, owned by nobody, and holding its keys alone.
    Orphan,
    /// Never created: its keys are added to a Secret that is there.
    Merge,
    /// Not written.
    None,
    /// Created like `Orphan`, and filled like `Merge`.
    CreateOrMerge,
}

/// What becomes of the Secret when there is no data, or no ExternalSecret.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum DeletionPolicy {
    /// It stays, unless its owner goes.
    #[default]
    Retain,
    /// It is deleted.
    Delete,
    /// Its keys are taken out of it.
    Merge,
}

impl CreationPolicy {
    const ALL: [Self; 5] =
        [Self::Owner, Self::Orphan, Self::Merge, Self::None, Self::CreateOrMerge];

    /// The policy as ESO writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "Owner",
            Self::Orphan => "Orphan",
            Self::Merge => "Merge",
            Self::None => "None",
            Self::CreateOrMerge => "CreateOrMerge",
        }
    }
}

impl DeletionPolicy {
    const ALL: [Self; 3] = [Self::Retain, Self::Delete, Self::Merge];

    /// The policy as ESO writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Retain => "Retain",
            Self::Delete => "Delete",
            Self::Merge => "Merge",
        }
    }
}

impl Target {
    /// Reads `target` of a spec; `default_name` names the Secret where nothing else does.
    pub(super) fn read_in(
        spec: &mut Fields<'_>,
        default_name: &str,
        violations: &mut Violations,
    ) -> Option<Self> {
        let default = Self {
            name: default_name.to_owned(),
            creation_policy: CreationPolicy::default(),
            deletion_policy: DeletionPolicy::default(),
            immutable: false,
            template: None,
        };
        if !spec.has("target") {
            spec.value("target");
            return Some(default);
        }
        let mut target = spec.object("target", violations)?;
        // ESO takes an empty name for none.
        let name = target.text("name", violations).filter(|name| !name.is_empty());
        check_name(&target.path_of("name"), name, violations);
        let creation = target.parsed("creationPolicy", violations, |word| {
            one_of(word, CreationPolicy::ALL, CreationPolicy::as_str)
        });
        let deletion = target.parsed("deletionPolicy", violations, |word| {
            one_of(word, DeletionPolicy::ALL, DeletionPolicy::as_str)
        });
        let immutable = target.boolean("immutable", violations).unwrap_or_default();
        let template = target.object("template", violations);
        let template = template.map(|template| SecretTemplate::read(template, violations));
        if target.value("manifest").is_some() {
            let problem = "invalid generic target: rolecall writes Secrets alone";
            violations.push(target.path_of("manifest"), problem);
        }
        let path = target.path_of("deletionPolicy");
        target.finish(violations, |_| None);
        let (creation_policy, deletion_policy) =
            (creation.unwrap_or_default(), deletion.unwrap_or_default());
        if let Some(problem) = conflict(creation_policy, deletion_policy) {
            violations.push(path, problem);
        }
        let name = name.unwrap_or(default_name).to_owned();
        Some(Self { name, creation_policy, deletion_policy, immutable, template })
    }
}

/// ESO's words for policies that do not go together.
fn conflict(creation: CreationPolicy, deletion: DeletionPolicy) -> Option<&'static str> {
    use CreationPolicy::{CreateOrMerge, Merge, None as Nothing};
    match (creation, deletion) {
        (Merge | Nothing | CreateOrMerge, DeletionPolicy::Delete) => Some(
            "deletionPolicy=Delete must not be used when the controller doesn't own the secret. Please set creationPolicy=Owner",
        ),
        (Nothing, DeletionPolicy::Merge) => Some(
            "deletionPolicy=Merge must not be used with creationPolicy=None. There is no Secret to merge with",
        ),
        _ => None,
    }
}

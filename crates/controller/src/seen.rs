//! What a pass knows of one ExternalSecret: facts, never a value of a Secret.

mod announcement;

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use rolecall_engine::grant::{CreationPolicy, DeletionPolicy};

pub use self::announcement::Announcement;
use crate::failure::{Failure, Reason};
use crate::schedule::{Life, Seed};
use crate::window::Windows;

/// Everything that [`decide`](crate::decide::decide) looks at.
#[derive(Clone, Debug)]
pub struct Seen {
    /// The object itself.
    pub object: ObjectFacts,
    /// What it asks for.
    pub wanted: Wanted,
    /// The Secret that it asks for, as it is now.
    pub target: Target,
    /// Other Secrets that it owns: it was renamed.
    pub orphans: Vec<String>,
    /// The generators and what they name.
    pub inputs: Inputs,
    /// What earlier passes left.
    pub past: Past,
    /// What this pass did.
    pub pass: Pass,
    /// How the controller was started.
    pub rules: Rules,
}

/// Metadata of the ExternalSecret.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ObjectFacts {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.generation`.
    pub generation: i64,
    /// What `status.syncedResourceVersion` is after a sync: generation, labels and annotations.
    pub version: String,
    /// The value of the annotation `force-sync`.
    pub force_sync: Option<String>,
    /// Whether it is being deleted.
    pub is_deleting: bool,
    /// Whether it has the finalizer.
    pub has_finalizer: bool,
    /// Whether another controller wrote the status after we did.
    pub is_fought_for: bool,
}

/// What an object asks for.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// Not ours: never written.
    OutOfScope,
    /// Some of it is ours and some is not: said once, not written.
    Mixed,
    /// Ours, and it cannot be read.
    Invalid {
        /// Why, in one sentence.
        message: String,
        /// What the condition `Ready` says.
        ready: Ready,
    },
    /// Ours.
    Secret(Spec),
}

/// When to refresh, and what to do with the Secret.
#[derive(Clone, Debug)]
pub struct Spec {
    /// `refreshPolicy`.
    pub refresh: RefreshPolicy,
    /// `refreshInterval`; zero or less is never.
    pub interval: SignedDuration,
    /// `syncWindows`.
    pub windows: Option<Windows>,
    /// `target.creationPolicy`.
    pub creation: CreationPolicy,
    /// `target.deletionPolicy`.
    pub deletion: DeletionPolicy,
    /// `target.immutable`.
    pub is_immutable: bool,
    /// Whether a generator has both forms of auth.
    pub has_both_auths: bool,
}

impl Spec {
    /// Whether credentials are renewed before they end.
    pub fn renews(&self) -> bool {
        self.refresh == RefreshPolicy::Periodic && self.interval > SignedDuration::ZERO
    }
}

/// `spec.refreshPolicy`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum RefreshPolicy {
    /// Once, and again when the target is not valid.
    CreatedOnce,
    /// At the interval and before the end.
    #[default]
    Periodic,
    /// When the ExternalSecret changes.
    OnChange,
}

/// The Secret that is asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// Not looked at yet.
    Unread,
    /// Not there.
    Absent,
    /// There.
    Present(TargetFacts),
    /// It could not be read.
    Unreadable(Failure),
}

/// What counts of a Secret that is there.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with a name")]
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TargetFacts {
    /// `metadata.uid`.
    pub uid: String,
    /// `metadata.resourceVersion`.
    pub resource_version: String,
    /// Whether it has the label `managed`.
    pub is_managed: bool,
    /// Whether its `data-hash` is that of its data.
    pub hash_fits: bool,
    /// Whose it is.
    pub owner: Owner,
    /// `immutable`.
    pub is_immutable: bool,
    /// Whether it has keys that this ExternalSecret did not write.
    pub has_foreign_keys: bool,
}

/// Whose a Secret is, by its controller reference: kind and name count, not the UID.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Owner {
    /// Nobody's.
    Nobody,
    /// This ExternalSecret's.
    Us,
    /// Another ExternalSecret's.
    OtherExternalSecret,
    /// Another kind of controller's.
    OtherController,
}

/// The generators and what they name.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Inputs {
    /// Not looked at yet.
    Unread,
    /// Each entry has its plan.
    Ready {
        /// The digest of all plans.
        plan: String,
        /// How many objects share the generators, this one included.
        sharers: usize,
        /// What the key Secrets are, where they were looked at.
        key_version: Option<String>,
    },
    /// There is no plan.
    Failed(Failure),
}

/// What earlier passes left: from memory, or after a start from the status.
#[derive(Clone, Debug, Default)]
pub struct Past {
    /// The last sync that worked.
    pub synced: Option<Synced>,
    /// The lives of the stored credentials, one for each entry; empty where they are not known.
    pub lives: Vec<Life>,
    /// When they are renewed, as it was planned when they were stored.
    pub renewal: Option<Timestamp>,
    /// The sessions themselves, so that they can be written again.
    pub held: Option<Held>,
    /// The digest of the plans that the stored credentials answer, where it is known.
    pub plan: Option<String>,
    /// The `force-sync` of the last mint, where this process made it.
    pub force_sync: Option<Option<String>>,
    /// The failure that has not been mended yet.
    pub failure: Option<Failure>,
    /// How often the target was repaired, and when last.
    pub drift: Option<Drift>,
    /// What was announced of this generation.
    pub announced: BTreeSet<Announcement>,
    /// The condition `Ready` as it was written last.
    pub ready: Option<Ready>,
    /// The reason of `Refreshing` as it was written last.
    pub refreshing: Option<Refreshing>,
    /// What the object was when the marks of a Secret that keeps its data were written.
    pub marked: Option<String>,
    /// Whether the last status could not be written.
    pub is_unreported: bool,
    /// Since when another plan is asked for than the stored one.
    pub other_plan_since: Option<Timestamp>,
    /// Whether this process has delivered no session for the object yet.
    pub is_first: bool,
    /// When this process saw the object first.
    pub seen_since: Option<Timestamp>,
}

/// Sessions that this process holds, of every entry.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Held {
    /// Their lives.
    pub lives: Vec<Life>,
    /// The digest of the plans that they answer.
    pub plan: String,
    /// Whether they are in the Secret.
    pub is_written: bool,
}

/// A sync that worked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Synced {
    /// When it began.
    pub at: Timestamp,
    /// What the object was.
    pub version: String,
}

/// Repairs of a target that somebody else changes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Drift {
    /// When it was repaired last.
    pub last: Timestamp,
    /// How many times in a row.
    pub count: u32,
}

/// What this pass did.
#[expect(clippy::struct_excessive_bools, reason = "independent facts, each with a name")]
#[derive(Clone, Debug)]
pub struct Pass {
    /// When it began.
    pub started: Timestamp,
    /// Whether every entry was minted.
    pub has_minted: bool,
    /// Whether the Secret was written, and for what.
    pub wrote: Option<Write>,
    /// Whether foreign keys were removed.
    pub has_wiped: bool,
    /// What failed.
    pub failure: Option<PassFailure>,
    /// Whether the status was written.
    pub has_reported: bool,
    /// Whether the Secret of a deleted object was deleted.
    pub has_deleted: bool,
    /// Until when the calls are put off: others of the same identity are before it.
    pub postponed: Option<Timestamp>,
    /// What was announced of what this pass did.
    pub announced: BTreeSet<Announcement>,
}

impl Pass {
    /// A pass that begins.
    pub fn new(started: Timestamp) -> Self {
        Self {
            started,
            has_minted: false,
            wrote: None,
            has_wiped: false,
            failure: None,
            has_reported: false,
            has_deleted: false,
            postponed: None,
            announced: BTreeSet::new(),
        }
    }
}

/// Why a Secret was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Write {
    /// It was not there.
    Created,
    /// The object changed.
    Changed,
    /// Somebody else had changed it.
    Repaired,
    /// Its credentials were renewed.
    Renewed,
}

/// What failed in a pass.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PassFailure {
    /// Why, with how often in a row.
    pub failure: Failure,
    /// What `Ready` says at once, where what the spec says could not be written.
    pub ready: Option<Ready>,
}

/// How the controller was started.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// How long before the end a credential is in danger.
    pub alarm_margin: SignedDuration,
    /// Whether another controller serves the same kind: its finalizer is left alone.
    pub is_beside_another: bool,
}

/// The condition `Ready`, in ESO's words.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ready {
    /// The Secret is what is asked for.
    Synced,
    /// There is no Secret to merge into.
    Missing,
    /// There is no data.
    NoData,
    /// The Secret could not be written.
    NotWritten,
    /// The Secret is immutable.
    Immutable,
    /// Another controller owns the Secret.
    NotTaken,
    /// Another ExternalSecret owns the Secret.
    OwnedByAnother,
    /// The Secret could not be deleted.
    NotDeleted,
}

/// The condition `Refreshing`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Refreshing {
    /// The next renewal is planned.
    Scheduled,
    /// The refresh policy wants none.
    PolicyNever,
    /// The last try failed.
    Failed(Reason),
}

impl Seen {
    /// What is asked for, as far as it is known: another text is another question.
    pub fn asking(&self) -> String {
        let plan = match &self.inputs {
            Inputs::Ready { plan, .. } => plan.as_str(),
            Inputs::Failed(failure) => failure.message.as_str(),
            Inputs::Unread => "",
        };
        let target = if self.target == Target::Absent { "absent" } else { "" };
        format!("{} {plan} {target}", self.object.version)
    }

    /// Whether the pass could not do what the object asks for.
    pub fn is_failing(&self) -> bool {
        self.pass.failure.is_some()
            || matches!(self.inputs, Inputs::Failed(_))
            || matches!(self.target, Target::Unreadable(_))
            || matches!(self.wanted, Wanted::Invalid { .. })
    }

    /// The seed of the object's jitter.
    pub fn seed(&self, entry: usize) -> Seed<'_> {
        Seed { uid: &self.object.uid, entry }
    }

    /// When the first of the stored credentials ends.
    pub fn ends(&self) -> Option<Timestamp> {
        self.past.lives.iter().map(|life| life.ends).min()
    }

    /// When the first of the stored credentials is in danger.
    pub fn alarm(&self) -> Option<Timestamp> {
        let most = self.rules.alarm_margin;
        self.past.lives.iter().map(|life| life.alarm(most)).min()
    }

    /// When the first of the stored credentials is renewed.
    pub fn renewal(&self) -> Option<Timestamp> {
        self.past.renewal.or_else(|| self.renewal_of(&self.past.lives))
    }

    /// When the first of some credentials is renewed, where the policy wants it.
    pub fn planned_renewal_of(&self, lives: &[Life]) -> Option<Timestamp> {
        let is_wanted = matches!(&self.wanted, Wanted::Secret(spec) if spec.renews());
        self.renewal_of(lives).filter(|_| is_wanted)
    }

    /// When the first of some credentials is renewed.
    pub fn renewal_of(&self, lives: &[Life]) -> Option<Timestamp> {
        let lives = lives.iter().enumerate();
        lives.map(|(index, life)| life.renewal(&self.seed(index), self.past.is_first)).min()
    }
}

/// `refreshInterval` where nobody chose one: the default of the CRD.
pub const DEFAULT_INTERVAL: SignedDuration = SignedDuration::from_hours(1);

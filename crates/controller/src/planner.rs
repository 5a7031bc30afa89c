//! From the generators of an ExternalSecret to plans, with what the cluster has and no call.

use std::collections::BTreeSet;

use jiff::Timestamp;
use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::grant::{
    Ask, Auth, Entry, ExternalSecret, GeneratorKind, Grant, RegistryTokenSpec, ServiceAccountRef,
};
use rolecall_engine::plan::{Plan, SourceSpec, Start};
use rolecall_engine::region::Region;
use rolecall_engine::request::{RoleRequest, SessionName};
use sha2::{Digest, Sha256};

use crate::failure::{Failure, Reason};
use crate::object::{Key, document};
use crate::world::{Input, World};

/// Who may use the controller's own identity.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub enum AmbientIdentity {
    /// Every generator without auth.
    #[default]
    All,
    /// A ClusterGenerator alone: who may create one is an administrator.
    Cluster,
    /// Nobody.
    None,
}

/// How plans are made in this cluster.
#[derive(Clone, Debug)]
pub struct Planner {
    /// The controller's own identity, and why there is none.
    pub ambient: Result<Start, String>,
    /// Who may use it.
    pub ambient_identity: AmbientIdentity,
    /// Where to call where a generator leaves it open.
    pub region: Option<Region>,
    /// Whose rules ARNs are held against.
    pub dialect: Dialect,
}

/// The plans of one object.
#[derive(Clone, Debug)]
pub struct Planned {
    /// One plan for each entry.
    pub plans: Vec<Plan>,
    /// A digest of all of them.
    pub digest: String,
    /// What they were made of.
    pub inputs: BTreeSet<Input>,
    /// The keys that there will be, before they are renamed, by entry.
    pub keys: Vec<&'static [&'static str]>,
    /// Whether a generator has both forms of auth.
    pub has_both_auths: bool,
}

impl Planner {
    /// Plans every entry; `inputs` gets what was looked at, found or not.
    ///
    /// # Errors
    ///
    /// The first [`Failure`].
    pub fn plan(
        &self,
        asked: &ExternalSecret,
        world: &World,
        inputs: &mut BTreeSet<Input>,
        now: Timestamp,
    ) -> Result<Planned, Failure> {
        let mut plans = Vec::new();
        let mut keys = Vec::new();
        let mut has_both_auths = false;
        for (index, entry) in asked.entries.iter().enumerate() {
            let place = format!("spec.dataFrom[{index}].sourceRef.generatorRef");
            let grant = find(asked, entry, world, inputs, now).map_err(|it| within(it, &place))?;
            has_both_auths |= grant.warnings.iter().any(|it| it.contains("secretRef is used"));
            keys.push(grant.ask.output_keys());
            let plan = self
                .plan_entry(&grant, asked, world, inputs, now)
                .and_then(|plan| not_its_own_key(plan, asked, now))
                .map_err(|failure| within(failure, &place))?;
            plans.push(plan);
        }
        let digests: Vec<String> = plans.iter().map(Plan::digest).collect();
        let digest = match digests.as_slice() {
            [one] => one.clone(),
            all => {
                let bytes = Sha256::digest(all.join(" "));
                bytes.iter().take(8).fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
            }
        };
        Ok(Planned { plans, digest, inputs: inputs.clone(), keys, has_both_auths })
    }

    fn plan_entry(
        &self,
        grant: &Grant,
        asked: &ExternalSecret,
        world: &World,
        inputs: &mut BTreeSet<Input>,
        now: Timestamp,
    ) -> Result<Plan, Failure> {
        let region = grant.region().or(self.region.as_ref()).ok_or_else(|| {
            let message = "the generator names no region, and the controller has none";
            Failure::new(Reason::InvalidSpec, "no-region", message.to_owned(), now)
        })?;
        let start = match grant.auth() {
            Some(Auth::Keys(keys)) => {
                let namespace = asked.namespace.clone();
                SourceSpec::Secret { namespace, keys: keys.clone() }.into()
            }
            Some(Auth::ServiceAccount(account)) => {
                self.account(account, &asked.namespace, world, inputs, now)?
            }
            None => self.ambient(grant, now)?,
        };
        let name = asked.session_name();
        let is_ambient = grant.auth().is_none();
        let plan = assemble(&grant.ask, region.clone(), start, &name, is_ambient);
        plan.check().map_err(|errors| {
            let texts: Vec<String> = errors.iter().map(|(_, error)| error.to_string()).collect();
            Failure::new(Reason::InvalidRequest, "invalid-request", texts.join("; "), now)
        })?;
        Ok(plan)
    }

    /// Whoever may create a generator would else borrow the controller's own role.
    fn ambient(&self, grant: &Grant, now: Timestamp) -> Result<Start, Failure> {
        let is_allowed = match self.ambient_identity {
            AmbientIdentity::All => true,
            AmbientIdentity::Cluster => grant.is_cluster_wide,
            AmbientIdentity::None => false,
        };
        if !is_allowed {
            let message = "the generator names nobody in spec.auth, and the controller's own identity \
                           is not for it (--ambient-identity)";
            let code = "ambient-denied";
            return Err(Failure::new(Reason::AmbientDenied, code, message.to_owned(), now));
        }
        self.ambient
            .clone()
            .map_err(|problem| Failure::new(Reason::MissingInput, "no-source", problem, now))
    }

    fn account(
        &self,
        account: &ServiceAccountRef,
        namespace: &str,
        world: &World,
        inputs: &mut BTreeSet<Input>,
        now: Timestamp,
    ) -> Result<Start, Failure> {
        let missing = |message: String| {
            let mut failure = Failure::new(Reason::MissingInput, "no-source", message, now);
            failure.detail = format!("unable to create aws session: {}", failure.message);
            failure
        };
        let name = &account.name;
        let key = Key::new(namespace, name);
        inputs.insert(Input::Account(key.clone()));
        let found = world
            .account(&key)
            .ok_or_else(|| missing(format!("ServiceAccount \"{name}\" not found")))?;
        let role = found.role.filter(|role| !role.is_empty()).ok_or_else(|| {
            missing(format!(
                "an IAM role must be associated with service account {name} (namespace: {namespace})"
            ))
        })?;
        let role = RoleArn::parse(&role, self.dialect).map_err(|problem| {
            let message = format!("the role of ServiceAccount {key} {problem}");
            Failure::new(Reason::InvalidSpec, "invalid-spec", message, now)
        })?;
        let audience = found.audience.filter(|it| !it.is_empty());
        let mut audiences = vec![audience.unwrap_or_else(|| AUDIENCE.to_owned())];
        audiences.extend(account.audiences.iter().cloned());
        let source = SourceSpec::ServiceAccount {
            namespace: namespace.to_owned(),
            name: name.clone(),
            uid: found.uid,
            audiences,
        };
        Ok(Start::of_account(source, role))
    }
}

/// The generator of an entry; it acts in the namespace of the ExternalSecret.
fn find(
    asked: &ExternalSecret,
    entry: &Entry,
    world: &World,
    inputs: &mut BTreeSet<Input>,
    now: Timestamp,
) -> Result<Grant, Failure> {
    let reference = &entry.generator;
    let namespace = match reference.kind {
        GeneratorKind::Cluster => "",
        _ => asked.namespace.as_str(),
    };
    let key = Key::new(namespace, &reference.name);
    inputs.insert(Input::Generator(reference.kind.as_str(), key.clone()));
    let (kind, name) = (reference.kind, &reference.name);
    let Some(object) = world.generator(kind, &key) else {
        let message = format!("{kind} \"{name}\" not found");
        let mut failure = Failure::new(Reason::MissingInput, "not-found", message, now);
        failure.detail = format!("unable to get generator: {}", failure.message);
        return Err(failure);
    };
    let mut grant = Grant::read(&document(&object), Dialect::Compatible).map_err(|violations| {
        let lines: Vec<String> = violations.iter().map(ToString::to_string).collect();
        let message = format!("{kind} {name}: {}", lines.join("; "));
        let mut failure = Failure::new(Reason::InvalidSpec, "invalid-spec", message, now);
        failure.detail = format!("error using generator: {}", failure.message);
        failure
    })?;
    grant.namespace.clone_from(&asked.namespace);
    Ok(grant)
}

fn assemble(ask: &Ask, region: Region, start: Start, name: &SessionName, is_ambient: bool) -> Plan {
    match ask {
        Ask::AssumeRole(spec) => {
            let (via, mut last) = spec.requests(name);
            // The name is who asks, where everybody asks as the controller.
            if is_ambient {
                last.session_name = name.clone();
            }
            Plan::assume_role(region, start, via, last)
        }
        Ask::SessionToken(spec) => Plan::session_token(region, start, spec.request.clone()),
        Ask::RegistryToken(RegistryTokenSpec { role: Some(role), registry, .. }) => {
            let request = RoleRequest::new(role.clone(), name.clone());
            Plan::assume_role(region, start, Vec::new(), request).then_registry_token(*registry)
        }
        Ask::RegistryToken(spec) => Plan::registry_token(region, start, spec.registry),
    }
}

/// A session that is written over the key that asks for it is the last one.
fn not_its_own_key(plan: Plan, asked: &ExternalSecret, now: Timestamp) -> Result<Plan, Failure> {
    let target = &asked.target.name;
    if let SourceSpec::Secret { keys, .. } = &plan.source {
        let token = keys.session_token.as_ref();
        let mut names = [&keys.access_key_id, &keys.secret_access_key].into_iter().chain(token);
        if names.any(|reference| reference.name == *target) {
            let message = format!(
                "the target is Secret {target}, which holds the key that the generator asks with: name \
                 another target"
            );
            return Err(Failure::new(Reason::InvalidSpec, "invalid-spec", message, now));
        }
    }
    Ok(plan)
}

fn within(mut failure: Failure, place: &str) -> Failure {
    failure.detail = format!("error processing {place}, err: {}", failure.detail);
    failure
}

/// Whom a service account's token is for, where its annotation says nothing.
const AUDIENCE: &str = "sts.amazonaws.com";

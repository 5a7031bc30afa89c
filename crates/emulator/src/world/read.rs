//! From the document to a [`World`], noting every violation.

use std::collections::HashSet;

use crate::arn::{Arn, is_account};
use crate::fault::FaultRule;
use crate::jwt::{PublicKey, TestKey};
use crate::policy::Policy;
use crate::policy::parse::{Place, policy};

use super::mfa::MfaDevice;
use super::reader::{Fields, Node};
use super::{AccessKey, Provider, Role, User, World};

/// Reads the whole file; nothing when it could not be read, and then at least one note tells why.
pub(super) fn world(root: &Node<'_>) -> Option<World> {
    let fields = root.map(&[
        "region",
        "lifetime_divisor",
        "ambient",
        "users",
        "roles",
        "oidcProviders",
        "policies",
        "faults",
    ])?;
    let users = collect(&fields, "users", user);
    let roles = collect(&fields, "roles", role);
    let providers = collect(&fields, "oidcProviders", provider);
    let policies = collect(&fields, "policies", managed_policy);
    let faults = collect(&fields, "faults", fault);
    let region = fields
        .optional("region")
        .map_or_else(|| Some("us-east-1".to_owned()), |node| region(&node));
    let divisor = fields
        .optional("lifetime_divisor")
        .map_or(Some(1), |node| u32::try_from(node.number(1..=43_200)?).ok());
    let world = World {
        region: region?,
        lifetime_divisor: divisor?,
        ambient: fields.optional("ambient").and_then(|node| node.text().map(str::to_owned)),
        users,
        roles,
        providers,
        policies,
        faults,
    };
    check_whole(root, &fields, &world);
    Some(world)
}

fn collect<T>(fields: &Fields<'_>, key: &str, read: fn(&Node<'_>) -> Option<T>) -> Vec<T> {
    fields.items(key).iter().filter_map(read).collect()
}

/// What can only be seen with everything at hand: names used twice, and the ambient caller.
fn check_whole(root: &Node<'_>, fields: &Fields<'_>, world: &World) {
    let mut seen = HashSet::new();
    let arns = world.users.iter().map(|user| user.arn.as_str());
    let arns = arns.chain(world.roles.iter().map(|role| role.arn.as_str()));
    let arns = arns.chain(world.providers.iter().map(Provider::principal));
    let keys = world.users.iter().flat_map(|user| user.keys.iter().map(|key| key.id.as_str()));
    for name in arns.chain(keys).chain(world.mfa_serials()) {
        if !seen.insert(name) {
            root.note(format!("`{name}` is there twice"));
        }
    }
    if let (Some(node), Some(arn)) = (fields.optional("ambient"), world.ambient()) {
        let user = world.users.iter().find(|user| user.arn.as_str() == arn);
        match user {
            Some(user) if user.keys.is_empty() => node.note("this user has no key to sign with"),
            None if world.role(arn).is_none() => node.note("no such user or role in this world"),
            _ => {}
        }
    }
}

fn region(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if !crate::sigv4::is_region(text) {
        node.note("must be one label of lower-case letters, digits and hyphens");
        return None;
    }
    Some(text.to_owned())
}

fn user(node: &Node<'_>) -> Option<User> {
    let fields = node.map(&["arn", "accessKeys", "mfaDevices", "identityPolicies"])?;
    let arn = iam_arn(&fields, "user");
    let keys = collect(&fields, "accessKeys", access_key);
    let mfa_devices = collect(&fields, "mfaDevices", MfaDevice::read);
    let identity_policies = identity_policies(&fields);
    let arn = arn?;
    if mfa_devices.iter().any(|device| device.serial.account() != arn.account()) {
        node.note("an MFA device must be of the user's account");
    }
    Some(User { arn, keys, mfa_devices, identity_policies: identity_policies? })
}

fn access_key(node: &Node<'_>) -> Option<AccessKey> {
    let fields = node.map(&["id", "secret"])?;
    let id = fields.required("id").and_then(|node| {
        let id = node.text()?;
        let legal = id.bytes().all(|byte| byte.is_ascii_alphanumeric());
        if !(16..=128).contains(&id.len()) || !legal || id.starts_with("ASIA") {
            node.note("must be 16..=128 letters and digits, not beginning with ASIA");
            return None;
        }
        Some(id.to_owned())
    });
    let secret = fields.required("secret").and_then(|node| {
        let secret = node.text()?;
        if secret.is_empty() {
            node.note("must not be empty");
        }
        Some(secret.to_owned())
    });
    Some(AccessKey { id: id?, secret: secret? })
}

fn role(node: &Node<'_>) -> Option<Role> {
    let fields = node.map(&["arn", "maxSessionDuration", "trustPolicy", "identityPolicies"])?;
    let arn = iam_arn(&fields, "role");
    let longest =
        fields.optional("maxSessionDuration").map_or(Some(3600), |node| node.number(3600..=43_200));
    let trust = fields.required("trustPolicy").and_then(|node| policy(&node, Place::Trust));
    let identity_policies = identity_policies(&fields);
    Some(Role {
        arn: arn?,
        max_session_duration: longest?,
        trust: trust?,
        identity_policies: identity_policies?,
    })
}

/// The outer nothing: violations. The inner one: no such key.
#[expect(clippy::option_option, reason = "absent and unreadable are two things here")]
fn identity_policies(fields: &Fields<'_>) -> Option<Option<Vec<Policy>>> {
    let Some(list) = fields.optional("identityPolicies") else {
        return Some(None);
    };
    let policies: Vec<_> = list.list().iter().map(|node| policy(node, Place::Identity)).collect();
    Some(Some(policies.into_iter().collect::<Option<_>>()?))
}

fn iam_arn(fields: &Fields<'_>, kind: &str) -> Option<Arn> {
    let node = fields.required("arn")?;
    let arn = Arn::parse(node.text()?)
        .filter(|arn| is_account(arn.account()) && arn.iam_path(kind).is_some());
    if arn.is_none() {
        node.note(format!("must be like arn:aws:iam::111122223333:{kind}/name"));
    }
    arn
}

fn provider(node: &Node<'_>) -> Option<Provider> {
    let fields = node.map(&["arn", "url", "clientIds", "jwks", "testKey"])?;
    let url = fields.required("url").and_then(|node| {
        let url = node.text()?;
        let name = url.strip_prefix("https://").unwrap_or_default();
        if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_graphic()) {
            node.note("must begin with https://");
            return None;
        }
        Some(url.to_owned())
    })?;
    let name = url.strip_prefix("https://").unwrap_or_default();
    let arn = fields.optional("arn").and_then(|node| {
        let arn = Arn::parse(node.text()?)
            .filter(|arn| is_account(arn.account()) && arn.iam_path("oidc-provider") == Some(name));
        if arn.is_none() {
            node.note(format!("must be like arn:aws:iam::111122223333:oidc-provider/{name}"));
        }
        arn
    });
    let clients = fields.items("clientIds");
    let client_ids = clients.iter().filter_map(Node::scalar).collect();
    let jwks = fields.required("jwks")?;
    let keys = collect(&jwks.map(&["keys"])?, "keys", PublicKey::read);
    let test_key = fields.optional("testKey").and_then(|node| TestKey::read(&node, &keys));
    Some(Provider { arn, url, client_ids, keys, test_key })
}

fn managed_policy(node: &Node<'_>) -> Option<String> {
    let text = node.text()?;
    if Arn::parse(text).is_none_or(|arn| arn.iam_path("policy").is_none()) {
        node.note("must be like arn:aws:iam::111122223333:policy/name");
        return None;
    }
    Some(text.to_owned())
}

/// A fault is a text (the whole rule), or a map with a key per part.
fn fault(node: &Node<'_>) -> Option<FaultRule> {
    let rule = match node.value.as_str() {
        Some(text) => text.parse().map_err(|error: crate::InvalidFault| error.to_string()),
        None => serde_json::from_value(node.value.clone()).map_err(|error| error.to_string()),
    };
    rule.map_err(|error| node.note(error)).ok()
}

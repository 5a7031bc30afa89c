//! Reads policy documents, strictly.
//!
//! The same reader serves YAML of the world file and JSON of a session policy: both arrive as a
//! value. A trust policy needs principals; an identity or session policy may not have any.

use crate::arn::{Arn, is_account};
use crate::world::reader::{Fields, Node};

use super::condition::{Condition, Operator};
use super::{Effect, Patterns, Policy, Principal, Principals, Statement};

/// Where a policy stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Place {
    /// On a role: says who may become it.
    Trust,
    /// On a user or role: says what its bearer may do.
    Identity,
    /// In a request. Checked for its shape and not judged, so any operator may be in it.
    Session,
}

/// Reads a policy; every violation is noted at its path.
pub(crate) fn policy(node: &Node<'_>, place: Place) -> Option<Policy> {
    let fields = node.map(&["Version", "Id", "Statement"])?;
    if let Some(version) = fields.optional("Version")
        && !matches!(version.text(), Some("2012-10-17" | "2008-10-17") | None)
    {
        version.note("must be 2012-10-17 or 2008-10-17");
    }
    let list = fields.required("Statement")?;
    let nodes = list.one_or_many();
    // E28a.
    if nodes.is_empty() {
        list.note("must not be empty");
        return None;
    }
    let statements: Vec<_> = nodes.iter().map(|node| statement(node, place)).collect();
    Some(Policy { statements: statements.into_iter().collect::<Option<_>>()? })
}

fn statement(node: &Node<'_>, place: Place) -> Option<Statement> {
    let fields = node.map(&[
        "Sid",
        "Effect",
        "Principal",
        "NotPrincipal",
        "Action",
        "NotAction",
        "Resource",
        "NotResource",
        "Condition",
    ])?;
    let effect = fields.required("Effect").and_then(|node| match node.text()? {
        "Allow" => Some(Effect::Allow),
        "Deny" => Some(Effect::Deny),
        _ => {
            node.note("must be Allow or Deny");
            None
        }
    });
    let actions = patterns(node, &fields, "Action", "NotAction", true);
    let resources = patterns(node, &fields, "Resource", "NotResource", place != Place::Trust);
    if place == Place::Trust && resources != Some(Patterns::Any) {
        node.note("a trust policy has no Resource: it stands on its role");
    }
    let principals = principals(node, &fields, place);
    if effect == Some(Effect::Allow) && matches!(principals, Some(Principals::NotIn(_))) {
        // E27.
        node.note("Allow with NotPrincipal would admit everybody else: not accepted");
        return None;
    }
    let conditions = match fields.optional("Condition") {
        Some(node) if place == Place::Session => {
            node.entries().iter().for_each(|(_, keys)| {
                keys.entries();
            });
            Vec::new()
        }
        Some(node) => conditions(&node)?,
        None => Vec::new(),
    };
    Some(Statement {
        effect: effect?,
        principals: principals?,
        actions: actions?,
        resources: resources?,
        conditions,
    })
}

fn patterns(
    node: &Node<'_>,
    fields: &Fields<'_>,
    key: &str,
    not_key: &str,
    needed: bool,
) -> Option<Patterns> {
    let read = |node: Node<'_>| -> Option<Vec<String>> {
        let items = node.one_or_many();
        if items.is_empty() {
            node.note("must not be empty");
            return None;
        }
        items.iter().map(|item| item.text().map(str::to_owned)).collect()
    };
    match (fields.optional(key), fields.optional(not_key)) {
        (Some(_), Some(_)) => {
            node.note(format!("has both {key} and {not_key}"));
            None
        }
        (Some(list), None) => Some(Patterns::In(read(list)?)),
        (None, Some(list)) => Some(Patterns::NotIn(read(list)?)),
        (None, None) if needed => {
            node.note(format!("needs {key} or {not_key}"));
            None
        }
        (None, None) => Some(Patterns::Any),
    }
}

fn principals(node: &Node<'_>, fields: &Fields<'_>, place: Place) -> Option<Principals> {
    let (found, wrap): (_, fn(Vec<Principal>) -> Principals) =
        match (fields.optional("Principal"), fields.optional("NotPrincipal")) {
            (None, None) if place != Place::Trust => return Some(Principals::Bearer),
            (None, None) => {
                node.note("needs Principal");
                return None;
            }
            (Some(_), Some(_)) => {
                node.note("has both Principal and NotPrincipal");
                return None;
            }
            (Some(found), None) => (found, Principals::In),
            (None, Some(found)) => (found, Principals::NotIn),
        };
    if place != Place::Trust {
        found.note("an identity or session policy names no principal: it stands on its bearer");
        return None;
    }
    if found.value.as_str() == Some("*") {
        return Some(wrap(vec![Principal::Anyone]));
    }
    // E25: one map may hold several kinds, each a text or a list.
    let mut list = Vec::new();
    for kind in ["AWS", "Federated", "Service", "CanonicalUser"] {
        let fields = found.map(&["AWS", "Federated", "Service", "CanonicalUser"])?;
        for item in fields.optional(kind).iter().flat_map(Node::one_or_many) {
            list.push(principal(&item, kind));
        }
    }
    if list.is_empty() {
        found.note("must not be empty");
        return None;
    }
    list.into_iter().collect::<Option<_>>().map(wrap)
}

fn principal(item: &Node<'_>, kind: &str) -> Option<Principal> {
    let text = item.scalar()?;
    match kind {
        "AWS" => aws_principal(item, &text),
        "Federated" => Some(Principal::Federated(text)),
        _ => Some(Principal::Service),
    }
}

fn aws_principal(item: &Node<'_>, text: &str) -> Option<Principal> {
    if text == "*" {
        return Some(Principal::Anyone);
    }
    if is_account(text) {
        return Some(Principal::Account(text.to_owned()));
    }
    let arn = Arn::parse(text).filter(|arn| is_account(arn.account()));
    let Some(arn) = arn else {
        item.note("must be `*`, twelve digits, or the ARN of a user, role, session or root");
        return None;
    };
    if arn.service() == "iam" && arn.resource() == "root" {
        return Some(Principal::Account(arn.account().to_owned()));
    }
    let session = arn.service() == "sts"
        && (arn.resource().starts_with("assumed-role/")
            || arn.resource().starts_with("federated-user/"));
    let named = session || arn.iam_path("user").is_some() || arn.iam_path("role").is_some();
    // AWS refuses patterns inside a principal's ARN.
    if !named || text.contains(['*', '?']) {
        item.note("must be the ARN of one user, role, session or root, without `*`");
        return None;
    }
    Some(Principal::Arn(arn))
}

fn conditions(node: &Node<'_>) -> Option<Vec<Condition>> {
    let mut list = Vec::new();
    for (name, keys) in node.entries() {
        let Some(operator) = Operator::parse(name) else {
            keys.note("operator not known to the emulator");
            list.push(None);
            continue;
        };
        for (key, values) in keys.entries() {
            list.push(condition(operator, key, &values));
        }
    }
    if !node.value.is_object() {
        return None;
    }
    list.into_iter().collect()
}

fn condition(operator: Operator, key: &str, node: &Node<'_>) -> Option<Condition> {
    let mut values = Vec::new();
    for item in node.one_or_many() {
        let value = item.scalar()?;
        if !operator.accepts(&value) {
            item.note("is no value for this operator");
            return None;
        }
        if value.contains("${") {
            item.note("policy variables (`${...}`) are not known to the emulator");
            return None;
        }
        values.push(value);
    }
    if values.is_empty() {
        node.note("must not be empty");
        return None;
    }
    Some(Condition { operator, key: key.to_owned(), values })
}

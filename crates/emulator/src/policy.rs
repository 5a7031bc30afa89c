//! IAM policies: who may do what, and when.
//!
//! Parsing is strict (`parse`): what is not understood is an error, never a match. Judging is a
//! pure function over a [`Caller`], an action and a [`Context`]. Deny beats Allow whatever the
//! order (E26). The same type serves trust policies and identity policies.

pub(crate) mod condition;
pub(crate) mod parse;

use crate::arn::Arn;
use condition::{Condition, Context, glob};

/// A policy document. Empty only in theory: an empty Statement list is a load error (E28a).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Policy {
    pub(crate) statements: Vec<Statement>,
}

/// One statement of a policy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Statement {
    pub(crate) effect: Effect,
    pub(crate) principals: Principals,
    pub(crate) actions: Patterns,
    pub(crate) resources: Patterns,
    pub(crate) conditions: Vec<Condition>,
}

/// What a matching statement does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// Patterns with `*` and `?`, or all but them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Patterns {
    Any,
    In(Vec<String>),
    NotIn(Vec<String>),
}

/// Whom a statement is about.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Principals {
    /// The policy stands on the caller itself.
    Bearer,
    /// `Principal`.
    In(Vec<Principal>),
    /// `NotPrincipal`; with Deny only (E27).
    NotIn(Vec<Principal>),
}

/// One entry of a `Principal` map.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Principal {
    /// `*`: any authenticated caller (E22).
    Anyone,
    /// A whole account (E22).
    Account(String),
    /// A user, role or role session (E23, E24).
    Arn(Arn),
    /// An OIDC provider's ARN, or the name of one that needs none (E64a).
    Federated(String),
    /// A service: matches no caller of ours.
    Service,
}

/// Who is judged.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Caller<'a> {
    /// A user with keys of any kind.
    User(&'a Arn),
    /// A session of a role.
    Session { role: &'a Arn, session: &'a str },
    /// A web identity of the provider with this ARN (or bare name).
    Federated(&'a str),
}

/// What a policy says.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Verdict {
    /// No statement speaks of it.
    Silent,
    /// Allowed to the caller's whole account: the caller needs an identity policy too (E22).
    AllowedToAccount,
    /// Allowed to the caller by name.
    Allowed,
    /// Refused, whatever else says Allow.
    Denied,
}

impl Policy {
    /// Judges `action` on `resource` by `caller`.
    pub(crate) fn judge(
        &self,
        caller: Caller<'_>,
        action: &str,
        resource: &str,
        context: &Context,
    ) -> Verdict {
        self.statements
            .iter()
            .filter(|statement| statement.actions.match_without_case(action))
            .filter(|statement| statement.resources.matches(resource))
            .filter(|statement| statement.conditions.iter().all(|test| test.holds(context)))
            .map(|statement| statement.verdict(caller))
            .max()
            .unwrap_or(Verdict::Silent)
    }
}

impl Statement {
    fn verdict(&self, caller: Caller<'_>) -> Verdict {
        let matched = match &self.principals {
            Principals::Bearer => Verdict::Allowed,
            Principals::In(list) => {
                let named = list.iter().filter(|entry| !self.is_open_to_web(entry, caller));
                named.map(|entry| entry.admits(caller)).max().unwrap_or(Verdict::Silent)
            }
            Principals::NotIn(list) => {
                if excepted(list, caller) {
                    Verdict::Silent
                } else {
                    Verdict::Allowed
                }
            }
        };
        match (matched, self.effect) {
            (Verdict::Silent, _) => Verdict::Silent,
            (_, Effect::Deny) => Verdict::Denied,
            (_, Effect::Allow) => matched,
        }
    }

    /// E70: `*` allows authenticated callers only; a web identity must be let in by its provider.
    /// A Deny for `*` is for everybody all the same.
    fn is_open_to_web(&self, entry: &Principal, caller: Caller<'_>) -> bool {
        let is_web = matches!(caller, Caller::Federated(_));
        is_web && self.effect == Effect::Allow && *entry == Principal::Anyone
    }
}

/// E27: a session is excepted only when its role *and* the session itself are listed.
fn excepted(list: &[Principal], caller: Caller<'_>) -> bool {
    let Caller::Session { role, session } = caller else {
        return list.iter().any(|entry| entry.admits(caller) != Verdict::Silent);
    };
    let lists = |text: &str| {
        list.iter().any(|entry| matches!(entry, Principal::Arn(arn) if arn.as_str() == text))
    };
    list.contains(&Principal::Anyone) || (lists(role.as_str()) && lists(session))
}

impl Principal {
    fn admits(&self, caller: Caller<'_>) -> Verdict {
        let admitted = match (self, caller) {
            (Self::Anyone, _) => true,
            (Self::Account(account), Caller::User(arn) | Caller::Session { role: arn, .. }) => {
                if arn.account() == account {
                    return Verdict::AllowedToAccount;
                }
                false
            }
            (Self::Arn(listed), Caller::User(arn)) => listed == arn,
            (Self::Arn(listed), Caller::Session { role, session }) => {
                listed == role || listed.as_str() == session
            }
            (Self::Federated(listed), Caller::Federated(provider)) => listed == provider,
            _ => false,
        };
        if admitted { Verdict::Allowed } else { Verdict::Silent }
    }
}

impl Patterns {
    /// E28: actions compare without case.
    fn match_without_case(&self, text: &str) -> bool {
        let text = text.to_ascii_lowercase();
        self.judge(|pattern| glob(&pattern.to_ascii_lowercase(), &text))
    }

    fn matches(&self, text: &str) -> bool {
        self.judge(|pattern| glob(pattern, text))
    }

    fn judge(&self, matches: impl Fn(&str) -> bool) -> bool {
        match self {
            Self::Any => true,
            Self::In(list) => list.iter().any(|pattern| matches(pattern)),
            Self::NotIn(list) => !list.iter().any(|pattern| matches(pattern)),
        }
    }
}

#[cfg(test)]
mod tests;

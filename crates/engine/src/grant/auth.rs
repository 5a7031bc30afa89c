//! `spec.auth`: whose keys or which service account asks.

use super::check_name;
use crate::fields::Fields;
use crate::violation::Violations;

/// Who asks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// `secretRef`: keys in a Secret.
    Keys(KeysRef),
    /// `jwt`: the web identity of a service account.
    ServiceAccount(ServiceAccountRef),
}

/// Where the three parts of a key are.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KeysRef {
    /// `accessKeyIDSecretRef`.
    pub access_key_id: KeyRef,
    /// `secretAccessKeySecretRef`.
    pub secret_access_key: KeyRef,
    /// `sessionTokenSecretRef`.
    pub session_token: Option<KeyRef>,
}

/// One key of one Secret; its namespace is always the grant's.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct KeyRef {
    /// The Secret's name.
    pub name: String,
    /// The key in its data.
    pub key: String,
}

/// A service account; its namespace is always the grant's.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct ServiceAccountRef {
    /// The account's name.
    pub name: String,
    /// Audiences beside the annotation's.
    pub audiences: Vec<String>,
}

impl Auth {
    /// Reads `auth` of a spec: not readable, absent, or one of the two forms.
    ///
    /// With both forms the keys win and the service account is not looked at, with a warning: ESO
    /// does the same after it tried the other one.
    #[expect(clippy::option_option, reason = "not readable, absent, or a form")]
    pub(super) fn read_in(
        spec: &mut Fields<'_>,
        warnings: &mut Vec<String>,
        violations: &mut Violations,
    ) -> Option<Option<Self>> {
        if !spec.has("auth") {
            spec.value("auth");
            return Some(None);
        }
        let mut auth = spec.object("auth", violations)?;
        let (has_keys, has_account) = (auth.has("secretRef"), auth.has("jwt"));
        let keys = auth.object("secretRef", violations).map(|f| read_keys(f, violations));
        let account = auth.object("jwt", violations).map(|f| read_account(f, violations));
        if !has_keys && !has_account {
            let path = auth.path().to_owned();
            let hint = "leave auth out to use the ambient identity";
            violations.push_with_hint(path, "must have secretRef or jwt", hint);
        }
        if has_keys && has_account {
            let path = auth.path();
            warnings.push(format!("{path}: secretRef and jwt are both set; secretRef is used"));
        }
        auth.finish(violations, |_| None);
        let form = match (keys, account) {
            (Some(keys), _) => keys.map(Self::Keys),
            (None, Some(account)) => account.map(Self::ServiceAccount),
            (None, None) => None,
        };
        form.map(Some)
    }
}

fn read_keys(mut keys: Fields<'_>, violations: &mut Violations) -> Option<KeysRef> {
    let access_key_id = read_key(&mut keys, "accessKeyIDSecretRef", true, violations);
    let secret_access_key = read_key(&mut keys, "secretAccessKeySecretRef", true, violations);
    let session_token = read_key(&mut keys, "sessionTokenSecretRef", false, violations);
    keys.finish(violations, |_| None);
    Some(KeysRef {
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token,
    })
}

fn read_key(
    keys: &mut Fields<'_>,
    field: &'static str,
    is_required: bool,
    violations: &mut Violations,
) -> Option<KeyRef> {
    if is_required && !keys.has(field) {
        violations.push(keys.path_of(field), "is missing");
    }
    let mut reference = keys.object(field, violations)?;
    let name = reference.required_text("name", violations);
    check_name(&reference.path_of("name"), name, violations);
    let key = reference.required_text("key", violations);
    // Read and not used: key Secrets always come from the grant's own namespace.
    reference.text("namespace", violations);
    let key_path = reference.path_of("key");
    reference.finish(violations, |_| None);
    let is_legal = |key: &str| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
    };
    if key.is_some_and(|key| !is_legal(key)) {
        violations.push(key_path, "may hold only letters, digits and -._");
    }
    Some(KeyRef { name: name?.to_owned(), key: key?.to_owned() })
}

fn read_account(mut jwt: Fields<'_>, violations: &mut Violations) -> Option<ServiceAccountRef> {
    if !jwt.has("serviceAccountRef") {
        violations.push(jwt.path_of("serviceAccountRef"), "is missing");
    }
    let account = jwt.object("serviceAccountRef", violations);
    let account = account.and_then(|mut account| {
        let name = account.required_text("name", violations);
        check_name(&account.path_of("name"), name, violations);
        let audiences = account.texts("audiences", violations).unwrap_or_default();
        account.text("namespace", violations);
        account.finish(violations, |_| None);
        let audiences = audiences.into_iter().map(|(_, text)| text.to_owned()).collect();
        Some(ServiceAccountRef { name: name?.to_owned(), audiences })
    });
    jwt.finish(violations, |word| {
        let hint = "the token of another issuer is given with --web-identity-token-file";
        (word == "secretRef" || word == "tokenSecretRef").then(|| hint.to_owned())
    });
    account
}

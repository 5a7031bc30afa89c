//! Web identity tokens of the world's own provider.

use jiff::{SignedDuration, Timestamp};

use super::World;

/// A web identity token to sign.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TokenRequest {
    /// The provider's URL; by default the one provider that has a `testKey`.
    pub issuer: Option<String>,
    /// `sub`.
    pub subject: String,
    /// `aud`.
    pub audience: String,
    /// From now to `exp`; negative for a token that has expired already.
    pub lifetime: SignedDuration,
}

/// Why a token cannot be signed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// No provider of the world has a `testKey`, or none with this URL.
    #[error("no provider of this world has a test key and the URL that was asked for")]
    NoProvider,
    /// Several providers have a `testKey`: name one.
    #[error("several providers of this world have a test key: name the issuer")]
    SeveralProviders,
    /// The lifetime leads out of the calendar, or the system gave no randomness.
    #[error("could not sign the token")]
    NotSigned,
}

impl World {
    /// Signs a web identity token with the provider's `testKey`, by RS256.
    ///
    /// `iat` is `now`, or `exp` when that is earlier.
    ///
    /// # Errors
    ///
    /// [`TokenError`] when no one provider is meant, or when signing fails.
    ///
    /// # Examples
    ///
    /// ```
    /// use rolecall_emulator::{TokenRequest, World};
    ///
    /// let request = TokenRequest {
    ///     issuer: None,
    ///     subject: "system:serviceaccount:team-a:app".to_owned(),
    ///     audience: "sts.amazonaws.com".to_owned(),
    ///     lifetime: jiff::SignedDuration::from_hours(1),
    /// };
    /// let token = World::builtin()?.sign_token(&request, "2026-01-01T00:00:00Z".parse()?)?;
    /// assert_eq!(token.split('.').count(), 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn sign_token(&self, request: &TokenRequest, now: Timestamp) -> Result<String, TokenError> {
        let wanted = request.issuer.as_deref();
        let mut able = self.providers.iter().filter_map(|provider| {
            let key = provider.test_key.as_ref()?;
            wanted.is_none_or(|url| url == provider.url).then_some((provider, key))
        });
        let (provider, key) = able.next().ok_or(TokenError::NoProvider)?;
        if able.any(|(other, _)| other.url != provider.url) {
            return Err(TokenError::SeveralProviders);
        }
        let expires =
            now.checked_add(request.lifetime).map_err(|_out_of_range| TokenError::NotSigned)?;
        let claims = serde_json::json!({
            "iss": provider.url,
            "sub": request.subject,
            "aud": request.audience,
            "iat": now.min(expires).as_second(),
            "exp": expires.as_second(),
        });
        key.sign(&claims).ok_or(TokenError::NotSigned)
    }
}

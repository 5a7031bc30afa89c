//! The one call of ECR: a name and a password for a registry, private or public.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use aws_sdk_ecr::operation::get_authorization_token::GetAuthorizationTokenError;
use aws_sdk_ecrpublic::operation::get_authorization_token::GetAuthorizationTokenError as PublicError;
use aws_sdk_sts::operation::RequestId;
use aws_smithy_types::DateTime;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use rolecall_engine::error::CallFailure;
use rolecall_engine::region::Region;
use rolecall_engine::request::Registry;
use rolecall_engine::session::{Credentials, RegistryToken};
use secrecy::SecretString;
use zeroize::Zeroizing;

use crate::failure::{ECR, TableClassifier, failure_of};
use crate::network::Network;
use crate::sts::{secrets_of, signing};
use crate::whole::WholeAnswer;

/// ECR over `aws-sdk-ecr` and `aws-sdk-ecrpublic`; one HTTP client per region.
pub(crate) struct EcrClient {
    network: Network,
    // Std mutexes: held while a client is looked up or built, never across an await.
    private: Mutex<HashMap<Region, aws_sdk_ecr::Client>>,
    public: Mutex<Option<aws_sdk_ecrpublic::Client>>,
}

/// Public ECR answers in this region only:
/// <https://docs.aws.amazon.com/AmazonECR/latest/public/public-registry-auth.html>.
pub const PUBLIC_ECR_REGION: &str = "us-east-1";

impl EcrClient {
    pub(crate) fn new(network: Network) -> Self {
        Self { network, private: Mutex::default(), public: Mutex::default() }
    }

    pub(crate) async fn token(
        &self,
        region: &Region,
        caller: &Credentials,
        registry: Registry,
    ) -> Result<RegistryToken, CallFailure> {
        match registry {
            Registry::Private => self.private_token(region, caller).await,
            Registry::Public => self.public_token(caller).await,
        }
    }

    async fn private_token(
        &self,
        region: &Region,
        caller: &Credentials,
    ) -> Result<RegistryToken, CallFailure> {
        let client = {
            let mut clients = self.private.lock().unwrap_or_else(PoisonError::into_inner);
            let made = clients.entry(region.clone()).or_insert_with(|| {
                let shared = self.network.config(&self.network.ecr, region.as_str());
                let config = aws_sdk_ecr::config::Builder::from(&shared);
                let config = config.interceptor(WholeAnswer::Json).build();
                aws_sdk_ecr::Client::from_conf(config)
            });
            made.clone()
        };
        let classifier = TableClassifier::<GetAuthorizationTokenError>::new();
        let config = aws_sdk_ecr::Config::builder()
            .credentials_provider(signing(caller))
            .retry_classifier(classifier);
        let call = client.get_authorization_token().customize().config_override(config);
        let output =
            call.send().await.map_err(|error| failure_of(ECR, &error, &secrets_of(caller)))?;
        // ESO expects exactly one item as well: no registry IDs are sent.
        let [data] = output.authorization_data() else { return Err(UNREADABLE) };
        token_of(
            data.authorization_token(),
            data.expires_at(),
            data.proxy_endpoint(),
            output.request_id(),
        )
    }

    async fn public_token(&self, caller: &Credentials) -> Result<RegistryToken, CallFailure> {
        let client = {
            let mut client = self.public.lock().unwrap_or_else(PoisonError::into_inner);
            let made = client.get_or_insert_with(|| {
                let shared = self.network.config(&self.network.ecr_public, PUBLIC_ECR_REGION);
                let config = aws_sdk_ecrpublic::config::Builder::from(&shared);
                let config = config.interceptor(WholeAnswer::Json).build();
                aws_sdk_ecrpublic::Client::from_conf(config)
            });
            made.clone()
        };
        let config = aws_sdk_ecrpublic::Config::builder()
            .credentials_provider(signing(caller))
            .retry_classifier(TableClassifier::<PublicError>::new());
        let call = client.get_authorization_token().customize().config_override(config);
        let output =
            call.send().await.map_err(|error| failure_of(ECR, &error, &secrets_of(caller)))?;
        let data = output.authorization_data().ok_or(UNREADABLE)?;
        token_of(data.authorization_token(), data.expires_at(), None, output.request_id())
    }
}

impl fmt::Debug for EcrClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EcrClient").field("network", &self.network).finish_non_exhaustive()
    }
}

const UNREADABLE: CallFailure = CallFailure::Unreadable { service: ECR, status: 200 };

/// Takes over an answer: base64 of `user:password`, and an end.
fn token_of(
    token: Option<&str>,
    expires_at: Option<&DateTime>,
    proxy_endpoint: Option<&str>,
    request_id: Option<&str>,
) -> Result<RegistryToken, CallFailure> {
    let bytes = STANDARD.decode(token.ok_or(UNREADABLE)?).map_err(|_| UNREADABLE)?;
    let bytes = Zeroizing::new(bytes);
    let text = std::str::from_utf8(&bytes).map_err(|_| UNREADABLE)?;
    let parts: Vec<&str> = text.split(':').collect();
    let [username, password] = parts.as_slice() else { return Err(UNREADABLE) };
    // What is printed as a line of its own must be one.
    let is_word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_graphic());
    if !is_word(username) || !is_word(password) || !proxy_endpoint.is_none_or(is_word) {
        return Err(UNREADABLE);
    }
    let seconds = expires_at.ok_or(UNREADABLE)?.secs();
    Ok(RegistryToken {
        username: (*username).to_owned(),
        password: SecretString::from(*password),
        proxy_endpoint: proxy_endpoint.map(str::to_owned),
        expires_at: Timestamp::from_second(seconds).map_err(|_| UNREADABLE)?,
        request_id: request_id.map(str::to_owned),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_a_user_and_a_password_with_an_end() {
        let end = DateTime::from_secs(1_767_268_800);
        let read = |plain: &str| token_of(Some(&STANDARD.encode(plain)), Some(&end), None, None);
        let token = read("AWS:pass==").unwrap();
        assert_eq!(token.username, "AWS");
        assert_eq!(token.expires_at.to_string(), "2026-01-01T12:00:00Z");
        for odd in ["AWS", "AWS:a:b", ":a", "AWS:", "", "AWS:a\nLD_PRELOAD=b", "A S:a"] {
            assert_eq!(read(odd).unwrap_err(), UNREADABLE, "{odd}");
        }
        let odd_endpoint =
            token_of(Some(&STANDARD.encode("AWS:p")), Some(&end), Some("a\nb"), None);
        assert_eq!(odd_endpoint.unwrap_err(), UNREADABLE);
        assert_eq!(token_of(Some("***"), Some(&end), None, None).unwrap_err(), UNREADABLE);
        assert_eq!(token_of(None, Some(&end), None, None).unwrap_err(), UNREADABLE);
        let no_end = token_of(Some(&STANDARD.encode("AWS:p")), None, None, None);
        assert_eq!(no_end.unwrap_err(), UNREADABLE);
    }
}

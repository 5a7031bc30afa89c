//! What the API server knows of `status`: an apply that names another field is refused whole. CRDs may
//! be replaced while the controller runs.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use backon::{ConstantBuilder, Retryable as _};
use tokio::time::Instant;

use crate::status::ServedStatus;

/// The fields of `status`, and when they were asked for.
#[derive(Debug)]
pub struct Served(Mutex<(ServedStatus, Instant)>);

impl Served {
    /// Asks for them.
    ///
    /// A CRD that was applied just now is told of a moment later.
    ///
    /// # Errors
    ///
    /// When there is no ExternalSecret, or the API server does not tell.
    pub async fn read(client: &kube::Client) -> anyhow::Result<Self> {
        let pauses =
            ConstantBuilder::default().with_delay(Duration::from_secs(1)).with_max_times(15);
        let served = (|| ask(client)).retry(pauses).await?;
        tell(&served);
        Ok(Self(Mutex::new((served, Instant::now()))))
    }

    /// What was told last.
    pub fn status(&self) -> ServedStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0.clone()
    }

    /// Asks again, where that is this long ago; one asks for all.
    pub async fn refresh(&self, client: &kube::Client, age: Duration) {
        let before = {
            let (served, asked) = &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if asked.elapsed() < age {
                return;
            }
            *asked = Instant::now();
            served.clone()
        };
        // Where nobody answers it stays as it was told.
        let Ok(served) = ask(client).await else { return };
        if served != before {
            tell(&served);
            self.0.lock().unwrap_or_else(PoisonError::into_inner).0 = served;
        }
    }
}

fn tell(served: &ServedStatus) {
    if *served == ServedStatus::ours() {
        tracing::info!("the CRD of ExternalSecret is rolecall's");
    } else {
        tracing::warn!(
            "the CRD of ExternalSecret is not rolecall's: some of the status is left out"
        );
    }
}

async fn ask(client: &kube::Client) -> anyhow::Result<ServedStatus> {
    let request = http::Request::get("/openapi/v3/apis/external-secrets.io/v1").body(Vec::new());
    let document: serde_json::Value =
        client.request(request.context("cannot ask for the schema")?).await.map_err(|error| {
            let problem = crate::api_error::problem_of(&error);
            anyhow::anyhow!(
                "the API server does not tell what an ExternalSecret is ({problem}): install the CRDs \
                 with rolecall-controller crds | kubectl apply --server-side -f -"
            )
        })?;
    ServedStatus::read(&document).context("the API server has no ExternalSecret v1")
}

/// After how long the fields are asked for again, before a status is written.
pub const ROUTINE: Duration = Duration::from_mins(10);
/// The same, where a status was refused.
pub const REFUSED: Duration = Duration::from_secs(4);

//! Whom TLS trusts: the machine's own roots, or those of one file in their place.
//!
//! The SDK for Rust does not read `AWS_CA_BUNDLE`, and panics over a certificate that is none, so
//! the file is read and checked here.

use std::fmt;
use std::path::Path;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use crate::files;

/// The certificates of a CA bundle, which replace the machine's own.
#[derive(Clone)]
pub struct CaBundle {
    context: TlsContext,
    count: usize,
}

impl CaBundle {
    /// Reads a file of PEM certificates, as `AWS_CA_BUNDLE` names it.
    ///
    /// # Errors
    ///
    /// [`InvalidCaBundle`] when it cannot be read, is larger than 1 MiB, has no certificate or one
    /// that is none, or when TLS cannot be set up with it.
    pub fn read(path: &Path) -> Result<Self, InvalidCaBundle> {
        let pem = files::read(path).map_err(|error| InvalidCaBundle::Unreadable {
            path: path.display().to_string(),
            reason: error.to_string(),
        })?;
        let broken = |number| InvalidCaBundle::Broken { path: path.display().to_string(), number };
        let mut roots = RootCertStore::empty();
        for (index, certificate) in CertificateDer::pem_slice_iter(&pem).enumerate() {
            let certificate = certificate.map_err(|_| broken(index + 1))?;
            roots.add(certificate).map_err(|_| broken(index + 1))?;
        }
        let count = roots.len();
        if count == 0 {
            return Err(InvalidCaBundle::Empty { path: path.display().to_string() });
        }
        let store = TrustStore::empty().with_pem_certificate(pem.to_vec());
        // Without a context the SDK would trust the machine's own roots.
        let context = TlsContext::builder().with_trust_store(store).build();
        let context =
            context.map_err(|_| InvalidCaBundle::Unusable { path: path.display().to_string() })?;
        Ok(Self { context, count })
    }
}

/// Whether calls go through the proxy of the environment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Proxy {
    /// They do, where there is one.
    OfEnvironment,
    /// They never do: what goes to this machine stays on it.
    Never,
}

/// A client over TLS that trusts the bundle's certificates alone, or the machine's own roots.
pub(crate) fn https_client(bundle: Option<&CaBundle>, proxy: Proxy) -> SharedHttpClient {
    let context = bundle.map(|bundle| bundle.context.clone());
    Builder::new().build_with_connector_fn(move |settings, components| {
        let mut builder = Connector::builder();
        builder.set_connector_settings(settings.cloned());
        builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
        builder.set_proxy_config(Some(match proxy {
            Proxy::OfEnvironment => ProxyConfig::from_env(),
            Proxy::Never => ProxyConfig::disabled(),
        }));
        let mut builder = builder.tls_provider(Provider::Rustls(CryptoMode::AwsLc));
        if let Some(context) = &context {
            builder.set_tls_context(context.clone());
        }
        builder.build()
    })
}

impl fmt::Debug for CaBundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CaBundle").field("count", &self.count).finish_non_exhaustive()
    }
}

/// A CA bundle that cannot be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCaBundle {
    /// It cannot be read.
    #[error("{path} cannot be read: {reason}")]
    Unreadable {
        /// The file.
        path: String,
        /// The system's reason.
        reason: String,
    },
    /// It has no certificate.
    #[error("{path} holds no certificate in PEM form")]
    Empty {
        /// The file.
        path: String,
    },
    /// A certificate of it is none.
    #[error("certificate {number} of {path} is broken")]
    Broken {
        /// The file.
        path: String,
        /// Which one, from 1.
        number: usize,
    },
    /// TLS cannot be set up with its certificates.
    #[error("TLS cannot be set up with the certificates of {path}")]
    Unusable {
        /// The file.
        path: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn read(text: &str) -> Result<CaBundle, InvalidCaBundle> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        CaBundle::read(file.path())
    }

    #[test]
    fn a_bundle_without_a_whole_certificate_is_refused() {
        assert!(matches!(read("no certificate"), Err(InvalidCaBundle::Empty { .. })));
        let junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        assert!(matches!(read(junk), Err(InvalidCaBundle::Broken { number: 1, .. })));
        let cut = "-----BEGIN CERTIFICATE-----\nAAAA\n";
        assert!(read(cut).is_err());
        let large = read(&" ".repeat(1_048_577)).unwrap_err().to_string();
        assert!(large.ends_with("cannot be read: it is larger than 1048576 bytes"), "{large}");
        let nowhere = CaBundle::read(Path::new("/nonexistent/ca.pem"));
        assert!(matches!(nowhere, Err(InvalidCaBundle::Unreadable { .. })));
    }
}

//! The port of STS behind TLS: who trusts the authority of this start is answered.

use std::sync::Arc;

use rolecall_emulator::{Transport, World};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::signer::{Signing, raw, signed};
use crate::{Scene, alice};

const WHO: &str = "Action=GetCallerIdentity&Version=2011-06-15";

async fn scene() -> Scene {
    Scene::over(World::builtin().unwrap(), Transport::Https).await
}

fn trusting(ca: &str) -> TlsConnector {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(ca.as_bytes()).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// Asks who alice is, as a client that trusts `ca` and expects the server to be called `name`.
async fn who(scene: &Scene, ca: &str, name: &'static str) -> std::io::Result<String> {
    let name = ServerName::try_from(name).unwrap();
    let stream = TcpStream::connect(&scene.host).await?;
    let mut stream = trusting(ca).connect(name, stream).await?;
    let bytes = signed(&scene.host, WHO, &alice(), scene.now(), &Signing::default());
    stream.write_all(bytes.as_bytes()).await?;
    let mut text = String::new();
    stream.read_to_string(&mut text).await?;
    Ok(text)
}

#[tokio::test]
async fn a_client_that_trusts_the_authority_is_answered() {
    let scene = scene().await;
    assert!(scene.emulator.sts_url().starts_with("https://127.0.0.1:"));
    let ca = scene.emulator.ca_certificate().unwrap();
    assert!(ca.starts_with("-----BEGIN CERTIFICATE-----") && !ca.contains("PRIVATE"), "{ca}");
    for name in ["127.0.0.1", "::1", "localhost"] {
        let answer = who(&scene, ca, name).await.unwrap();
        assert!(answer.contains("user/alice</Arn>"), "{name}: {answer}");
    }
    assert_eq!(scene.emulator.requests().len(), 3);
}

#[tokio::test]
async fn any_other_client_is_refused() {
    let (scene, other) = (scene().await, scene().await);
    let check = async |ca: &str, name, expected: &str| {
        let error = who(&scene, ca, name).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(other.emulator.ca_certificate().unwrap(), "127.0.0.1", "invalid peer certificate").await;
    let own = scene.emulator.ca_certificate().unwrap();
    check(own, "sts.amazonaws.com", "invalid peer certificate").await;
    // One that speaks plain HTTP gets no answer of HTTP.
    let bytes = signed(&scene.host, WHO, &alice(), scene.now(), &Signing::default());
    let answer = crate::signer::bytes(&scene.host, &bytes).await;
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    assert_eq!(scene.emulator.requests(), []);
}

#[tokio::test]
async fn a_handshake_that_hangs_ends_with_the_emulator() {
    let scene = scene().await;
    let mut silent = TcpStream::connect(&scene.host).await.unwrap();
    scene.emulator.shutdown().await;
    let mut rest = Vec::new();
    // A reset is an end as well.
    let _end = silent.read_to_end(&mut rest).await;
    assert!(rest.is_empty());
}

#[tokio::test]
async fn without_tls_there_is_no_authority() {
    let scene = Scene::new().await;
    assert_eq!(scene.emulator.ca_certificate(), None);
    assert_eq!(raw(&scene.host, "x\r\n\r\n").await.split(' ').nth(1), Some("400"));
}

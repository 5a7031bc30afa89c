//! TLS for the port of STS: a certificate authority that lives as long as one emulator.
//!
//! Its key is dropped once it has signed the one leaf, so nothing else can ever be signed by it.
//! The cryptography provider is passed explicitly: a library inside somebody's client installs
//! none for the process.

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};

/// The names of this machine that every leaf is for.
const NAMES: [&str; 3] = ["127.0.0.1", "::1", "localhost"];

/// What speaks TLS, and what a client must trust to be answered.
pub(crate) struct Tls {
    pub(crate) acceptor: TlsAcceptor,
    /// PEM, the certificate alone.
    pub(crate) ca_certificate: String,
}

impl Tls {
    /// Makes an authority and a leaf for this machine's names and for `address`.
    ///
    /// # Errors
    ///
    /// A system without randomness.
    pub(crate) fn new(address: IpAddr) -> io::Result<Self> {
        let ca = authority().map_err(io::Error::other)?;
        let (leaf, key) = leaf(&ca, address).map_err(io::Error::other)?;
        let mut config =
            ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
                .with_safe_default_protocol_versions()
                .map_err(io::Error::other)?
                .with_no_client_auth()
                .with_single_cert(vec![leaf], key.into())
                .map_err(io::Error::other)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Self { acceptor, ca_certificate: ca.pem() })
    }
}

type Authority = CertifiedIssuer<'static, KeyPair>;

/// Valid from 1975 to 4096, rcgen's default: the clock of a test may stand anywhere.
fn authority() -> Result<Authority, rcgen::Error> {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "rolecall emulator, a throw-away CA");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    CertifiedIssuer::self_signed(params, KeyPair::generate()?)
}

fn leaf(
    ca: &Authority,
    address: IpAddr,
) -> Result<(CertificateDer<'static>, PrivatePkcs8KeyDer<'static>), rcgen::Error> {
    let mut names = NAMES.map(str::to_owned).to_vec();
    let own = address.to_string();
    if !address.is_unspecified() && !names.contains(&own) {
        names.push(own);
    }
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name.push(DnType::CommonName, "rolecall emulator");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict verifiers, such as Python's, ask for it.
    params.use_authority_key_identifier_extension = true;
    let key = KeyPair::generate()?;
    let certificate = params.signed_by(&key, ca)?;
    Ok((certificate.der().clone(), PrivatePkcs8KeyDer::from(key.serialize_der())))
}

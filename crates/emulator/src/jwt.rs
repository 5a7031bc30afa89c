//! JSON web tokens of OIDC providers: reads, verifies and (for the world's own provider) signs.
//!
//! RS256/384/512 and ES256/384/512, as STS accepts; anything else, `none` and HS* included, has no
//! algorithm here (E66). Claims are judged elsewhere: this knows keys and signatures only.

use std::sync::Arc;

use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::{rand, signature};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Map, Value};

use crate::world::reader::Node;

/// A token taken apart. Nothing is proven yet.
#[derive(Debug)]
pub(crate) struct Jwt<'a> {
    signed: &'a str,
    signature: Vec<u8>,
    algorithm: String,
    key_id: Option<String>,
    /// The payload.
    pub(crate) claims: Map<String, Value>,
}

impl<'a> Jwt<'a> {
    /// Takes a token apart; nothing when it is no JWT (E65).
    pub(crate) fn parse(token: &'a str) -> Option<Self> {
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, payload) = signed.split_once('.')?;
        let header = object(header)?;
        let text = |key: &str| header.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
            algorithm: text("alg")?,
            key_id: text("kid"),
            claims: object(payload)?,
        })
    }

    /// A claim's text.
    pub(crate) fn text(&self, claim: &str) -> Option<&str> {
        self.claims.get(claim)?.as_str()
    }

    /// The keys that may have signed this: those of its `kid`, or all when it names none.
    pub(crate) fn candidates<'k>(&self, keys: &'k [PublicKey]) -> Vec<&'k PublicKey> {
        keys.iter().filter(|key| self.key_id.is_none() || self.key_id == key.id).collect()
    }

    /// Whether `key` signed this.
    pub(crate) fn is_signed_by(&self, key: &PublicKey) -> bool {
        key.verify(&self.algorithm, self.signed.as_bytes(), &self.signature)
    }
}

fn object(part: &str) -> Option<Map<String, Value>> {
    match serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()? {
        Value::Object(map) => Some(map),
        _ => None,
    }
}

/// A key of a provider's key set.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PublicKey {
    /// `kid`.
    pub(crate) id: Option<String>,
    material: Material,
}

#[derive(Clone, Debug, Eq, PartialEq)]
enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    /// The curve's name, and the point as `04 x y`.
    Ec {
        curve: String,
        point: Vec<u8>,
    },
}

impl PublicKey {
    /// Reads one JWK; violations are noted at its path. Fields that are not needed are let pass.
    pub(crate) fn read(node: &Node<'_>) -> Option<Self> {
        let fields =
            node.map(&["kty", "kid", "n", "e", "crv", "x", "y", "alg", "use", "key_ops"])?;
        let bytes = |key: &str| {
            let node = fields.required(key)?;
            let bytes = URL_SAFE_NO_PAD.decode(node.text()?).ok();
            if bytes.is_none() {
                node.note("must be base64url without padding");
            }
            bytes
        };
        let kind = fields.required("kty")?;
        let material = match kind.text()? {
            "RSA" => Material::Rsa { modulus: bytes("n")?, exponent: bytes("e")? },
            "EC" => Material::Ec {
                curve: fields.required("crv")?.text()?.to_owned(),
                point: [vec![4], bytes("x")?, bytes("y")?].concat(),
            },
            _ => {
                kind.note("must be RSA or EC");
                return None;
            }
        };
        let id = fields.optional("kid").and_then(|node| node.scalar());
        Some(Self { id, material })
    }

    fn verify(&self, algorithm: &str, signed: &[u8], mark: &[u8]) -> bool {
        match &self.material {
            Material::Rsa { modulus, exponent } => {
                let parameters = match algorithm {
                    "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
                    "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
                    "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
                    _ => return false,
                };
                let key = signature::RsaPublicKeyComponents { n: modulus, e: exponent };
                key.verify(parameters, signed, mark).is_ok()
            }
            Material::Ec { curve, point } => {
                let parameters = match (algorithm, curve.as_str()) {
                    ("ES256", "P-256") => &signature::ECDSA_P256_SHA256_FIXED,
                    ("ES384", "P-384") => &signature::ECDSA_P384_SHA384_FIXED,
                    ("ES512", "P-521") => &signature::ECDSA_P521_SHA512_FIXED,
                    _ => return false,
                };
                signature::UnparsedPublicKey::new(parameters, point).verify(signed, mark).is_ok()
            }
        }
    }
}

/// The private key of a provider that exists in the world only.
#[derive(Clone)]
pub(crate) struct TestKey {
    pair: Arc<KeyPair>,
    /// The `kid` of the public key it belongs to.
    id: Option<String>,
}

impl std::fmt::Debug for TestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TestKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TestKey {
    /// Reads a PEM (`PRIVATE KEY` or `RSA PRIVATE KEY`) that belongs to one of `keys`.
    pub(crate) fn read(node: &Node<'_>, keys: &[PublicKey]) -> Option<Self> {
        let lines = node.text()?.lines().map(str::trim).filter(|line| !line.starts_with("-----"));
        let der = STANDARD.decode(lines.collect::<String>()).unwrap_or_default();
        let pair = KeyPair::from_pkcs8(&der).or_else(|_rejected| KeyPair::from_der(&der));
        let Ok(pair) = pair else {
            node.note("must be the PEM of an RSA private key of at least 2048 bits");
            return None;
        };
        let probe = Self { pair: Arc::new(pair), id: None };
        let mark = probe.mark(b"probe")?;
        let Some(public) = keys.iter().find(|key| key.verify("RS256", b"probe", &mark)) else {
            node.note("belongs to none of the keys in `jwks`");
            return None;
        };
        Some(Self { id: public.id.clone(), ..probe })
    }

    /// Signs `claims` with RS256.
    pub(crate) fn sign(&self, claims: &Value) -> Option<String> {
        let mut header = serde_json::json!({ "alg": "RS256", "typ": "JWT" });
        if let (Some(id), Some(map)) = (&self.id, header.as_object_mut()) {
            map.insert("kid".to_owned(), Value::from(id.clone()));
        }
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mark = URL_SAFE_NO_PAD.encode(self.mark(signed.as_bytes())?);
        Some(format!("{signed}.{mark}"))
    }

    fn mark(&self, message: &[u8]) -> Option<Vec<u8>> {
        let mut mark = vec![0; self.pair.public_modulus_len()];
        let random = rand::SystemRandom::new();
        self.pair.sign(&signature::RSA_PKCS1_SHA256, &random, message, &mut mark).ok()?;
        Some(mark)
    }
}

#[cfg(test)]
mod tests;

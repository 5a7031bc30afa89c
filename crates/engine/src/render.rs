//! From a generator's keys to the Kubernetes Secret that an ExternalSecret asks for: pure.
//!
//! Keys are names and may be told; values are secrets and are only carried. An error or a warning
//! of this module never holds a value.
//!
//! ```
//! use rolecall_engine::grant::ExternalSecret;
//! use rolecall_engine::render::{SecretObject, Text, rewrite};
//! # use serde_json::json;
//! # let document = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
//! #     "metadata": {"name": "reader"}, "spec": {"dataFrom": [{"sourceRef": {"generatorRef":
//! #     {"kind": "STSSessionToken", "name": "g"}}, "rewrite": [
//! #     {"regexp": {"source": "^expiration$", "target": "until"}}]}]}});
//!
//! let asked = ExternalSecret::read(&document)?;
//! let mut parts = Vec::new();
//! for entry in &asked.entries {
//!     // What the generator gave, by `output::generator_keys`.
//!     let keys = vec![("expiration".to_owned(), Text::new("1767229200".to_owned()))];
//!     parts.push(rewrite(keys, &entry.rewrites)?.keys);
//! }
//! let secret = SecretObject::new(&asked, parts);
//! assert!(secret.data.contains_key("until"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod hash;
mod rewrite;
mod secret;

use zeroize::Zeroizing;

pub use rewrite::{InvalidKey, RenderError, Rewritten, rewrite};
pub use secret::SecretObject;

/// Text that is zeroed when dropped.
pub type Text = Zeroizing<String>;

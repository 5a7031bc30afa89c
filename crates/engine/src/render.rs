//! From a generator's keys to the Kubernetes Secret that an ExternalSecret asks for: pure.
//!
//! Keys are names and may be told; values are secrets and are only carried. An error or a warning
//! of this module never holds a value.
//!
//! ```
//! use rolecall_engine::grant::ExternalSecret;
//! use rolecall_engine::render::{Objects, Renderer, Text, rewrite};
//! # use serde_json::json;
//! # let now = jiff::Timestamp::UNIX_EPOCH;
//! # let document = json!({"apiVersion": "external-secrets.io/v1", "kind": "ExternalSecret",
//! #     "metadata": {"name": "reader"}, "spec": {"dataFrom": [{"sourceRef": {"generatorRef":
//! #     {"kind": "STSSessionToken", "name": "g"}}, "rewrite": [
//! #     {"regexp": {"source": "^expiration$", "target": "until"}}]}],
//! #     "target": {"template": {"data": {"text": "until {{ .until }}"}}}}});
//!
//! let asked = ExternalSecret::read(&document)?;
//! let renderer = Renderer::new(asked.clone(), &Objects::default())?;
//! let mut parts = Vec::new();
//! for entry in &asked.entries {
//!     // What the generator gave, by `output::generator_keys`.
//!     let keys = vec![("expiration".to_owned(), Text::new("1767229200".to_owned()))];
//!     parts.push(rewrite(keys, &entry.rewrites, now)?.keys);
//! }
//! let secret = renderer.render(parts, None, now)?.secret;
//! assert_eq!(&**secret.data["text"], b"until 1767229200");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod error;
mod existing;
mod hash;
mod objects;
mod renderer;
mod rendering;
mod rewrite;
mod secret;

use zeroize::Zeroizing;

pub use error::{Located, RenderError, RenderErrors, Shown};
pub use existing::Existing;
pub use hash::{created_by, field_manager, of_data as data_hash, synced_resource_version};
pub use objects::Objects;
pub use renderer::{Rendered, Renderer};
pub use rewrite::{InvalidKey, Rewritten, rewrite};
pub use secret::SecretObject;

/// Text that is zeroed when dropped.
pub type Text = Zeroizing<String>;

/// A value of a Secret: bytes that are zeroed when dropped.
pub type Data = Zeroizing<Vec<u8>>;

//! The objects that `templateFrom` reads: of one namespace, as they are now.

use std::collections::BTreeMap;
use std::fmt;

use super::Data;

/// `ConfigMap`s and Secrets by name.
#[derive(Default)]
pub struct Objects {
    config_maps: BTreeMap<String, BTreeMap<String, String>>,
    secrets: BTreeMap<String, BTreeMap<String, Data>>,
}

impl Objects {
    /// Adds a `ConfigMap` with its keys.
    pub fn add_config_map(&mut self, name: &str, keys: BTreeMap<String, String>) {
        self.config_maps.insert(name.to_owned(), keys);
    }

    /// Adds a Secret with its keys.
    pub fn add_secret(&mut self, name: &str, keys: BTreeMap<String, Data>) {
        self.secrets.insert(name.to_owned(), keys);
    }

    pub(super) fn config_map(&self, name: &str) -> Option<&BTreeMap<String, String>> {
        self.config_maps.get(name)
    }

    pub(super) fn secret(&self, name: &str) -> Option<&BTreeMap<String, Data>> {
        self.secrets.get(name)
    }
}

/// Shows no value.
impl fmt::Debug for Objects {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (config_maps, secrets): (Vec<_>, Vec<_>) =
            (self.config_maps.keys().collect(), self.secrets.keys().collect());
        f.debug_struct("Objects")
            .field("config_maps", &config_maps)
            .field("secrets", &secrets)
            .finish()
    }
}

//! The hashes that ESO writes on a Secret: SHA3-224 over Go's printed form of the input.

use std::collections::BTreeMap;

use sha3::{Digest, Sha3_224};

use super::Data;

/// The value of the label `created-by` for the ExternalSecret of this name.
pub fn created_by(namespace: &str, name: &str) -> String {
    hexadecimal(Sha3_224::new().chain_update(namespace).chain_update("/").chain_update(name))
}

/// The value of the annotation `data-hash`.
///
/// Over `map[` + each `key:[b0 b1 …]`, joined by a space + `]`: what Go prints of a map of bytes. It
/// is fed piece by piece, so that no copy of a value is left behind.
pub fn of_data(data: &BTreeMap<String, Data>) -> String {
    let mut hash = Sha3_224::new_with_prefix("map[");
    for (index, (key, value)) in data.iter().enumerate() {
        if index > 0 {
            hash.update(" ");
        }
        hash.update(key);
        hash.update(":[");
        for (index, byte) in value.iter().copied().enumerate() {
            if index > 0 {
                hash.update(" ");
            }
            let digits = [byte / 100, byte / 10 % 10, byte % 10].map(|digit| b'0' + digit);
            let zeros = if byte < 10 { 2 } else { usize::from(byte < 100) };
            hash.update(digits.get(zeros..).unwrap_or_default());
        }
        hash.update("]");
    }
    hexadecimal(hash.chain_update("]"))
}

/// The field manager of an ExternalSecret's Secrets.
pub fn field_manager(name: &str) -> String {
    const PREFIX: &str = "externalsecrets.external-secrets.io/";
    /// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#managers>
    const MOST: usize = 63;
    if PREFIX.len() + name.len() <= MOST {
        return format!("{PREFIX}{name}");
    }
    format!("{PREFIX}sha3/{}", hexadecimal(Sha3_224::new_with_prefix(name)))
}

/// The value of `status.syncedResourceVersion`: what an ExternalSecret was when it was synced.
pub fn synced_resource_version(
    generation: i64,
    labels: &BTreeMap<String, String>,
    annotations: &BTreeMap<String, String>,
) -> String {
    let printed = |map: &BTreeMap<String, String>| {
        let entries: Vec<String> =
            map.iter().map(|(key, value)| format!("{key}:{value}")).collect();
        format!("map[{}]", entries.join(" "))
    };
    let (labels, annotations) = (printed(labels), printed(annotations));
    let text = format!("{{annotations:{annotations} labels:{labels}}}");
    format!("{generation}-{}", hexadecimal(Sha3_224::new_with_prefix(text)))
}

fn hexadecimal(hash: Sha3_224) -> String {
    let nibbles = hash.finalize().into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}

/// ESO's own vectors (`hs-vectors`, its unit tests) and † those computed from the formula.
#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(data: &[(&str, &str)], expected: &str) {
        let data = data.iter().map(|(k, v)| ((*k).to_owned(), Data::new(v.as_bytes().to_vec())));
        assert_eq!(of_data(&data.collect()), expected);
    }

    #[test]
    fn data_has_the_hash_of_eso() {
        check(&[], "74a974446e359fb3e6baff9bd0058950e6edd0f040888d9989b0a11b");
        check(
            &[("foo", "value1"), ("bar", "value2")],
            "1bed8bcbcb4547ffe19a19cd47d9078e84aa6598266d86b99f992d64",
        );
        check(
            &[("u", "é"), ("z", ""), ("a.b", "x"), ("a-b", "y"), ("a_b", "w"), ("A", "v")],
            "65440aa0574a8372d70d9190b6857ce5491b59eb50301c67398b788f",
        );
    }

    #[test]
    fn a_byte_is_written_as_go_writes_it() {
        // Digits of every length: sha3_224("map[k:[0 9 10 99 100 127]]"), by Python's hashlib.
        check(
            &[("k", "\0\u{9}\u{a}cd\u{7f}")],
            "9d20000b0093ef2ea2b22de593c3f04c6d023c9783d3a2d2f0d467c7",
        );
    }

    #[test]
    fn the_owner_has_the_hash_of_eso() {
        for (namespace, name, expected) in [
            ("default", "foo", "5634524f81ffd28d5559acdfea844235c0d3fc2499aca5a96810d10e"),
            // †
            ("team-a", "reader", "aac7b7a51987757b80a6b0eb2698558ec98f1f549aafcd60b7616f4b"),
            ("hs-vectors", "foo", "9ec79b4145ae49451ed1e1db4907982e3c9b7bbcec886e94b34c18bc"),
            ("hs-vectors", "bar", "9d4cc35403925d748516131e770a8b75c11b390f189bc8f8283b0404"),
            ("rw-empty-key", "a", "f9efccfd65b3a4097853f8f19339044332a26e3ed3ecf68deb01f531"),
            ("rw-order", "a", "f881ffc621795202e8114b8948d2569e70de082ea460c9a7a6fd9e9a"),
            ("rw-regexp", "a", "03a42decfe1aca5ba063fb527bbe9f667a390056d4939c4a2a806375"),
            ("tp-none-copies", "a", "32a89e609af76febcdd86a898913fb37c01adbac13acb0bef7476d58"),
        ] {
            assert_eq!(created_by(namespace, name), expected, "{namespace}/{name}");
        }
    }
}

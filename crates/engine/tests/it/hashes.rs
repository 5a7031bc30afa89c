//! The hashes of section 3.5 of the reference that no single Secret shows.

use std::collections::BTreeMap;

use rolecall_engine::render::{field_manager, synced_resource_version};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn the_synced_version_is_esos() {
    assert_eq!(
        synced_resource_version(1, &map(&[]), &map(&[])),
        "1-f47fe3c0b255b6dd8047cdffa772587bb829efe7a1cb70febeda2eb2"
    );
    assert_eq!(
        synced_resource_version(3, &map(&[("app", "web")]), &map(&[("c", "d"), ("a", "b")])),
        "3-34c47b031cb8b02afb62d4299083cd7a9076d74d619a0f22a95c18f1"
    );
}

#[test]
fn the_field_manager_fits_in_63_characters() {
    let name = "a".repeat(27);
    assert_eq!(field_manager(&name), format!("externalsecrets.external-secrets.io/{name}"));
    assert_eq!(
        field_manager(&"a".repeat(28)),
        "externalsecrets.external-secrets.io/sha3/52a6f48b37cd3535ef771a530c08d9cc4b78350ccdd33f2405e22ebb"
    );
}

//! World files that are wrong, and what is told about them.

use proptest::prelude::*;

use super::*;

#[track_caller]
fn check(yaml: &str, expected: &[&str]) {
    let error = World::parse(yaml).unwrap_err();
    assert_eq!(error.violations(), expected);
    assert_eq!(error.to_string(), expected.join("\n"));
}

#[test]
fn the_builtin_world_is_valid() {
    let world = World::builtin().unwrap();
    assert_eq!(world.ambient(), Some("arn:aws:iam::111122223333:user/alice"));
    assert_eq!(world.region(), "eu-west-1");
    assert_eq!((world.users().len(), world.roles().len()), (2, 12));
    assert!(world.providers()[0].can_sign);
}

#[test]
fn an_empty_world_is_a_world() {
    let world = World::parse("{}").unwrap();
    assert_eq!((world.region(), world.ambient(), world.lifetime_divisor), ("us-east-1", None, 1));
}

#[test]
fn every_violation_is_listed_with_its_path() {
    check(
        "rolls: []\nregion: EU\nusers:\n  - arn: x\n    accessKeys: [{id: short}]\n",
        &[
            "world: unknown key `rolls`, known are region, lifetime_divisor, ambient, users, roles, \
             oidcProviders, policies, faults",
            "users[0].arn: must be like arn:aws:iam::111122223333:user/name",
            "users[0].accessKeys[0].id: must be 16..=128 letters and digits, not beginning with \
             ASIA",
            "users[0].accessKeys[0]: `secret` is missing",
            "region: must be one label of lower-case letters, digits and hyphens",
        ],
    );
}

#[test]
fn names_used_twice_and_callers_that_are_not_there() {
    let role = "arn: \"arn:aws:iam::111122223333:role/r\", trustPolicy: {Statement: {Effect: Allow, \
                Principal: \"*\", Action: \"*\"}}";
    check(
        &format!("ambient: nobody\nroles: [{{{role}}}, {{{role}}}]"),
        &[
            "world: `arn:aws:iam::111122223333:role/r` is there twice",
            "ambient: no such user or role in this world",
        ],
    );
}

#[test]
fn mfa_devices_that_cannot_be() {
    let device = |serial: &str, seed: &str| {
        format!("{{serialNumber: \"{serial}\", base32StringSeed: {seed}}}")
    };
    let (good, short) = ("MVWXK3DBORSWIL3BNRUWGZJPNZXXIL3B", "MVWXK3DB");
    let mine = "arn:aws:iam::111122223333:mfa/a";
    let elsewhere = device("arn:aws:iam::444455556666:mfa/a", good);
    let user = "arn: \"arn:aws:iam::111122223333:user/a\"";
    let check = |devices: &str, expected: &[&str]| {
        check(&format!("users: [{{{user}, mfaDevices: [{devices}]}}]"), expected);
    };
    check(
        &device("GAHT12345678", good),
        &["users[0].mfaDevices[0].serialNumber: must be like arn:aws:iam::111122223333:mfa/name"],
    );
    let seed = "users[0].mfaDevices[0].base32StringSeed: must be base32 of at least 16 bytes";
    check(&device(mine, short), &[seed]);
    check(&device(mine, "canary!"), &[seed]);
    check(&elsewhere, &["users[0]: an MFA device must be of the user's account"]);
    let twice = [device(mine, good), device(mine, good)].join(", ");
    check(&twice, &["world: `arn:aws:iam::111122223333:mfa/a` is there twice"]);
}

#[test]
fn faults_are_texts_or_maps() {
    let world = World::parse("faults: [times=1 throttle, {fault: hang, role: r}]").unwrap();
    assert_eq!(world.faults.len(), 2);
    assert!(World::parse("faults: [nonsense]").is_err());
}

#[test]
fn no_secret_is_in_the_debug_form() {
    let text = format!("{:?}", World::builtin().unwrap());
    assert!(!text.contains("not/a/real/secret"), "{text}");
}

#[test]
fn a_test_key_must_belong_to_a_public_one() {
    let yaml = World::DEFAULT_YAML.replace("e: AQAB", "e: AQAC");
    let error = World::parse(&yaml).unwrap_err();
    assert_eq!(
        error.violations(),
        ["oidcProviders[0].testKey: belongs to none of the keys in `jwks`"]
    );
}

proptest! {
    #[test]
    fn no_text_makes_the_parser_panic(text in ".*") {
        if let Err(error) = World::parse(&text) {
            prop_assert!(!error.violations().is_empty());
        }
    }
}

//! Encoders: exact forms, and decoding back what any value could be.

use proptest::prelude::*;
use secrecy::SecretString;

use super::*;
use crate::arn::SessionArn;
use crate::session::{AssumedRole, Credentials};

fn session(expires_at: Option<&str>) -> Session {
    Session {
        credentials: Credentials {
            access_key_id: "ASIAX".to_owned(),
            secret_access_key: SecretString::from("s/e+c="),
            session_token: Some(SecretString::from("tok/en==")),
        },
        expires_at: expires_at.map(|text| text.parse().unwrap()),
        received_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        assumed_role: Some(AssumedRole {
            id: "AROAX:me".to_owned(),
            arn: SessionArn::parse("arn:aws:sts::111122223333:assumed-role/reader/me"),
        }),
        packed_policy_percent: Some(6),
        source_identity: None,
        request_id: None,
    }
}

const HOUR: Option<&str> = Some("2026-01-01T01:00:00.5Z");

fn region() -> Region {
    Region::parse("eu-west-1").unwrap()
}

#[test]
fn a_shell_reads_the_variables() {
    let text = shell(&variables(&session(HOUR), &region()), Dialect::Posix);
    assert_eq!(
        *text,
        "export AWS_ACCESS_KEY_ID='ASIAX'\n\
         export AWS_SECRET_ACCESS_KEY='s/e+c='\n\
         export AWS_SESSION_TOKEN='tok/en=='\n\
         export AWS_CREDENTIAL_EXPIRATION='2026-01-01T01:00:00Z'\n\
         export AWS_REGION='eu-west-1'\n\
         export AWS_DEFAULT_REGION='eu-west-1'\n"
    );
}

#[test]
fn the_generator_keys_are_those_of_eso() {
    assert_eq!(
        *key_lines(&generator_keys(&Issued::Session(session(HOUR)))),
        "access_key_id=ASIAX\nsecret_access_key=s/e+c=\nsession_token=tok/en==\nexpiration=1767229200\n"
    );
}

#[test]
fn an_unstated_expiry_is_left_out_but_never_permanent() {
    let session = session(None);
    assert_eq!(generator_keys(&Issued::Session(session.clone())).len(), 3);
    assert!(!shell(&variables(&session, &region()), Dialect::Posix).contains("EXPIRATION"));
    assert!(!assume_role_json(&session).unwrap().contains("Expiration"));
    let process: serde_json::Value =
        serde_json::from_str(&credential_process(&session).unwrap()).unwrap();
    assert_eq!(process["Expiration"], "2026-01-01T00:15:00Z");
}

#[test]
fn json_has_the_shape_of_the_aws_cli() {
    let value: serde_json::Value =
        serde_json::from_str(&assume_role_json(&session(HOUR)).unwrap()).unwrap();
    assert_eq!(
        value,
        serde_json::json!({
            "Credentials": {
                "AccessKeyId": "ASIAX",
                "SecretAccessKey": "s/e+c=",
                "SessionToken": "tok/en==",
                "Expiration": "2026-01-01T01:00:00Z",
            },
            "AssumedRoleUser": {
                "AssumedRoleId": "AROAX:me",
                "Arn": "arn:aws:sts::111122223333:assumed-role/reader/me",
            },
            "PackedPolicySize": 6,
        })
    );
}

#[test]
fn a_credential_process_answers_version_1_and_the_account() {
    let value: serde_json::Value =
        serde_json::from_str(&credential_process(&session(HOUR)).unwrap()).unwrap();
    assert_eq!(value["Version"], 1);
    assert_eq!(value["AccountId"], "111122223333");
    assert_eq!(value["Expiration"], "2026-01-01T01:00:00Z");
}

/// What a POSIX shell makes of one single-quoted word.
fn unquoted(word: &str) -> String {
    word.strip_prefix('\'').unwrap().strip_suffix('\'').unwrap().replace("'\\''", "'")
}

proptest! {
    #[test]
    fn a_posix_shell_reads_back_any_value(value in "[^\\n\\r]{0,40}") {
        let text = shell(&[("NAME", Text::new(value.clone()))], Dialect::Posix);
        let word = text.strip_prefix("export NAME=").unwrap().strip_suffix('\n').unwrap();
        prop_assert_eq!(unquoted(word), value);
    }

    #[test]
    fn fish_reads_back_any_value(value in "[^\\n\\r]{0,40}") {
        let text = shell(&[("NAME", Text::new(value.clone()))], Dialect::Fish);
        let word = text.strip_prefix("set -gx NAME '").unwrap().strip_suffix("';\n").unwrap();
        let mut read = String::new();
        let mut characters = word.chars();
        while let Some(character) = characters.next() {
            // In single quotes fish knows two escapes, and no quote of its own may be left.
            prop_assert_ne!(character, '\'');
            read.push(if character == '\\' { characters.next().unwrap() } else { character });
        }
        prop_assert_eq!(read, value);
    }

    #[test]
    fn powershell_reads_back_any_value(value in "[^\\n\\r]{0,40}") {
        let text = shell(&[("NAME", Text::new(value.clone()))], Dialect::PowerShell);
        let word = text.strip_prefix("$env:NAME = '").unwrap().strip_suffix("'\n").unwrap();
        prop_assert_eq!(word.replace("''", "'"), value);
    }
}

#[test]
fn a_registrys_keys_are_those_of_eso() {
    let token = |proxy_endpoint: Option<&str>| {
        Issued::RegistryToken(RegistryToken {
            username: "AWS".to_owned(),
            password: SecretString::from("pass=="),
            proxy_endpoint: proxy_endpoint.map(str::to_owned),
            expires_at: "2026-01-01T12:00:00.75Z".parse().unwrap(),
            request_id: None,
        })
    };
    assert_eq!(
        *key_lines(&generator_keys(&token(Some("https://1.dkr.ecr.eu-west-1.amazonaws.com")))),
        "username=AWS\npassword=pass==\n\
         proxy_endpoint=https://1.dkr.ecr.eu-west-1.amazonaws.com\nexpires_at=1767268800\n"
    );
    assert_eq!(
        *key_lines(&generator_keys(&token(None))),
        "username=AWS\npassword=pass==\nexpires_at=1767268800\n"
    );
}

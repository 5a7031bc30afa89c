//! Keys from the endpoints of containers and instances, by the shipped binary and over real sockets.
//!
//! `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` always leads to 169.254.170.2, which no test can be; the
//! tables of `rolecall-aws` hold how it is read.

mod container;
mod instance;
mod server;

use jiff::{SignedDuration, Timestamp};
use rolecall_emulator::{AmbientCredentials, World};

use crate::harness::{Case, Ran, Sink, Sts};
use server::Server;

const ROLE: &str = "arn:aws:iam::111122223333:role/deployer";

/// An STS whose ambient caller is a session of the role hub, and the keys of that session.
fn sts_of_hub() -> (Sts, AmbientCredentials) {
    let yaml = World::DEFAULT_YAML.replace(
        "ambient: arn:aws:iam::111122223333:user/alice",
        "ambient: arn:aws:iam::111122223333:role/hub",
    );
    let sts = Sts::with(World::parse(&yaml).unwrap(), SignedDuration::ZERO);
    let keys = sts.emulator.ambient_credentials().unwrap();
    assert!(keys.session_token.is_some());
    (sts, keys)
}

/// The answer with keys, as agents and the metadata service give it.
fn document(keys: &AmbientCredentials, expiration: &str) -> String {
    serde_json::json!({
        "Code": "Success",
        "Type": "AWS-HMAC",
        "AccessKeyId": keys.access_key_id,
        "SecretAccessKey": keys.secret_access_key,
        "Token": keys.session_token,
        "Expiration": expiration,
    })
    .to_string()
}

/// A whole second of the future, ending in `Z`.
fn in_an_hour() -> String {
    #[expect(clippy::disallowed_methods, reason = "the test's clock")]
    let now = Timestamp::now();
    Timestamp::from_second(now.as_second() + 3_600).unwrap().to_string()
}

/// A run without keys of its own, in a region, at `sts`.
fn case_at(sts: &Sts) -> Case {
    let mut case = Case::new();
    case.env("AWS_ENDPOINT_URL_STS", sts.emulator.sts_url()).env("AWS_REGION", "eu-west-1");
    case
}

/// Secrets that a server of these tests knows, and tells whenever it can.
fn leaky(case: &mut Case) -> &mut Case {
    case.canary(SECRET).canary(TOKEN)
}

const KEY_ID: &str = "ASIAIOSFODNN7EXAMPLE";
const SECRET: &str = "canary/secret/of/the/server";
const TOKEN: &str = "canary/session/token";

/// An answer with the server's secrets, less what `change` takes away.
fn leaky_document(change: impl FnOnce(&mut serde_json::Map<String, serde_json::Value>)) -> String {
    let mut document = serde_json::json!({
        "AccessKeyId": KEY_ID, "SecretAccessKey": SECRET, "Token": TOKEN,
        "Expiration": "2100-01-01T00:00:00Z", "Message": format!("{SECRET} {TOKEN}"),
    });
    change(document.as_object_mut().unwrap());
    document.to_string()
}

/// Holds the exact answer of a run that failed against `endpoints/snapshots/NAME.snap`.
#[track_caller]
fn check_failure(name: &str, case: &Case, ran: &Ran) {
    assert!(ran.stdout.is_empty(), "{name}: {}", ran.stdout);
    assert!(ran.stderr.contains("\nhint: "), "{name}: {}", ran.stderr);
    let mut settings = insta::Settings::clone_current();
    settings.add_filter(r"127\.0\.0\.1:\d+", "127.0.0.1:[PORT]");
    settings.set_snapshot_path("endpoints/snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| {
        let answer = format!("exit status {}\n{}", ran.status, case.filtered(&ran.stderr));
        insta::assert_snapshot!(name.to_owned(), answer);
    });
}

/// Runs `assume` to a failure and holds it against its snapshot; says how often `server` was asked.
#[track_caller]
fn fails(name: &str, case: &Case, server: &Server) -> usize {
    let ran = case.run(&["assume", ROLE], Sink::None);
    check_failure(name, case, &ran);
    server.asked().len()
}

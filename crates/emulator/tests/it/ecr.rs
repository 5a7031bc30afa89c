//! `GetAuthorizationToken` of the private and the public registry.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::SignedDuration;
use rolecall_emulator::World;
use serde_json::{Value, json};

use crate::signer::{Keys, Reply, Signing, request, send, signed};
use crate::{Scene, alice};

const PRIVATE: &str = "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken";
const PUBLIC: &str = "SpencerFrontendService.GetAuthorizationToken";
const JSON: &str = "application/x-amz-json-1.1";

fn how(target: &str, service: &'static str, region: &'static str) -> Signing {
    let extra_headers = vec![("x-amz-target", target.to_owned())];
    Signing { service, region, extra_headers, content_type: JSON, ..Signing::default() }
}

async fn call(scene: &Scene, keys: &Keys, body: &str, how: &Signing) -> Reply {
    send(&scene.host, &signed(&scene.host, body, keys, scene.now(), how)).await
}

async fn private(scene: &Scene, keys: &Keys) -> Reply {
    call(scene, keys, "{}", &how(PRIVATE, "ecr", "eu-west-1")).await
}

async fn public(scene: &Scene, keys: &Keys) -> Reply {
    call(scene, keys, "{}", &how(PUBLIC, "ecr-public", "us-east-1")).await
}

fn parsed(reply: &Reply) -> Value {
    assert!(reply.head.contains(&format!("content-type: {JSON}")), "{}", reply.head);
    serde_json::from_str(&reply.body).unwrap()
}

#[track_caller]
fn check(reply: &Reply, code: &str, message: &str) {
    let error = json!({ "__type": code, "message": message });
    assert_eq!((reply.status, parsed(reply)), (400, error));
}

fn denied(who: &str, action: &str) -> String {
    format!(
        "User: arn:aws:{who} is not authorized to perform: {action} on resource: * because no \
         identity-based policy allows the {action} action"
    )
}

/// The password of a token, which must be among what was issued.
fn password(scene: &Scene, data: &Value) -> String {
    let token = data["authorizationToken"].as_str().unwrap();
    let pair = String::from_utf8(STANDARD.decode(token).unwrap()).unwrap();
    let parts: Vec<&str> = pair.split(':').collect();
    let ["AWS", password] = parts.as_slice() else { panic!("{} parts", parts.len()) };
    assert!(password.starts_with("EMULATED"));
    let issued = scene.emulator.issued();
    assert!(issued.iter().any(|secrets| secrets.texts() == [*password, token]));
    (*password).to_owned()
}

#[tokio::test]
async fn a_private_registry() {
    let scene = Scene::new().await;
    let reply = private(&scene, &alice()).await;
    let answer = parsed(&reply);
    let list = answer["authorizationData"].as_array().unwrap();
    assert_eq!((reply.status, list.len()), (200, 1));
    let end = scene.now() + SignedDuration::from_hours(12);
    assert_eq!(list[0]["expiresAt"], json!(end.as_second()));
    assert_eq!(list[0]["proxyEndpoint"], "https://111122223333.dkr.ecr.eu-west-1.amazonaws.com");
    let first = password(&scene, &list[0]);
    let again = parsed(&private(&scene, &alice()).await);
    assert_ne!(first, password(&scene, &again["authorizationData"][0]));

    let record = &scene.emulator.requests()[0];
    assert_eq!(record.service.as_deref(), Some("ecr"));
    assert_eq!(record.operation.as_deref(), Some("GetAuthorizationToken"));
    assert_eq!(record.caller.as_deref(), Some("arn:aws:iam::111122223333:user/alice"));
    assert_eq!((record.status, record.region.as_deref()), (Some(200), Some("eu-west-1")));
    let everything = format!("{:?}{:?}", scene.emulator.requests(), scene.emulator.issued());
    assert!(!everything.contains(&first));
}

#[tokio::test]
async fn the_public_registry() {
    let scene = Scene::new().await;
    let answer = parsed(&public(&scene, &alice()).await);
    let data = answer["authorizationData"].as_object().unwrap();
    assert_eq!(data.keys().collect::<Vec<_>>(), ["authorizationToken", "expiresAt"]);
    password(&scene, &answer["authorizationData"]);
    assert_eq!(scene.emulator.requests()[0].service.as_deref(), Some("ecr-public"));
    let elsewhere = call(&scene, &alice(), "{}", &how(PUBLIC, "ecr-public", "eu-west-1")).await;
    let text = "Credential should be scoped to a valid region, not 'eu-west-1'.";
    check(&elsewhere, "InvalidSignatureException", text);
}

#[tokio::test]
async fn registries_of_other_accounts_and_partitions() {
    let scene = Scene::new().await;
    let ask = async |ids: &str| {
        let body = format!("{{\"registryIds\": {ids}}}");
        call(&scene, &alice(), &body, &how(PRIVATE, "ecr", "eu-west-1")).await
    };
    let answer = parsed(&ask("[\"444455556666\", \"111122223333\"]").await);
    let list = answer["authorizationData"].as_array().unwrap();
    assert_eq!(list.len(), 2);
    assert_eq!(list[0]["proxyEndpoint"], "https://444455556666.dkr.ecr.eu-west-1.amazonaws.com");
    assert_eq!(scene.emulator.requests()[0].parameters, ["registryIds"]);
    for ids in ["[]", "[\"x\"]", "7"] {
        ask(ids).await.check(400, "\"__type\":\"InvalidParameterException\"");
    }
    let yaml = World::DEFAULT_YAML.replace("arn:aws:", "arn:aws-cn:");
    let scene = Scene::of(World::parse(&yaml).unwrap()).await;
    let reply = call(&scene, &alice(), "{}", &how(PRIVATE, "ecr", "cn-north-1")).await;
    reply.check(200, "\"https://111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn\"");
}

#[tokio::test]
async fn identity_policies_decide() {
    let scene = Scene::new().await;
    let puller = scene.assume(&alice(), "puller", "").await.keys();
    private(&scene, &puller).await.check(200, "authorizationToken");
    let who = "sts::111122223333:assumed-role/puller/test";
    let refused = denied(who, "ecr-public:GetAuthorizationToken");
    check(&public(&scene, &puller).await, "AccessDeniedException", &refused);
    let one = scene.assume(&alice(), "puller-of-one", "").await.keys();
    let who = "sts::111122223333:assumed-role/puller-of-one/test";
    let refused = denied(who, "ecr:GetAuthorizationToken");
    check(&private(&scene, &one).await, "AccessDeniedException", &refused);
    assert_eq!(scene.emulator.issued().len(), 3);
}

#[tokio::test]
async fn a_users_sessions_are_judged_as_the_user() {
    let with = async |statements: &str| {
        let line = "  - arn: arn:aws:iam::111122223333:user/alice\n";
        let policies = format!("    identityPolicies: [{{Statement: [{statements}]}}]\n");
        let yaml = World::DEFAULT_YAML.replacen(line, &(line.to_owned() + &policies), 1);
        let scene = Scene::of(World::parse(&yaml).unwrap()).await;
        let session = scene.call(&alice(), "Action=GetSessionToken").await.keys();
        (scene, session)
    };
    let allow = "{Effect: Allow, Action: 'ecr*:GetAuthorizationToken', Resource: '*'}";
    let (scene, session) = with(allow).await;
    private(&scene, &session).await.check(200, "authorizationToken");
    // The public registry wants a second action.
    let refused = denied("iam::111122223333:user/alice", "sts:GetServiceBearerToken");
    check(&public(&scene, &session).await, "AccessDeniedException", &refused);
    let bearer = "{Effect: Allow, Action: 'sts:GetServiceBearerToken', Resource: '*'}";
    let (scene, session) = with(&format!("{allow}, {bearer}")).await;
    public(&scene, &session).await.check(200, "authorizationToken");
    let deny = "{Effect: Deny, Action: 'ecr:*', Resource: '*'}";
    let (scene, session) = with(&format!("{allow}, {deny}")).await;
    let text = "with an explicit deny in an identity-based policy";
    private(&scene, &session).await.check(400, text);
}

#[tokio::test]
async fn refusals_are_worded_as_json_services_do() {
    let scene = Scene::new().await;
    let how_private = how(PRIVATE, "ecr", "eu-west-1");
    let wrong = Keys { secret: "wrong".to_owned(), ..alice() };
    let text = "The request signature we calculated does not match the signature you provided. \
                Check your AWS Secret Access Key and signing method. Consult the service \
                documentation for details.";
    check(&private(&scene, &wrong).await, "InvalidSignatureException", text);
    let text = "Credential should be scoped to correct service: 'ecr'.";
    let reply = call(&scene, &alice(), "{}", &how(PRIVATE, "sts", "eu-west-1")).await;
    check(&reply, "InvalidSignatureException", text);
    let unknown = Keys { id: "AKIAUNKNOWN000000000".to_owned(), ..alice() };
    let text = "The security token included in the request is invalid.";
    check(&private(&scene, &unknown).await, "UnrecognizedClientException", text);
    let hub = scene.assume(&alice(), "hub", "").await.keys();
    let other = Keys { token: Some("other".to_owned()), ..hub.clone() };
    check(&private(&scene, &other).await, "UnrecognizedClientException", text);
    scene.pass(3600);
    let text = "The security token included in the request is expired";
    check(&private(&scene, &hub).await, "ExpiredTokenException", text);
    let headers = [("host", scene.host.clone()), ("x-amz-target", PRIVATE.to_owned())];
    let bare = send(&scene.host, &request("POST", "", &headers, "{}")).await;
    check(&bare, "MissingAuthenticationTokenException", "Missing Authentication Token");
    for target in ["AmazonEC2ContainerRegistry_V20150921.Nonsense", "Nonsense", "x.y"] {
        let reply = call(&scene, &alice(), "{}", &how(target, "ecr", "eu-west-1")).await;
        check(&reply, "UnknownOperationException", "");
    }
    let reply = call(&scene, &alice(), "[]", &how_private).await;
    reply.check(400, "\"__type\":\"SerializationException\"");
    assert!(reply.head.contains("x-amzn-requestid: "), "{}", reply.head);
    let late = signed(&scene.host, "{}", &alice(), scene.now(), &how_private);
    scene.pass(16 * 60);
    send(&scene.host, &late).await.check(400, "Signature expired: 20260101T010000Z is now");
}

#[tokio::test]
async fn faults_meet_registries_too() {
    let scene = Scene::new().await;
    let alice = alice();
    for (fault, status, part) in [
        ("throttle", 400, "{\"__type\":\"ThrottlingException\",\"message\":\"Rate exceeded\"}"),
        ("500", 500, "\"__type\":\"ServerException\""),
        ("503", 503, "\"__type\":\"ServiceUnavailableException\""),
        ("deny", 400, "no identity-based policy allows the ecr:GetAuthorizationToken action"),
        ("error=Odd:418:text", 418, "{\"__type\":\"Odd\",\"message\":\"text\"}"),
        ("expiry=1767225600.5", 200, "\"expiresAt\":1767225600.5"),
        ("expiry=soon", 200, "\"expiresAt\":\"soon\""),
    ] {
        let rule = format!("times=1 operation=GetAuthorizationToken {fault}");
        scene.emulator.inject(rule.parse().unwrap());
        scene.who(&alice).await.check(200, "alice");
        private(&scene, &alice).await.check(status, part);
    }
    scene.emulator.inject("times=1 expiry=".parse().unwrap());
    let answer = parsed(&private(&scene, &alice).await);
    assert_eq!(answer["authorizationData"][0].get("expiresAt"), None);
    let record = &scene.emulator.requests()[1];
    assert_eq!(record.error_code.as_deref(), Some("ThrottlingException"));
}

#[tokio::test]
async fn a_password_lives_12_hours_divided() {
    let yaml = World::DEFAULT_YAML.replace("lifetime_divisor: 1", "lifetime_divisor: 720");
    let scene = Scene::of(World::parse(&yaml).unwrap()).await;
    let end = scene.now() + SignedDuration::from_mins(1);
    private(&scene, &alice()).await.check(200, &format!("\"expiresAt\":{}", end.as_second()));
}

//! Plans that STS would refuse, and those that it would not.

use super::*;
use crate::arn::Dialect;
use crate::request::{ExternalId, Mfa, MfaSerial, SessionTags, SourceIdentity};

fn request(role: &str) -> RoleRequest {
    let role = RoleArn::parse(role, Dialect::Aws).unwrap();
    RoleRequest::new(role, SessionName::made_from("team-a.reader"))
}

fn region(text: &str) -> Region {
    Region::parse(text).unwrap()
}

const READER: &str = "arn:aws:iam::111122223333:role/reader";
const HUB: &str = "arn:aws:iam::111122223333:role/hub";

fn lasting(mut request: RoleRequest, seconds: i64) -> RoleRequest {
    request.duration = Some(SessionDuration::from_seconds(seconds).unwrap());
    request
}

#[test]
fn a_second_hop_lasts_an_hour_at_most() {
    for (seconds, ok) in [(3_600, true), (3_601, false)] {
        let last = lasting(request(READER), seconds);
        let plan =
            Plan::assume_role(region("eu-west-1"), SourceSpec::Ambient, vec![request(HUB)], last);
        assert_eq!(plan.check().is_ok(), ok, "{seconds}");
    }
}

#[test]
fn a_single_hop_is_capped_once_its_keys_prove_temporary() {
    let last = lasting(request(READER), 7_200);
    let plan = Plan::assume_role(region("eu-west-1"), SourceSpec::Ambient, Vec::new(), last);
    assert_eq!(plan.check(), Ok(()));
    assert_eq!(plan.check_caller(Caller::LongTerm), Ok(()));
    assert!(plan.check_caller(Caller::Temporary).is_err());
}

#[test]
fn an_account_that_has_the_role_itself_makes_one_hop() {
    let role = RoleArn::parse(READER, Dialect::Aws).unwrap();
    let plan = |last: RoleRequest| {
        let region = region("eu-west-1");
        let source = SourceSpec::Ambient;
        Plan::assume_role(region, Start::of_account(source, role.clone()), Vec::new(), last)
    };
    let direct = plan(lasting(request(READER), 7_200));
    assert!(direct.prefix.is_empty());
    assert_eq!(direct.check(), Ok(()));
    let mut with_external_id = request(READER);
    with_external_id.external_id = Some(ExternalId::parse("abc").unwrap());
    assert_eq!(plan(with_external_id).prefix.len(), 1);
    assert_eq!(plan(request(HUB)).prefix.len(), 1);
}

#[test]
fn what_a_chain_inherits_cannot_be_set_again() {
    let with = |identity: &str, transitive: &[&str]| {
        let mut hop = request(HUB);
        hop.source_identity = Some(SourceIdentity::parse(identity).unwrap());
        let tag = ("tags[0]".to_owned(), "Team".to_owned(), "blue".to_owned());
        let transitive = transitive.iter().map(|key| (*key).to_owned()).collect();
        hop.tags = SessionTags::new(vec![tag], transitive, "tags", "keys").unwrap();
        hop
    };
    let plan = |first, last| {
        Plan::assume_role(region("eu-west-1"), SourceSpec::Ambient, vec![first], last)
    };
    assert_eq!(plan(with("alice", &[]), with("alice", &[])).check(), Ok(()));
    let errors = plan(with("alice", &["team"]), with("bob", &[])).check().unwrap_err();
    assert!(matches!(
        errors.as_slice(),
        [(1, PlanError::SourceIdentityChanged { .. }), (1, PlanError::TagInherited { .. })]
    ));
}

#[test]
fn a_role_of_another_partition_is_seen_before_any_call() {
    let plan = |code| {
        let region = region(code);
        Plan::assume_role(region, SourceSpec::Ambient, Vec::new(), request(READER))
    };
    assert!(plan("cn-north-1").check().is_err());
    assert!(plan("eu-west-1").check().is_ok());
    assert!(plan("snow").check().is_ok(), "an unknown region is left to the service");
}

#[test]
fn a_token_asks_for_the_first_role_of_a_chain() {
    let plan = |via, last| {
        let source = SourceSpec::Token { from: TokenFrom::File("token".into()), account: None };
        Plan::assume_role_with_token(region("eu-west-1"), source, via, last)
    };
    let direct = plan(Vec::new(), lasting(request(READER), 7_200)).unwrap();
    assert!(matches!(direct.last, Hop::WebIdentity(_)));
    let mut with_external_id = request(READER);
    with_external_id.external_id = Some(ExternalId::parse("abc").unwrap());
    let chain = plan(vec![request(HUB)], with_external_id.clone()).unwrap();
    assert!(matches!(chain.prefix.as_slice(), [Hop::WebIdentity(_)]));
    assert!(matches!(
        plan(Vec::new(), with_external_id),
        Err(PlanError::NotWithWebIdentity { parameters, .. }) if parameters == ["externalID"]
    ));
}

#[test]
fn a_chain_of_an_account_with_the_role_itself_is_no_single_hop() {
    let role = RoleArn::parse(READER, Dialect::Aws).unwrap();
    let (region, source) = (region("eu-west-1"), SourceSpec::Ambient);
    let via = vec![request(HUB)];
    let plan = Plan::assume_role(region, Start::of_account(source, role), via, request(READER));
    assert_eq!(plan.hops().count(), 3);
}

#[test]
fn a_session_token_needs_a_users_own_keys() {
    let request = SessionTokenRequest::default();
    let plan = Plan::session_token(region("eu-west-1"), SourceSpec::Ambient, request);
    assert_eq!(plan.check_caller(Caller::LongTerm), Ok(()));
    assert_eq!(plan.check_caller(Caller::Temporary), Err(PlanError::SessionTokenOfSession));
}

#[test]
fn an_earlier_role_of_another_partition_is_seen_too() {
    let via = vec![request("arn:aws-cn:iam::111122223333:role/hub")];
    let plan = Plan::assume_role(region("eu-west-1"), SourceSpec::Ambient, via, request(READER));
    let errors = plan.check().unwrap_err();
    assert!(matches!(errors.as_slice(), [(0, PlanError::OtherPartition { .. })]));
}

fn device() -> MfaSerial {
    MfaSerial::parse("arn:aws:iam::111122223333:mfa/alice").unwrap()
}

fn with_device(via: Vec<RoleRequest>, last: RoleRequest) -> Plan {
    let plan = Plan::assume_role(region("eu-west-1"), SourceSpec::Ambient, via, last);
    plan.with_mfa(&device()).unwrap()
}

fn operations(plan: &Plan) -> Vec<&'static str> {
    plan.hops().map(Hop::operation).collect()
}

#[test]
fn a_code_goes_with_the_first_call() {
    let plan = with_device(vec![request(HUB)], request(READER));
    assert_eq!(plan.devices().count(), 1);
    let Some(Hop::AssumeRole(first)) = plan.prefix.first() else { panic!("no first hop") };
    assert_eq!(first.mfa, Some(Mfa::asked_of(device())));
    let registry =
        Plan::registry_token(region("eu-west-1"), SourceSpec::Ambient, Registry::Private);
    let registry = registry.with_mfa(&device()).unwrap();
    assert_eq!(operations(&registry), ["GetSessionToken", "GetAuthorizationToken"]);
    let role = RoleArn::parse(READER, Dialect::Aws).unwrap();
    let start = Start::of_account(SourceSpec::Ambient, role);
    let web = Plan::assume_role(region("eu-west-1"), start, Vec::new(), request(HUB));
    assert!(matches!(web.with_mfa(&device()), Err(PlanError::NotWithWebIdentity { .. })));
}

#[test]
fn one_code_is_made_to_serve_every_plan_of_a_run() {
    let shared = |mut plans: Vec<Plan>| {
        share_mfa(plans.iter_mut());
        plans
    };
    // One plan, and plans that share their first call, stay as they are.
    let alone = vec![with_device(Vec::new(), request(READER))];
    assert_eq!(shared(alone.clone()), alone);
    let same_hub: Vec<Plan> =
        [READER, HUB].map(|last| with_device(vec![request(HUB)], request(last))).into();
    assert_eq!(shared(same_hub.clone()), same_hub);
    // Others take the code in a call of its own, the same for all of them.
    let plans = shared(vec![
        with_device(Vec::new(), request(READER)),
        with_device(Vec::new(), lasting(request(HUB), 7_200)),
        with_device(vec![request(HUB)], request(READER)),
    ]);
    for plan in &plans {
        assert_eq!(operations(plan).first(), Some(&"GetSessionToken"));
        assert_eq!(plan.devices().count(), 1);
        assert_eq!(plan.prefix.first(), plans[0].prefix.first());
    }
    // What follows is chained, with the cap that goes with it.
    assert_eq!(plans[0].check(), Ok(()));
    assert!(plans[1].check().is_err());
    // Without a device nothing changes.
    let plain = vec![Plan { prefix: Vec::new(), ..plans[0].clone() }, plans[2].clone()];
    assert_eq!(shared(plain.clone()), plain);
}

#[test]
fn a_run_knows_how_many_codes_it_needs() {
    let count = |mut plans: Vec<Plan>| {
        share_mfa(plans.iter_mut());
        codes_needed(plans.iter())
    };
    let role = || with_device(Vec::new(), request(READER));
    let registry = || {
        let plan =
            Plan::registry_token(region("eu-west-1"), SourceSpec::Ambient, Registry::Private);
        plan.with_mfa(&device()).unwrap()
    };
    let own_session = || {
        let request = SessionTokenRequest::default();
        let plan = Plan::session_token(region("eu-west-1"), SourceSpec::Ambient, request);
        plan.with_mfa(&device()).unwrap()
    };
    assert_eq!(count(vec![role()]), 1);
    assert_eq!(count(vec![role(), with_device(Vec::new(), request(HUB))]), 1);
    assert_eq!(count(vec![role(), registry()]), 1);
    assert_eq!(count(vec![registry(), registry()]), 1);
    // A session that is asked for is made anew, and no session can ask for one.
    assert_eq!(count(vec![role(), own_session()]), 2);
    let elsewhere = Plan { region: region("us-east-1"), ..role() };
    assert_eq!(count(vec![role(), elsewhere]), 2);
}

#[test]
fn a_device_that_a_call_names_stays_and_one_behind_a_role_cannot_be() {
    let other = MfaSerial::parse("arn:aws:iam::111122223333:mfa/other").unwrap();
    let plan = with_device(vec![request(HUB)], request(READER)).with_mfa(&other).unwrap();
    assert_eq!(plan.devices().collect::<Vec<_>>(), [&device()]);
    let mut behind = request(READER);
    behind.mfa = Some(Mfa::asked_of(device()));
    let plan =
        Plan::assume_role(region("eu-west-1"), SourceSpec::Ambient, vec![request(HUB)], behind);
    assert!(matches!(
        plan.check().unwrap_err().as_slice(),
        [(1, PlanError::MfaBehindARole { .. })]
    ));
}

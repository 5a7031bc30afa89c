//! `GetAuthorizationToken` of the container registries, private (ECR) and public.
//!
//! The token is a name and a password for `docker login`, in base64. What decides is the caller's
//! identity policies, on resource `*`: the call has no other, so a policy for one repository does
//! not allow it.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html>

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::arn::{Arn, is_account};
use crate::authenticate::{Authenticated, authenticate};
use crate::operations::{Call, caller};
use crate::policy::Verdict;
use crate::record::RequestRecord;
use crate::session::whole_second;
use crate::state::State;
use crate::wire::json::JsonCall;
use crate::wire::refusal::Refusal;

/// How long a password is good: 12 h.
const LIFE_SECONDS: u32 = 43_200;
const OPERATION: &str = "GetAuthorizationToken";
/// The one region of the public registry's API.
const PUBLIC_REGION: &str = "us-east-1";

/// Which registry is asked.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Registry {
    Private,
    Public,
}

impl Registry {
    /// The registry that a call speaks to.
    pub(crate) fn of(call: &JsonCall) -> Option<Self> {
        match call.target.as_str() {
            "AmazonEC2ContainerRegistry_V20150921" => Some(Self::Private),
            "SpencerFrontendService" => Some(Self::Public),
            _ => None,
        }
    }

    /// The service's name: in signatures, and before the colon of actions.
    pub(crate) fn service(self) -> &'static str {
        match self {
            Self::Private => "ecr",
            Self::Public => "ecr-public",
        }
    }

    /// The actions that must be allowed.
    fn actions(self) -> &'static [&'static str] {
        match self {
            Self::Private => &["ecr:GetAuthorizationToken"],
            Self::Public => &["ecr-public:GetAuthorizationToken", "sts:GetServiceBearerToken"],
        }
    }
}

/// A success. No `Debug`: it holds the password.
pub(crate) struct Authorization {
    registry: Registry,
    token: String,
    expires_at: Timestamp,
    /// One for each private registry.
    endpoints: Vec<String>,
}

impl Authorization {
    /// The JSON answer. `expiration` stands in for the true one; empty, the field is left out.
    pub(crate) fn document(&self, expiration: Option<&str>) -> String {
        let end = match expiration {
            None => Some(json!(self.expires_at.as_second())),
            Some("") => None,
            // A number where it is one, as AWS has it.
            Some(text) => Some(text.parse::<serde_json::Number>().map_or(json!(text), Value::from)),
        };
        let data = |endpoint: Option<&String>| {
            let fields = [
                ("authorizationToken", Some(json!(self.token))),
                ("expiresAt", end.clone()),
                ("proxyEndpoint", endpoint.map(|endpoint| json!(endpoint))),
            ];
            let given = fields.into_iter().filter_map(|(name, value)| Some((name, value?)));
            Value::from_iter(given.collect::<Vec<_>>())
        };
        let data = match self.registry {
            Registry::Public => data(None),
            Registry::Private => self.endpoints.iter().map(|it| data(Some(it))).collect(),
        };
        json!({ "authorizationData": data }).to_string()
    }
}

/// Judges a request, and notes in `record` who called.
pub(crate) fn judge(
    state: &State,
    call: &Call,
    json: &JsonCall,
    now: Timestamp,
    record: &mut RequestRecord,
) -> Result<Authorization, Refusal> {
    let known = Registry::of(json).filter(|_| json.operation == OPERATION);
    let Some(registry) = known else {
        return Err(Refusal::bad("UnknownOperationException", ""));
    };
    let signature = call.signature.as_ref().ok().and_then(Option::as_ref);
    let region = signature.map(|signature| signature.region.as_str()).unwrap_or_default();
    if registry == Registry::Public && signature.is_some() && region != PUBLIC_REGION {
        let text = format!("Credential should be scoped to a valid region, not '{region}'.");
        return Err(Refusal::signature(text).in_json());
    }
    let caller = authenticate(state, call, registry.service(), now).map_err(Refusal::in_json)?;
    record.caller = Some(caller.subject.arn().to_owned());
    let Some(fields) = &json.fields else {
        return Err(Refusal::bad("SerializationException", "The request is not a JSON object."));
    };
    check_policies(state, &caller, registry, now)?;
    let principal = caller.subject.principal();
    let registries = registries(fields.get("registryIds"), principal)?;
    let password = state.passwords().issue().map_err(Refusal::from).map_err(Refusal::in_json)?;
    let seconds = (LIFE_SECONDS / state.world.lifetime_divisor).max(1);
    let end = now.saturating_add(SignedDuration::from_secs(i64::from(seconds)));
    let suffix = dns_suffix(principal.partition());
    Ok(Authorization {
        registry,
        token: authorization_token(&password),
        expires_at: whole_second(end.unwrap_or(Timestamp::MAX)),
        endpoints: registries
            .iter()
            .map(|account| format!("https://{account}.dkr.ecr.{region}.{suffix}"))
            .collect(),
    })
}

/// What goes over the wire: name and password in base64.
pub(crate) fn authorization_token(password: &str) -> String {
    STANDARD.encode(format!("AWS:{password}"))
}

/// The refusal of a caller whose policies are silent.
pub(crate) fn not_authorized(caller: &str, registry: Registry) -> Refusal {
    let action = registry.actions().first().copied().unwrap_or_default();
    refusal(caller, action, Verdict::Silent)
}

fn check_policies(
    state: &State,
    caller: &Authenticated,
    registry: Registry,
    now: Timestamp,
) -> Result<(), Refusal> {
    let context = caller::context(caller, caller.baggage.mfa_at, now);
    for action in registry.actions() {
        let verdict = caller::own_verdict(state, caller, action, "*", &context);
        if verdict != Verdict::Allowed {
            return Err(refusal(caller.subject.arn(), action, verdict));
        }
    }
    Ok(())
}

fn refusal(caller: &str, action: &str, verdict: Verdict) -> Refusal {
    let reason = match verdict {
        Verdict::Denied => "with an explicit deny in an identity-based policy".to_owned(),
        _ => format!("because no identity-based policy allows the {action} action"),
    };
    let Refusal { message, .. } = Refusal::not_authorized(caller, action, "*");
    Refusal::bad("AccessDeniedException", format!("{message} {reason}"))
}

/// The accounts whose registries are meant: those asked for, or the caller's.
fn registries(asked: Option<&Value>, principal: &Arn) -> Result<Vec<String>, Refusal> {
    let asked = match asked {
        None | Some(Value::Null) => return Ok(vec![principal.account().to_owned()]),
        Some(asked) => asked.as_array().filter(|list| (1..=10).contains(&list.len())),
    };
    let accounts = asked
        .into_iter()
        .flatten()
        .map(|account| account.as_str().filter(|text| is_account(text)).map(str::to_owned));
    let accounts: Option<Vec<_>> = accounts.collect();
    accounts.filter(|list| !list.is_empty()).ok_or_else(|| {
        let text = "Invalid parameter at 'registryIds' failed to satisfy constraint: '1 to 10 \
                    account ids'";
        Refusal::bad("InvalidParameterException", text)
    })
}

/// The DNS suffix of a partition's services.
/// <https://github.com/aws/aws-sdk-java-v2/blob/master/core/regions/src/main/resources/software/amazon/awssdk/regions/internal/region/partitions.json>
fn dns_suffix(partition: &str) -> &'static str {
    match partition {
        "aws-cn" => "amazonaws.com.cn",
        "aws-eusc" => "amazonaws.eu",
        "aws-iso" => "c2s.ic.gov",
        "aws-iso-b" => "sc2s.sgov.gov",
        "aws-iso-e" => "cloud.adc-e.uk",
        "aws-iso-f" => "csp.hci.ic.gov",
        _ => "amazonaws.com",
    }
}

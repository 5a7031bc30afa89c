//! From the fields of a spec to what the step is to do, with every problem at once.

mod who;

use rolecall_aws::{Endpoint, PlainHttp};
use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::fields::Fields as Object;
use rolecall_engine::grant::{Parameters, ViaHop, check_via_count};
use rolecall_engine::region::Region;
use rolecall_engine::request::{
    MfaCode, MfaSerial, RoleRequest, SessionDuration, SessionName, seconds_from_text,
};
use rolecall_engine::violation::Violations;
use serde_json::{Map, Value};

pub(crate) use self::who::Who;
use super::fields::{Field, Fields};

/// What the step is to do.
#[derive(Debug)]
pub(crate) struct Spec {
    pub(crate) who: Who,
    /// `None` leaves it to the environment.
    pub(crate) region: Option<Region>,
    pub(crate) via: Vec<RoleRequest>,
    pub(crate) last: RoleRequest,
    pub(crate) mfa: Option<(MfaSerial, MfaCode)>,
    pub(crate) endpoint: Option<String>,
    pub(crate) allow_http: bool,
}

/// Where the environment stands in for the spec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings<'a> {
    pub(crate) has_region: bool,
    /// The endpoint that is named there, and by what.
    pub(crate) endpoint: Option<(&'static str, &'a str)>,
}

impl Spec {
    pub(crate) fn read(
        fields: &Fields,
        around: Surroundings<'_>,
        violations: &mut Violations,
    ) -> Option<Self> {
        let mut reader = Reader { fields, violations, is_aws_lost: false };
        reader.find_aws();
        let who = reader.who();
        let region = reader.region(around);
        let allow_http = reader.boolean("allowHTTP");
        let endpoint = reader.endpoint(allow_http, around.endpoint);
        let allow_http = allow_http && (endpoint.is_some() || around.endpoint.is_some());
        let is_elsewhere = endpoint.is_some() || around.endpoint.is_some();
        let dialect = if is_elsewhere { Dialect::Compatible } else { Dialect::Aws };
        let role = reader.required("roleARN");
        let role = reader.parsed("roleARN", role, |text| RoleArn::parse(text, dialect));
        let name = reader.required("roleSessionName");
        let name = reader.parsed("roleSessionName", name, SessionName::parse);
        let duration = reader.duration();
        let parameters = reader.parameters();
        // A hop without a name of its own shares the step's, so that CloudTrail shows one.
        let hop_name = name.clone().unwrap_or_else(|| SessionName::made_from("step"));
        let via = reader.via(dialect, &hop_name);
        let mfa = reader.mfa();
        let has_mfa = !matches!(fields.get("mfa"), Field::Missing | Field::Null);
        if matches!(who, Some(Who::Token(_) | Who::TokenFile(_))) && has_mfa {
            violations.push("mfa", "stands beside aws.webIdentity, and a token has no device");
        }
        // What else there is to say of the plan is said beside a name that is wrong.
        let last = Parameters { duration, ..parameters }.request(role?, &hop_name);
        let (who, region) = (who?, region?);
        Some(Self { who, region, via, last, mfa: mfa.flatten(), endpoint, allow_http })
    }
}

struct Reader<'a> {
    fields: &'a Fields,
    violations: &'a mut Violations,
    /// Whether it is told already that `aws` as a whole cannot be had.
    is_aws_lost: bool,
}

impl Reader<'_> {
    /// Where `aws` itself is not there, no field of it is: that is one fault.
    fn find_aws(&mut self) {
        let (one, other) = (self.fields.get("aws.ambient"), self.fields.get("aws.webIdentity"));
        self.is_aws_lost = one == other;
        match one {
            Field::Unresolved(what) if self.is_aws_lost => {
                self.violations.push("aws", format_args!("names {what}, which is not there"));
            }
            Field::Invalid(why) if self.is_aws_lost && why.ends_with("aws is no object") => {
                self.violations.push("aws", "must be a map with connection and region");
            }
            Field::Invalid(why) if self.is_aws_lost => self.violations.push("aws", why),
            _ => self.is_aws_lost = false,
        }
    }

    /// A field that is there; what is wrong with it is told.
    fn value(&mut self, path: &str) -> Option<Value> {
        match self.fields.get(path) {
            Field::Missing | Field::Null => None,
            Field::Value(value) => Some(value.clone()),
            Field::Unresolved(what) => {
                self.violations.push(path, format_args!("names {what}, which is not there"));
                None
            }
            Field::Invalid(why) => {
                self.violations.push(path, why);
                None
            }
        }
    }

    /// Whether anything was written there.
    fn is_written(&self, path: &str) -> bool {
        !matches!(self.fields.get(path), Field::Missing | Field::Null)
    }

    fn text(&mut self, path: &str) -> Option<String> {
        match self.value(path)? {
            Value::String(text) => Some(text),
            other => {
                let found = kind(&other);
                let hint = "put it in quotes, or make it a string where it comes from";
                let problem = format_args!("must be a string, is {found}");
                self.violations.push_with_hint(path, problem, hint);
                None
            }
        }
    }

    fn required(&mut self, path: &str) -> Option<String> {
        match self.fields.get(path) {
            Field::Missing => {
                self.violations.push(path, "is missing");
                None
            }
            Field::Null => {
                self.violations.push(path, "is null");
                None
            }
            _ => self.text(path),
        }
    }

    fn parsed<T, E: std::fmt::Display>(
        &mut self,
        path: &str,
        text: Option<String>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        self.violations.keep(path, parse(&text?))
    }

    fn boolean(&mut self, path: &str) -> bool {
        match self.value(path) {
            None => false,
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
            Some(other) => {
                let problem = format!("must be true or false, is {}", kind(&other));
                self.violations.push(path, problem);
                false
            }
        }
    }

    /// The region of `aws`, else the old form's beside it; else the environment's.
    #[expect(clippy::option_option, reason = "wrong, left to the environment, or a region")]
    fn region(&mut self, around: Surroundings<'_>) -> Option<Option<Region>> {
        let is_own = self.is_written("aws.region") && !self.is_aws_lost;
        let path = if is_own { "aws.region" } else { "region" };
        if !self.is_written(path) {
            if self.is_aws_lost {
                return None;
            }
            if !around.has_region {
                let is_null = *self.fields.get("aws.region") == Field::Null;
                let problem = if is_null { "is null" } else { "is missing" };
                let hint = "write it into the spec, or set AWS_REGION by env of the step";
                self.violations.push_with_hint("aws.region", problem, hint);
                return None;
            }
            return Some(None);
        }
        let text = self.text(path)?;
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.violations.push(path, "holds white space or a line break");
            return None;
        }
        let region = Region::parse(&text).ok();
        if region.is_none() {
            // What stands there by mistake may be a key.
            self.violations.push_with_hint(path, "is not a region", "as eu-west-1");
        }
        region.map(Some)
    }

    fn endpoint(
        &mut self,
        allow_http: bool,
        around: Option<(&'static str, &str)>,
    ) -> Option<String> {
        let own = self.text("endpoint");
        match (&own, around) {
            (Some(url), _) if !self.is_endpoint("endpoint", url, allow_http) => return None,
            (None, Some((origin, url))) if !self.is_endpoint(origin, url, allow_http) => {}
            (None, None) if allow_http && !self.is_written("endpoint") => {
                self.violations.push("allowHTTP", "is not used: there is no endpoint");
            }
            _ => {}
        }
        own
    }

    /// Whether a URL can be called; what is wrong with it is told.
    fn is_endpoint(&mut self, path: &str, url: &str, allow_http: bool) -> bool {
        let plain = if allow_http { PlainHttp::Anywhere } else { PlainHttp::Loopback };
        let is_usable = Endpoint::parse(url, plain).is_ok();
        if !is_usable {
            let is_plain = Endpoint::parse(url, PlainHttp::Anywhere).is_ok();
            let problem = if is_plain {
                "is plain http to another machine, where session tokens go in clear"
            } else {
                "is not an http or https URL of a host"
            };
            let hint = if is_plain {
                "use https; allowHTTP: true in the spec lets it be"
            } else {
                "as https://HOST"
            };
            self.violations.push_with_hint(path, problem, hint);
        }
        is_usable
    }

    /// Seconds, as a number or as text, or a text as `1h30m`.
    fn duration(&mut self) -> Option<SessionDuration> {
        const PATH: &str = "duration";
        let seconds = match self.value(PATH)? {
            Value::Number(number) if whole(&number).is_some() => whole(&number),
            Value::String(text) if seconds_from_text(&text).is_ok() => {
                seconds_from_text(&text).ok()
            }
            other => {
                let found = if other.is_string() { "another text" } else { kind(&other) };
                let problem = format!("must be whole seconds, or as 1h30m; is {found}");
                self.violations.push(PATH, problem);
                None
            }
        };
        self.violations.keep(PATH, SessionDuration::from_seconds(seconds?))
    }

    /// The parameters that have a grant's own words.
    fn parameters(&mut self) -> Parameters {
        let mut object = Map::new();
        for word in
            ["externalID", "policy", "policyARNs", "tags", "transitiveTagKeys", "sourceIdentity"]
        {
            if let Some(value) = self.value(word) {
                object.insert(word.to_owned(), value);
            }
        }
        Parameters::read(&Value::Object(object), "", self.violations)
    }

    fn via(&mut self, dialect: Dialect, name: &SessionName) -> Vec<RoleRequest> {
        const PATH: &str = "via";
        let items = match self.value(PATH) {
            None => return Vec::new(),
            Some(Value::Array(items)) => items,
            Some(other) => {
                self.violations.push(PATH, format!("must be a list, is {}", kind(&other)));
                return Vec::new();
            }
        };
        check_via_count(PATH, items.len(), self.violations);
        let mut hops = Vec::new();
        for (index, item) in items.iter().enumerate() {
            let hop = ViaHop::read(item, &format!("{PATH}[{index}]"), dialect, self.violations);
            hops.extend(hop.map(|hop| hop.request(name)));
        }
        hops
    }

    /// `{serialNumber, tokenCode}`.
    #[expect(clippy::option_option, reason = "wrong, absent, or a device and its code")]
    fn mfa(&mut self) -> Option<Option<(MfaSerial, MfaCode)>> {
        const PATH: &str = "mfa";
        let count = self.violations.len();
        let Some(value) = self.value(PATH) else {
            return (self.violations.len() == count).then_some(None);
        };
        let mut object = Object::of(&value, PATH, self.violations)?;
        let serial = object.required_text("serialNumber", self.violations);
        let code = object.required_text("tokenCode", self.violations);
        object.finish(self.violations, |_| None);
        let serial = self.violations.keep("mfa.serialNumber", MfaSerial::parse(serial?));
        let code = self.violations.keep("mfa.tokenCode", MfaCode::parse(code?));
        Some(Some((serial?, code?)))
    }
}

/// JSON knows no difference between 900 and 900.0.
fn whole(number: &serde_json::Number) -> Option<i64> {
    let of_fraction = || {
        let number = number.as_f64().filter(|number| number.fract() == 0.0)?;
        format!("{number:.0}").parse().ok()
    };
    number.as_i64().or_else(of_fraction)
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

//! From the fields of a spec to what the step is to do, with every problem at once.

use rolecall_aws::{Endpoint, PlainHttp};
use rolecall_engine::arn::{Dialect, RoleArn};
use rolecall_engine::fields::Fields as Object;
use rolecall_engine::grant::{Parameters, ViaHop, check_via_count};
use rolecall_engine::region::Region;
use rolecall_engine::request::{
    MfaCode, MfaSerial, RoleRequest, SessionDuration, SessionName, seconds_from_text,
};
use rolecall_engine::session::{Credentials, InvalidCredentials};
use rolecall_engine::violation::Violations;
use secrecy::SecretString;
use serde_json::{Map, Value};

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

/// Who asks.
#[derive(Debug)]
pub(crate) enum Who {
    /// The keys of the connection.
    Connection(Credentials),
    /// A web identity token that stands in the spec.
    Token(SecretString),
    /// A web identity token in a file of the container.
    TokenFile(String),
    /// The default chain of the container.
    Ambient,
}

/// Where the environment stands in for the spec.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Surroundings {
    pub(crate) has_region: bool,
    /// Whether an endpoint is named there.
    pub(crate) has_endpoint: bool,
}

impl Spec {
    pub(crate) fn read(
        fields: &Fields,
        around: Surroundings,
        violations: &mut Violations,
    ) -> Option<Self> {
        let mut reader = Reader { fields, violations };
        let who = reader.who();
        let region = reader.region(around);
        let allow_http = reader.boolean("allowHTTP");
        let endpoint = reader.endpoint(allow_http);
        let is_elsewhere = endpoint.is_some() || around.has_endpoint;
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
        if let (Some(Who::Token(_) | Who::TokenFile(_)), Some(Some(_))) = (&who, &mfa) {
            violations.push("mfa", "stands beside aws.webIdentity, and a token has no device");
        }
        let last = Parameters { duration, ..parameters }.request(role?, &name?);
        let (who, region) = (who?, region?);
        Some(Self { who, region, via, last, mfa: mfa?, endpoint, allow_http })
    }
}

struct Reader<'a> {
    fields: &'a Fields,
    violations: &'a mut Violations,
}

impl Reader<'_> {
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

    fn who(&mut self) -> Option<Who> {
        const CONNECTION: [&str; 3] = [
            "aws.connection.accessKeyID",
            "aws.connection.secretAccessKey",
            "aws.connection.sessionToken",
        ];
        const FLAT: [&str; 3] = ["aws.accessKeyID", "aws.secretAccessKey", "aws.sessionToken"];
        let has_connection = CONNECTION.iter().any(|path| self.is_written(path));
        let has_flat = FLAT.iter().any(|path| self.is_written(path));
        let has_token = self.is_written("aws.webIdentity");
        let is_ambient = self.boolean("aws.ambient");
        let others = [(has_token, "aws.webIdentity"), (is_ambient, "aws.ambient")];
        let written: Vec<&str> =
            others.iter().filter(|(is_there, _)| *is_there).map(|(_, path)| *path).collect();
        if has_connection || has_flat {
            for path in &written {
                self.violations.push(*path, "stands beside a connection: leave one of them out");
            }
        } else if written.len() > 1 {
            self.violations
                .push("aws.ambient", "stands beside aws.webIdentity: leave one of them out");
        }
        match (has_connection, has_flat) {
            // The old form, where the connection was `aws` itself.
            (false, true) => self.keys(FLAT),
            (false, false) if has_token => self.token(),
            (false, false) if is_ambient => Some(Who::Ambient),
            _ => self.keys(CONNECTION),
        }
    }

    fn keys(&mut self, paths: [&str; 3]) -> Option<Who> {
        let [id_path, secret_path, token_path] = paths;
        let has_none = paths.iter().all(|path| !self.is_written(path));
        if has_none {
            let hint = "write connection: !Connection {type: aws, name: NAME}, or have the container \
                        ask for itself with ambient: true";
            self.violations.push_with_hint("aws.connection", "is missing", hint);
            return None;
        }
        let (id, secret) = (self.required(id_path), self.required(secret_path));
        let count = self.violations.len();
        let token = self.text(token_path);
        if self.violations.len() > count {
            return None;
        }
        let token = token.map(SecretString::from);
        match Credentials::accept(id?, SecretString::from(secret?), token) {
            Ok(credentials) => Some(Who::Connection(credentials)),
            Err(problems) => {
                for problem in problems {
                    let path = match &problem {
                        InvalidCredentials::Empty { part }
                        | InvalidCredentials::WhiteSpace { part, .. }
                        | InvalidCredentials::Placeholder { part }
                        | InvalidCredentials::NotAscii { part } => match *part {
                            "access key ID" => id_path,
                            "secret access key" => secret_path,
                            _ => token_path,
                        },
                        InvalidCredentials::NoSessionToken => token_path,
                        _ => id_path,
                    };
                    let hint = problem.hint();
                    self.violations.push_with_hint(path, &problem, hint);
                }
                None
            }
        }
    }

    /// `{token: TOKEN}` or `{tokenFile: PATH}`.
    fn token(&mut self) -> Option<Who> {
        const PATH: &str = "aws.webIdentity";
        let value = self.value(PATH)?;
        let mut object = Object::of(&value, PATH, self.violations)?;
        let (token, file) =
            (object.text("token", self.violations), object.text("tokenFile", self.violations));
        object.finish(self.violations, |_| None);
        match (token, file) {
            // Bounds: https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html
            (Some(token), None) => {
                let token = token.trim();
                let is_token = (4..=20_000).contains(&token.len())
                    && token.bytes().all(|b| b.is_ascii_graphic());
                if !is_token {
                    let problem = "must be 4 to 20000 visible characters";
                    self.violations.push(format!("{PATH}.token"), problem);
                }
                Some(Who::Token(SecretString::from(token)))
            }
            (None, Some(file)) => Some(Who::TokenFile(file.to_owned())),
            _ => {
                self.violations.push(PATH, "must have one of token and tokenFile");
                None
            }
        }
    }

    /// The region of `aws`, else the old form's beside it; else the environment's.
    #[expect(clippy::option_option, reason = "wrong, left to the environment, or a region")]
    fn region(&mut self, around: Surroundings) -> Option<Option<Region>> {
        let path = if self.is_written("aws.region") { "aws.region" } else { "region" };
        if !self.is_written(path) {
            if !around.has_region {
                let hint = "write it into the spec, or set AWS_REGION by env of the step";
                self.violations.push_with_hint("aws.region", "is missing", hint);
                return None;
            }
            return Some(None);
        }
        let text = self.text(path)?;
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            self.violations.push(path, "holds white space or a line break");
            return None;
        }
        self.violations.keep(path, Region::parse(&text)).map(Some)
    }

    fn endpoint(&mut self, allow_http: bool) -> Option<String> {
        let Some(url) = self.text("endpoint") else {
            if allow_http && !self.is_written("endpoint") {
                self.violations.push("allowHTTP", "is not used: there is no endpoint");
            }
            return None;
        };
        let plain = if allow_http { PlainHttp::Anywhere } else { PlainHttp::Loopback };
        if Endpoint::parse(&url, plain).is_err() {
            let is_plain = Endpoint::parse(&url, PlainHttp::Anywhere).is_ok();
            let problem = if is_plain {
                "is plain http to another machine, where session tokens go in clear"
            } else {
                "is not an http or https URL of a host"
            };
            let hint = if is_plain { "allowHTTP: true lets it be" } else { "as https://HOST" };
            self.violations.push_with_hint("endpoint", problem, hint);
        }
        Some(url)
    }

    /// Seconds, as a number or as text, or a text as `1h30m`.
    fn duration(&mut self) -> Option<SessionDuration> {
        const PATH: &str = "duration";
        let seconds = match self.value(PATH)? {
            Value::Number(number) if number.is_i64() => number.as_i64(),
            Value::String(text) => self.violations.keep(PATH, seconds_from_text(&text)),
            other => {
                let problem = format!("must be a number of seconds, is {}", kind(&other));
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

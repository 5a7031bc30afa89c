//! Who asks, as a spec says it: a connection, a web identity token, or the container itself.

use rolecall_engine::fields::Fields as Object;
use rolecall_engine::session::{Credentials, InvalidCredentials};
use rolecall_engine::token::token_in;
use secrecy::SecretString;
use serde_json::Value;

use super::Reader;
use crate::relay::fields::Field;

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

impl Reader<'_> {
    pub(super) fn who(&mut self) -> Option<Who> {
        const CONNECTION: [&str; 3] = [
            "aws.connection.accessKeyID",
            "aws.connection.secretAccessKey",
            "aws.connection.sessionToken",
        ];
        const FLAT: [&str; 3] = ["aws.accessKeyID", "aws.secretAccessKey", "aws.sessionToken"];
        if self.is_aws_lost {
            return None;
        }
        let has_connection = CONNECTION.iter().any(|path| {
            let is_empty = *self.fields.get(path) == Field::Value(Value::from(""));
            self.is_written(path) && !is_empty
        });
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
            (Some(text), None) => {
                let token = token_in(text);
                if token.is_none() {
                    let problem = "must be 4 to 20000 visible characters";
                    self.violations.push(format!("{PATH}.token"), problem);
                }
                token.map(Who::Token)
            }
            (None, Some(file)) => Some(Who::TokenFile(file.to_owned())),
            _ => {
                self.violations.push(PATH, "must have one of token and tokenFile");
                None
            }
        }
    }
}

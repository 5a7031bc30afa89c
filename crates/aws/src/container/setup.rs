//! What the environment says of the container's endpoint: where it is, whose, and with what token.
//!
//! The SDK reads the same variables for itself. They are read here to name the endpoint, and to say
//! what is wrong with them in place of the SDK.

use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use http::Uri;
use rolecall_engine::error::SourceError;
use rolecall_engine::token::claims_for_people;
use secrecy::SecretString;

use crate::files;
use crate::observer::Transport;

/// Where keys are asked for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Setup {
    pub(super) agent: Agent,
    /// Scheme, host and port; not what else a URL may hold.
    pub(super) address: String,
    pub(super) host: String,
    pub(super) transport: Transport,
    /// The file with the token, where there is one; it hides a token of the environment.
    pub(super) token_file: Option<PathBuf>,
}

/// Who answers there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Agent {
    /// The agent of EKS Pod Identity on the node.
    PodIdentity,
    /// The agent of ECS.
    Ecs,
    /// Somebody else who speaks their protocol.
    Other,
}

impl Setup {
    /// Reads the variables by `variable`; `None` where none of them names an endpoint.
    ///
    /// # Errors
    ///
    /// [`SourceError::Missing`] for values that can name no endpoint, or hold no token.
    pub(super) fn read(
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Option<Self>, SourceError> {
        let (relative, full) = (variable(RELATIVE_URI), variable(FULL_URI));
        let is_set = |value: &Option<String>| value.as_ref().is_some_and(|v| !v.is_empty());
        if !is_set(&relative) && !is_set(&full) {
            return Ok(None);
        }
        // To the SDK a path that is set and empty is a path, and a file too.
        if relative.as_deref() == Some("") {
            return Err(hides(RELATIVE_URI, FULL_URI));
        }
        let token_file = variable(TOKEN_FILE);
        if token_file.as_deref() == Some("") {
            return Err(hides(TOKEN_FILE, TOKEN));
        }
        let is_odd = |text: &String| text.chars().any(|c| c != '\t' && !(' '..='~').contains(&c));
        if token_file.is_none() && variable(TOKEN).as_ref().is_some_and(is_odd) {
            return Err(missing(format!("{TOKEN} holds a character that no token has"), NO_BREAK));
        }
        let token_file = token_file.map(PathBuf::from);
        match (relative, full) {
            (Some(path), _) => Self::of_ecs(&path, token_file).map(Some),
            (None, full) => Self::of_url(&full.unwrap_or_default(), token_file).map(Some),
        }
    }

    fn of_ecs(path: &str, token_file: Option<PathBuf>) -> Result<Self, SourceError> {
        if !path.starts_with('/') || path.parse::<Uri>().is_err() {
            let what = format!("{RELATIVE_URI} is not the path of a URL");
            return Err(missing(what, "it begins with a slash; ECS sets it by itself"));
        }
        Ok(Self {
            agent: Agent::Ecs,
            address: format!("http://{ECS}"),
            host: ECS.to_string(),
            transport: Transport::Direct,
            token_file,
        })
    }

    fn of_url(url: &str, token_file: Option<PathBuf>) -> Result<Self, SourceError> {
        let odd = || {
            let what = format!("{FULL_URI} is not an http or https URL");
            missing(what, "it has the form http://HOST:PORT/PATH; EKS and ECS set it by themselves")
        };
        let uri: Uri = url.parse().map_err(|_| odd())?;
        let (transport, scheme) = match uri.scheme_str() {
            Some("http") => (Transport::Direct, "http"),
            Some("https") => (Transport::Tls, "https"),
            _ => return Err(odd()),
        };
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(odd)?.to_owned();
        let port = uri.port_u16().map_or_else(String::new, |port| format!(":{port}"));
        let agent = match host.trim_matches(['[', ']']).parse::<IpAddr>() {
            Ok(address) if is_pod_identity(address) => Agent::PodIdentity,
            Ok(address) if address == ECS => Agent::Ecs,
            _ if token_file.as_deref().is_some_and(is_pod_identity_token) => Agent::PodIdentity,
            _ => Agent::Other,
        };
        let address = format!("{scheme}://{host}{port}");
        Ok(Self { agent, address, host, transport, token_file })
    }

    /// What keeps the token file from being used, if something does.
    pub(super) fn token_fault(&self) -> Option<SourceError> {
        let file = self.token_file.as_deref()?;
        let shown = file.display();
        match files::read(file) {
            Ok(token) if token.is_empty() => {
                Some(missing(format!("the token file {shown} ({TOKEN_FILE}) is empty"), NO_BREAK))
            }
            Ok(token) => {
                let is_odd = |byte: &u8| *byte != b'\t' && (*byte < b' ' || *byte == 0x7f);
                let odd = *token.iter().find(|byte| is_odd(byte))?;
                let what =
                    if matches!(odd, b'\n' | b'\r') { "a line break" } else { "a character" };
                let at_end = token.trim_ascii_end().iter().all(|byte| !is_odd(byte));
                let verb = if at_end { "ends in" } else { "holds" };
                let what = format!(
                    "the token file {shown} ({TOKEN_FILE}) {verb} {what} that no token has"
                );
                Some(missing(what, NO_BREAK))
            }
            Err(error) => {
                let why = match error.kind() {
                    std::io::ErrorKind::NotFound => "does not exist",
                    std::io::ErrorKind::PermissionDenied => "may not be read by this user",
                    std::io::ErrorKind::IsADirectory => "is a folder",
                    std::io::ErrorKind::FileTooLarge => "is larger than 1 MiB",
                    _ => "cannot be read",
                };
                let what = format!("the token file {shown} ({TOKEN_FILE}) {why}");
                let is_refused = error.kind() == std::io::ErrorKind::PermissionDenied;
                let hint = match self.agent {
                    _ if is_refused => "run as a user that may read it; in a pod set fsGroup",
                    Agent::PodIdentity => {
                        "EKS mounts it into pods of a service account with a pod identity \
                         association that were made after the association"
                    }
                    Agent::Ecs | Agent::Other => "correct the variable, or unset it",
                };
                Some(missing(what, hint))
            }
        }
    }

    /// What the token says of itself, for people.
    pub(super) fn token_claims(&self) -> String {
        let Some(file) = self.token_file.as_deref() else {
            return format!("{TOKEN_FILE} names no file of one");
        };
        let token = files::read(file).ok();
        token
            .and_then(|bytes| std::str::from_utf8(&bytes).ok().map(SecretString::from))
            .and_then(|token| claims_for_people(&token))
            .unwrap_or_else(|| "it is no readable JWT".to_owned())
    }
}

/// The addresses of the EKS Pod Identity agent.
fn is_pod_identity(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address == Ipv4Addr::new(169, 254, 170, 23),
        IpAddr::V6(address) => address.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23],
    }
}

/// Where EKS mounts the token of a pod.
fn is_pod_identity_token(file: &Path) -> bool {
    file.components().any(|part| part.as_os_str() == "pods.eks.amazonaws.com")
}

fn hides(set: &str, hidden: &str) -> SourceError {
    let what = format!("{set} is set and empty, which hides {hidden}");
    missing(what, format!("unset {set}"))
}

pub(super) fn missing(what: String, hint: impl Into<String>) -> SourceError {
    SourceError::Missing { what, hint: Some(hint.into()) }
}

pub(super) const FULL_URI: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
const RELATIVE_URI: &str = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI";
pub(super) const TOKEN_FILE: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE";
const TOKEN: &str = "AWS_CONTAINER_AUTHORIZATION_TOKEN";
const ECS: Ipv4Addr = Ipv4Addr::new(169, 254, 170, 2);
const NO_BREAK: &str = "write the token alone, for example with printf %s";

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<Option<Setup>, String> {
        let variable = |name: &str| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Setup::read(variable).map_err(|error| error.to_string())
    }

    #[test]
    fn the_variables_say_whose_endpoint_it_is() {
        let eks_token = "/var/run/secrets/pods.eks.amazonaws.com/serviceaccount/token";
        for (variables, agent, address) in [
            (&[(RELATIVE_URI, "/v2/x")][..], Agent::Ecs, "http://169.254.170.2"),
            (
                &[(RELATIVE_URI, "/x"), (FULL_URI, "http://[::1]/")],
                Agent::Ecs,
                "http://169.254.170.2",
            ),
            (&[(FULL_URI, "http://169.254.170.2/v2")], Agent::Ecs, "http://169.254.170.2"),
            (
                &[(FULL_URI, "http://169.254.170.23/v1/credentials")],
                Agent::PodIdentity,
                "http://169.254.170.23",
            ),
            (
                &[(FULL_URI, "http://[fd00:ec2::23]/v1")],
                Agent::PodIdentity,
                "http://[fd00:ec2::23]",
            ),
            (
                &[(FULL_URI, "http://127.0.0.1:80/v1"), (TOKEN_FILE, eks_token)],
                Agent::PodIdentity,
                "http://127.0.0.1:80",
            ),
            (&[(FULL_URI, "https://user:canary@host/x?canary")], Agent::Other, "https://host"),
            (
                &[(FULL_URI, "http://localhost:1/"), (TOKEN, "t")],
                Agent::Other,
                "http://localhost:1",
            ),
        ] {
            let setup = read(variables).unwrap().unwrap();
            assert_eq!((setup.agent, setup.address.as_str()), (agent, address), "{variables:?}");
        }
    }

    #[test]
    fn nothing_named_is_no_endpoint() {
        for variables in [
            &[][..],
            &[(TOKEN_FILE, "/left/over")],
            &[(FULL_URI, "")],
            &[(FULL_URI, ""), (RELATIVE_URI, "")],
        ] {
            assert_eq!(read(variables), Ok(None), "{variables:?}");
        }
    }

    #[test]
    fn what_names_no_endpoint_is_refused_without_its_value() {
        for (variables, begins) in [
            (&[(FULL_URI, "canary")][..], "AWS_CONTAINER_CREDENTIALS_FULL_URI is not"),
            (&[(FULL_URI, "canary c")], "AWS_CONTAINER_CREDENTIALS_FULL_URI is not"),
            (&[(FULL_URI, "ftp://canary/")], "AWS_CONTAINER_CREDENTIALS_FULL_URI is not"),
            (&[(FULL_URI, "http:///canary")], "AWS_CONTAINER_CREDENTIALS_FULL_URI is not"),
            (&[(FULL_URI, "//canary/x")], "AWS_CONTAINER_CREDENTIALS_FULL_URI is not"),
            (&[(RELATIVE_URI, "canary")], "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not"),
            (&[(RELATIVE_URI, "/canary c")], "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is not"),
            (
                &[(RELATIVE_URI, ""), (FULL_URI, "http://[::1]/")],
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI is set and empty",
            ),
            (
                &[(FULL_URI, "http://[::1]/"), (TOKEN_FILE, "")],
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE is set and empty",
            ),
            (
                &[(FULL_URI, "http://[::1]/"), (TOKEN, "canary\n")],
                "AWS_CONTAINER_AUTHORIZATION_TOKEN holds",
            ),
        ] {
            let error = read(variables).unwrap_err();
            assert!(error.starts_with(begins), "{error}");
            assert!(!error.contains("canary"), "{error}");
        }
    }
}

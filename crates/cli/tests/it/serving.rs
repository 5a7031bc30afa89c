//! `rolecall emulate` as a server of its own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::harness::{Case, Sink};

/// A running server, and what it printed for clients to use.
pub(crate) struct Server {
    child: Child,
    pub(crate) environment: Vec<(String, String)>,
}

impl Server {
    pub(crate) fn start(case: &Case, more: &[&str]) -> Self {
        let mut command = case.command(&[&["emulate"], more].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let pair = |line: String| {
            let (name, value) = line.strip_prefix("export ")?.split_once('=')?;
            Some((name.to_owned(), value.to_owned()))
        };
        let environment = lines.map_while(pair).collect();
        Self { child, environment }
    }

    pub(crate) fn value(&self, name: &str) -> Option<&str> {
        self.environment.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    #[track_caller]
    pub(crate) fn end(mut self, signal: &str) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", signal, &id]).status().unwrap().success());
        assert_eq!(self.child.wait().unwrap().code(), Some(0), "{signal}");
    }
}

#[test]
fn the_emulator_serves_until_it_is_told_to_end() {
    let server = Server::start(&Case::new(), &[]);
    let mut client = Case::new();
    for (name, value) in &server.environment {
        client.env(name, value);
    }
    let hub = "arn:aws:iam::111122223333:role/hub";
    let ran = client.run(&["assume", hub], Sink::Stdout);
    let url = server.value("AWS_ENDPOINT_URL_STS").unwrap();
    assert!(url.starts_with("http://"), "{url}");
    assert_eq!(server.value("AWS_ENDPOINT_URL_ECR"), Some(url));
    assert_eq!(server.value("AWS_ENDPOINT_URL_ECR_PUBLIC"), Some(url));
    assert_eq!(server.value("AWS_CA_BUNDLE"), None);
    server.end("TERM");
    assert_eq!(ran.status, 0, "{}", ran.stderr);
}

#[test]
fn the_certificate_of_the_authority_is_in_a_file_until_the_end() {
    let case = Case::new();
    let folder = case.folder("tmp");
    for signal in ["TERM", "INT", "HUP"] {
        let server = Server::start(&case, &["--tls"]);
        let url = server.value("AWS_ENDPOINT_URL_STS").unwrap();
        assert!(url.starts_with("https://127.0.0.1:"), "{url}");
        let file = PathBuf::from(server.value("AWS_CA_BUNDLE").unwrap());
        assert_eq!(file.parent(), Some(folder.as_path()));
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.starts_with("-----BEGIN CERTIFICATE-----"), "{text}");
        assert!(!text.contains("PRIVATE"), "the key of the authority is in the file");
        server.end(signal);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "{signal}");
    }
}

#[test]
fn a_path_with_a_space_is_quoted() {
    let mut case = Case::new();
    let folder = case.folder("tmp").join("a b'c");
    std::fs::create_dir(&folder).unwrap();
    case.env("TMPDIR", folder.display().to_string());
    let server = Server::start(&case, &["--tls"]);
    let value = server.value("AWS_CA_BUNDLE").unwrap();
    let script = format!("test -f {value}");
    assert!(Command::new("sh").args(["-c", &script]).status().unwrap().success(), "{value}");
    server.end("TERM");
}

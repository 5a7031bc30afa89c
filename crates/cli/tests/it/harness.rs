//! Runs the binary as a user would and looks for secrets where none may be.
//!
//! Every run has its own home, working and temporary folder and nothing of our environment but
//! what the case gives. Standard error, logs and files are searched for every canary: raw, base64,
//! URL- and JSON-escaped. Standard output is searched too: for what went in always, for what STS
//! gave unless it was asked for.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use rolecall_emulator::{Emulator, IssuedSecrets, Options, Transport, World};
use tokio::runtime::Runtime;

/// Drives the emulators of all tests.
pub(crate) static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new().unwrap());

/// Waits for a future of the emulator.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    RUNTIME.block_on(future)
}

/// Alice's keys of the built-in world.
pub(crate) const ALICE_KEY_ID: &str = "AKIAEMULATEDALICE001";

/// An emulated STS in this process.
pub(crate) struct Sts {
    pub(crate) emulator: Emulator,
    pub(crate) alice_secret: String,
}

impl Sts {
    pub(crate) fn start() -> Self {
        Self::ahead(SignedDuration::ZERO)
    }

    /// An STS whose clock is ahead of this machine's.
    pub(crate) fn ahead(by: SignedDuration) -> Self {
        Self::with(World::builtin().unwrap(), by)
    }

    pub(crate) fn over_tls() -> Self {
        Self::start_with(World::builtin().unwrap(), SignedDuration::ZERO, Transport::Https)
    }

    pub(crate) fn with(world: World, ahead: SignedDuration) -> Self {
        Self::start_with(world, ahead, Transport::Http)
    }

    fn start_with(world: World, ahead: SignedDuration, transport: Transport) -> Self {
        let users = world.users();
        let alice = users.iter().find(|user| user.access_key_id == ALICE_KEY_ID).unwrap();
        let alice_secret = alice.secret_access_key.clone();
        #[expect(clippy::disallowed_methods, reason = "the test's clock")]
        let clock: Arc<dyn Fn() -> Timestamp + Send + Sync> =
            Arc::new(move || Timestamp::now() + ahead);
        let listen = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        let options = Options { listen, transport, clock };
        let emulator = wait(Emulator::start(world, options)).unwrap();
        Self { emulator, alice_secret }
    }

    /// How many calls of an operation were received.
    pub(crate) fn calls(&self, operation: &str) -> usize {
        let requests = self.emulator.requests();
        requests.iter().filter(|request| request.operation.as_deref() == Some(operation)).count()
    }

    /// A run whose default chain is alice by the environment, at this STS.
    pub(crate) fn alice(&self) -> Case {
        let mut case = Case::new();
        for service in ["STS", "ECR", "ECR_PUBLIC"] {
            case.env(&format!("AWS_ENDPOINT_URL_{service}"), self.emulator.sts_url());
        }
        case.env("AWS_REGION", "eu-west-1");
        case.env("AWS_ACCESS_KEY_ID", ALICE_KEY_ID);
        case.env("AWS_SECRET_ACCESS_KEY", &self.alice_secret);
        case.canary(&self.alice_secret);
        case
    }

    /// The token of the first session that was handed out.
    pub(crate) fn session_token(&self) -> String {
        let issued = self.emulator.issued();
        let mut tokens = issued.iter().filter_map(|issued| match issued {
            IssuedSecrets::Session { session_token, .. } => Some(session_token.clone()),
            _ => None,
        });
        tokens.next().unwrap()
    }

    /// Registers everything that this STS has handed out.
    pub(crate) fn add_canaries(&self, case: &mut Case) {
        for issued in self.emulator.issued() {
            for text in issued.texts() {
                case.issued(text);
            }
        }
    }
}

/// Where secrets may go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Sink {
    /// Standard output, and nowhere else.
    Stdout,
    /// Nowhere.
    None,
}

/// One run's world: files, environment, canaries.
pub(crate) struct Case {
    root: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    /// Secrets that went in: they may come out nowhere.
    canaries: Vec<String>,
    /// Secrets that STS gave: they may come out where they were asked for.
    issued: Vec<String>,
    stdin: Option<PathBuf>,
    /// What the binary is run by.
    wrapper: Vec<String>,
}

/// What a run printed.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Case {
    pub(crate) fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        for folder in ["home", "work", "tmp"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        let mut case = Self {
            root,
            environment: BTreeMap::new(),
            canaries: Vec::new(),
            issued: Vec::new(),
            stdin: None,
            wrapper: Vec::new(),
        };
        case.env("HOME", case.folder("home").display().to_string());
        case.env("TMPDIR", case.folder("tmp").display().to_string());
        case.env("PATH", "/usr/bin:/bin");
        case.env("USER", "tester");
        // This machine is no EC2 instance, and the tests must not ask whether it is.
        case.env("AWS_EC2_METADATA_DISABLED", "true");
        case
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn env(&mut self, name: &str, value: impl Into<String>) -> &mut Self {
        self.environment.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn unset(&mut self, name: &str) -> &mut Self {
        self.environment.remove(name);
        self
    }

    pub(crate) fn file(&mut self, name: &str, text: impl AsRef<[u8]>) -> &mut Self {
        let path = self.folder("work").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        self
    }

    /// Gives a file as standard input.
    pub(crate) fn stdin(&mut self, name: &str) -> &mut Self {
        self.stdin = Some(self.folder("work").join(name));
        self
    }

    /// Runs it in a session of its own, without the terminal that the tests may have.
    pub(crate) fn without_terminal(&mut self) -> &mut Self {
        self.wrapper = ["setsid", "--wait"].map(str::to_owned).into();
        self
    }

    pub(crate) fn canary(&mut self, secret: &str) -> &mut Self {
        if !secret.is_empty() && !self.canaries.iter().any(|known| known == secret) {
            self.canaries.push(secret.to_owned());
        }
        self
    }

    pub(crate) fn issued(&mut self, secret: &str) -> &mut Self {
        self.issued.push(secret.to_owned());
        self
    }

    /// The command, for tests that need to talk to it while it runs.
    pub(crate) fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut words = self.wrapper.iter().map(String::as_str);
        let rolecall = env!("CARGO_BIN_EXE_rolecall");
        let mut command = match words.next() {
            Some(wrapper) => {
                let mut command = Command::new(wrapper);
                command.args(words).arg(rolecall);
                command
            }
            None => Command::new(rolecall),
        };
        command.args(arguments).current_dir(self.folder("work"));
        command.env_clear().envs(&self.environment);
        let stdin = self.stdin.as_ref().map(|file| std::fs::File::open(file).unwrap());
        command.stdin(stdin.map_or_else(Stdio::null, Stdio::from));
        command
    }

    /// Another program in the same place, for tests that run the binary by it.
    pub(crate) fn command_of(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder("work"));
        command.env_clear().envs(&self.environment);
        command
    }

    /// Runs the binary, and fails if a file changed or a canary shows up outside of `sink`.
    #[track_caller]
    pub(crate) fn run<S: AsRef<OsStr>>(&self, arguments: &[S], sink: Sink) -> Ran {
        let before = snapshot(self.root.path());
        let output = self.command(arguments).output().unwrap();
        let ran = Ran {
            status: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        };
        assert_eq!(before, snapshot(self.root.path()), "a file was changed: {ran:?}");
        self.search(&ran, sink);
        ran
    }

    /// The search alone, for canaries that became known after the run.
    #[track_caller]
    pub(crate) fn search(&self, ran: &Ran, sink: Sink) {
        for canary in self.canaries.iter().chain(&self.issued) {
            for form in forms(canary) {
                assert!(!ran.stderr.contains(&form), "a secret is on standard error");
            }
        }
        let of_stdout = self.canaries.iter().chain(match sink {
            Sink::Stdout => [].iter(),
            Sink::None => self.issued.iter(),
        });
        for canary in of_stdout {
            for form in forms(canary) {
                assert!(!ran.stdout.contains(&form), "a secret is on standard output");
            }
        }
    }

    /// Text without what differs from run to run.
    pub(crate) fn filtered(&self, text: &str) -> String {
        text.replace(&self.root.path().display().to_string(), "[ROOT]")
    }
}

fn forms(secret: &str) -> Vec<String> {
    let json = serde_json::to_string(secret).unwrap();
    let percent: String = secret
        .bytes()
        .map(|b| match b {
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => char::from(b).to_string(),
            b => format!("%{b:02X}"),
        })
        .collect();
    vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        STANDARD_NO_PAD.encode(secret),
        URL_SAFE_NO_PAD.encode(secret),
        percent,
        json.trim_matches('"').to_owned(),
    ]
}

/// Every file below `root` with its content.
fn snapshot(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.insert(path.clone(), std::fs::read(path).unwrap());
            }
        }
    }
    files
}

#[test]
#[should_panic(expected = "a secret is on standard error")]
fn the_harness_finds_an_escaped_secret() {
    let mut case = Case::new();
    case.canary("can/ary+=");
    let stderr = "error: can%2Fary%2B%3D".to_owned();
    case.search(&Ran { status: 0, stdout: String::new(), stderr }, Sink::Stdout);
}

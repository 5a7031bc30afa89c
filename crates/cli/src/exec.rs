//! `exec`: runs a command with the credentials of a role in its environment.
//!
//! On Unix the command replaces this process, so its exit status and its signals are its own. Only
//! with `--emulate` this process stays, since the emulator lives in it.

use std::ffi::OsString;
use std::io;
use std::process::Command;

use rolecall_engine::output::variables;

use crate::EXEC_FAILURE;
use crate::args::ExecArgs;
use crate::door::{Door, in_seconds};
use crate::report::{Exit, Failure};
use crate::request::{Answer, run as request};
use crate::settings::{Settings, named_variable};
use crate::signals::Signals;
use crate::terminal::Terminal;

/// What is left to do when the credentials are there.
#[derive(Debug)]
pub(crate) enum Next {
    /// Run the command in place of this process.
    Replace(Box<Command>),
    /// The command has run; this is its status.
    Done(u8),
}

/// Runs the command up to the point where the process is replaced.
pub(crate) async fn run(
    args: &ExecArgs,
    settings: &Settings,
    terminal: Terminal,
) -> Result<Next, Failure> {
    let door = Door::open(&args.request.source, &args.request.guards, settings, terminal).await?;
    let next = with_door(args, settings, &door).await;
    door.close().await;
    next
}

async fn with_door(args: &ExecArgs, settings: &Settings, door: &Door) -> Result<Next, Failure> {
    let answer = request(&args.request, settings, door).await?;
    let ends_at = in_seconds(answer.session.ends_at());
    door.terminal.note(&format!("the credentials end at {ends_at} and are not renewed"));
    let mut command = prepare(&args.command, &answer)?;
    let Some(emulation) = &door.emulation else {
        return Ok(Next::Replace(Box::new(command)));
    };
    let endpoint = emulation.endpoint()?;
    for name in ["AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_ECR", "AWS_ENDPOINT_URL_ECR_PUBLIC"] {
        command.env(name, endpoint.as_str());
    }
    // A proxy of the environment would take the calls away from the emulator.
    for name in ["NO_PROXY", "no_proxy"] {
        command.env(name, with_loopback(named_variable(name)));
    }
    // These go with no endpoint of one's own.
    for name in [
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS",
        "AWS_USE_FIPS_ENDPOINT",
        "AWS_USE_DUALSTACK_ENDPOINT",
    ] {
        command.env_remove(name);
    }
    Ok(Next::Done(wait(command, door.terminal).await?))
}

/// The hosts that go through no proxy, and this machine.
fn with_loopback(hosts: Option<OsString>) -> OsString {
    let mut hosts = hosts.unwrap_or_default();
    if !hosts.is_empty() {
        hosts.push(",");
    }
    hosts.push("127.0.0.1");
    hosts
}

fn prepare(words: &[OsString], answer: &Answer) -> Result<Command, Failure> {
    let Some((program, arguments)) = words.split_first() else {
        return Err(Failure::usage("there is no command after --"));
    };
    let mut command = Command::new(program);
    command.args(arguments);
    for name in SCRUBBED {
        command.env_remove(name);
    }
    for (name, value) in variables(&answer.session, &answer.region) {
        command.env(name, value.as_str());
    }
    Ok(command)
}

/// Replaces this process; comes back only with the status of a failure.
#[cfg(unix)]
pub(crate) fn replace(mut command: Command, terminal: Terminal) -> u8 {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    could_not_run(&command, &error, terminal)
}

/// Runs the command and takes over its status, where a process cannot be replaced.
#[cfg(not(unix))]
pub(crate) fn replace(mut command: Command, terminal: Terminal) -> u8 {
    match command.status() {
        Ok(status) => status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1),
        Err(error) => could_not_run(&command, &error, terminal),
    }
}

/// Runs the command beside the emulator, and passes on the signals that are sent to this process
/// alone. Ctrl-C goes from the terminal to both, and only the command acts on it.
async fn wait(command: Command, terminal: Terminal) -> Result<u8, Failure> {
    let mut command = tokio::process::Command::from(command);
    command.kill_on_drop(true);
    let no_signals = |error: io::Error| {
        Failure::new(Exit::Other, "could not listen for signals").cause(error.to_string())
    };
    let mut signals = Signals::listen().map_err(no_signals)?;
    // A command that gave a code of an MFA device may have run before.
    rolecall_aws::command::keep_signals();
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Ok(could_not_run(command.as_std(), &error, terminal)),
    };
    loop {
        tokio::select! {
            status = child.wait() => return Ok(status.map_or(EXEC_FAILURE, status_of)),
            signal = signals.next() => signal.send_to(&child),
        }
    }
}

#[cfg(unix)]
fn status_of(status: std::process::ExitStatus) -> u8 {
    use std::os::unix::process::ExitStatusExt;
    let signalled = status.signal().map(|signal| signal.saturating_add(128));
    status.code().or(signalled).and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

#[cfg(not(unix))]
fn status_of(status: std::process::ExitStatus) -> u8 {
    status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
}

/// 126 and 127, as a shell says it.
fn could_not_run(command: &Command, error: &io::Error, terminal: Terminal) -> u8 {
    let program = command.get_program().to_string_lossy();
    let failure = Failure::new(Exit::Other, format!("could not run {program}"))
        .cause(error.to_string())
        .hint("the command is looked up in PATH, unless it has a slash, and must be executable");
    terminal.failure(&failure);
    if error.kind() == io::ErrorKind::NotFound { 127 } else { 126 }
}

/// What would win over the credentials, or belongs to another identity.
const SCRUBBED: [&str; 18] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_SECURITY_TOKEN",
    "AWS_CREDENTIAL_EXPIRATION",
    "AWS_SESSION_EXPIRATION",
    "AWS_PROFILE",
    "AWS_DEFAULT_PROFILE",
    "AWS_ROLE_ARN",
    "AWS_ROLE_SESSION_NAME",
    "AWS_WEB_IDENTITY_TOKEN_FILE",
    "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
    "AWS_CREDENTIAL_FILE",
    // Read beside the keys by newer SDKs, and of another account than these.
    "AWS_ACCOUNT_ID",
    "AWS_CREDENTIAL_SCOPE",
];

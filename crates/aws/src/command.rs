//! Runs a command that the user configured, for what it prints.
//!
//! Its standard error goes where ours goes, so that its prompts and its complaints are seen. What
//! it prints is taken for a secret: zeroed when dropped, and in no message.

use std::io::IsTerminal;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, Command};
use zeroize::Zeroizing;

/// How long a command may take when nobody sits at a terminal who could answer it.
pub const MOST_WAIT: Duration = Duration::from_mins(1);

/// The most that a command may print. The longest thing asked for is a web identity token.
const MOST_BYTES: usize = 64 * 1024;

/// Runs a command line of the shell and gives its standard output.
///
/// Nothing of our own standard input is read for it: the command gets it where it is a terminal,
/// else nothing.
///
/// # Errors
///
/// [`CommandError`] when it cannot be started, fails, prints no text or too much, or takes longer
/// than [`MOST_WAIT`] while no terminal is there; it is ended then.
///
/// # Cancellation
///
/// Dropping the future ends the command.
pub async fn output(
    line: &str,
    variables: &[(&str, &str)],
) -> Result<Zeroizing<String>, CommandError> {
    let is_attended = std::io::stdin().is_terminal();
    let mut command = shell(line);
    command
        .envs(variables.iter().copied())
        .stdin(if is_attended { Stdio::inherit() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    let child = command.spawn().map_err(|error| CommandError::Start(error.to_string()))?;
    if is_attended {
        return read(child).await;
    }
    match tokio::time::timeout(MOST_WAIT, read(child)).await {
        Ok(result) => result,
        Err(_) => Err(CommandError::TimedOut),
    }
}

async fn read(mut child: Child) -> Result<Zeroizing<String>, CommandError> {
    // Room for all of it, so that no secret is left behind by a growing buffer.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 1));
    if let Some(stdout) = child.stdout.take() {
        let most = u64::try_from(MOST_BYTES + 1).unwrap_or(u64::MAX);
        let read = stdout.take(most).read_to_end(&mut bytes).await;
        read.map_err(|error| CommandError::Start(error.to_string()))?;
    }
    if bytes.len() > MOST_BYTES {
        return Err(CommandError::TooMuch);
    }
    let status = child.wait().await.map_err(|error| CommandError::Start(error.to_string()))?;
    if !status.success() {
        return Err(CommandError::Failed(status.to_string()));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| CommandError::NotText)?;
    Ok(Zeroizing::new(text.to_owned()))
}

#[cfg(unix)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("sh");
    command.arg("-c").arg(line);
    command
}

#[cfg(windows)]
fn shell(line: &str) -> Command {
    let mut command = Command::new("cmd.exe");
    command.arg("/C").arg(line);
    command
}

/// Why a command gave nothing.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// It could not be started or read.
    #[error("could not be run: {0}")]
    Start(String),
    /// It ended with another status than 0.
    #[error("ended with {0}; what it says stands above")]
    Failed(String),
    /// It was ended after [`MOST_WAIT`].
    #[error("took longer than 60 s and was ended")]
    TimedOut,
    /// It prints more than anything that is asked for.
    #[error("printed over 64 KiB")]
    TooMuch,
    /// It prints something else than UTF-8.
    #[error("printed no text")]
    NotText,
}

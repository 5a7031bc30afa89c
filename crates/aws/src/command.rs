//! Runs a command that the user configured, for what it prints.
//!
//! Its standard error goes where ours goes, so that its prompts and its complaints are seen. What
//! it prints is taken for a secret: zeroed when dropped, and in no message.

mod signals;

use std::fs::File;
use std::io::{self, IsTerminal};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::AsyncReadExt;
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{Instant, sleep, sleep_until};
use zeroize::Zeroizing;

use signals::Watch;
pub use signals::keep as keep_signals;

/// How long a command may take when nobody sits at a terminal who could answer it.
pub const MOST_WAIT: Duration = Duration::from_mins(1);

/// How long the output is waited for after the command has ended. All that it printed itself is in
/// the pipe by then; this is for a part of it that is about to end too. What stays longer is a
/// process left in the background, which may hold the pipe for ever.
const GRACE: Duration = Duration::from_secs(1);

/// The most that a command may print. The longest thing asked for is a web identity token.
const MOST_BYTES: usize = 64 * 1024;

/// Runs a command line of the shell and gives its standard output.
///
/// Nothing of our own standard input is read for it: the command gets it where it is a terminal,
/// else nothing. It has ended when the shell has; processes that it leaves in the background live
/// on, and what they print later is not waited for.
///
/// Without any terminal it runs in a process group of its own, which is ended as a whole. With one
/// it stays in ours: Ctrl-C reaches it from there, and it may ask at the terminal.
///
/// # Errors
///
/// [`CommandError`] when it cannot be started, fails, prints no text or too much, or takes longer
/// than [`MOST_WAIT`] while standard input is no terminal; it is ended then.
///
/// # Cancellation
///
/// Dropping the future ends the command. So does SIGINT, SIGTERM, SIGHUP or SIGQUIT to this process
/// while no terminal is there: the command's group ends first, then this process by the same signal.
pub async fn output(
    line: &str,
    variables: &[(&str, &str)],
) -> Result<Zeroizing<String>, CommandError> {
    let is_attended = io::stdin().is_terminal();
    let group = if is_attended || has_terminal() { Group::Ours } else { Group::Own };
    let stdin = if is_attended { Stdio::inherit() } else { Stdio::null() };
    if is_attended {
        return run(line, variables, stdin, group, std::future::pending()).await;
    }
    // Before the start, so that no signal falls between.
    let mut watch = if group == Group::Own { Watch::begin() } else { None };
    let end = async {
        tokio::select! {
            () = signals::next(watch.as_mut()) => CommandError::Interrupted,
            () = sleep(MOST_WAIT) => CommandError::TimedOut,
        }
    };
    let result = run(line, variables, stdin, group, end).await;
    drop(watch);
    if result == Err(CommandError::Interrupted) {
        signals::pass_on();
    }
    result
}

/// Which process group a command runs in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Group {
    /// That of this process.
    Ours,
    /// Its own, with all that it starts.
    Own,
}

/// Whether this process has a terminal, be it standard input or not. A command that asks there
/// must be in the group that the terminal listens to, or it is stopped.
fn has_terminal() -> bool {
    cfg!(windows) || File::open("/dev/tty").is_ok()
}

/// Runs it until it has ended or `end` has come.
async fn run(
    line: &str,
    variables: &[(&str, &str)],
    stdin: Stdio,
    group: Group,
    end: impl Future<Output = CommandError>,
) -> Result<Zeroizing<String>, CommandError> {
    let mut command = shell(line);
    command
        .envs(variables.iter().copied())
        .stdin(stdin)
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true);
    #[cfg(unix)]
    if group == Group::Own {
        command.process_group(0);
    }
    let child = command.spawn().map_err(|error| CommandError::Start(error.to_string()))?;
    let mut running = Running { child, group };
    tokio::select! {
        result = running.read() => result,
        error = end => Err(error),
    }
}

/// A command that has not ended; dropping it ends its whole group, where that is its own.
struct Running {
    child: Child,
    group: Group,
}

impl Running {
    async fn read(&mut self) -> Result<Zeroizing<String>, CommandError> {
        // Room for all of it and one more, so that no secret is left behind by a growing buffer.
        let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 2));
        let status = match self.child.stdout.take() {
            Some(stdout) => self.read_into(&mut bytes, stdout).await,
            None => self.child.wait().await,
        };
        let status = status.map_err(|error| CommandError::Start(error.to_string()))?;
        if bytes.len() > MOST_BYTES {
            return Err(CommandError::TooMuch);
        }
        if !status.success() {
            return Err(CommandError::Failed(status.to_string()));
        }
        let text = std::str::from_utf8(&bytes).map_err(|_| CommandError::NotText)?;
        Ok(Zeroizing::new(text.to_owned()))
    }

    /// Reads up to the end of the pipe or, [`GRACE`] after the command's own end, as far as it got.
    async fn read_into(
        &mut self,
        bytes: &mut Vec<u8>,
        stdout: ChildStdout,
    ) -> io::Result<ExitStatus> {
        let mut stdout = stdout.take(u64::try_from(MOST_BYTES + 1).unwrap_or(u64::MAX));
        let mut ended: Option<(ExitStatus, Instant)> = None;
        loop {
            let give_up_at = ended.map_or_else(Instant::now, |(_, at)| at + GRACE);
            tokio::select! {
                // What is in the pipe is taken before the time counts.
                biased;
                count = stdout.read_buf(bytes) => {
                    if count? == 0 {
                        break;
                    }
                }
                status = self.child.wait(), if ended.is_none() => {
                    ended = Some((status?, Instant::now()));
                }
                () = sleep_until(give_up_at), if ended.is_some() => break,
            }
        }
        match ended {
            Some((status, _)) => Ok(status),
            // Who prints without end does not end by itself.
            None if bytes.len() > MOST_BYTES => Ok(ExitStatus::default()),
            None => self.child.wait().await,
        }
    }
}

#[cfg(unix)]
impl Drop for Running {
    fn drop(&mut self) {
        use rustix::process::{Pid, Signal, kill_process_group};
        // There is no ID once it has ended: what it left behind then was meant to stay.
        let id = self.child.id().and_then(|id| i32::try_from(id).ok());
        if self.group == Group::Own
            && let Some(leader) = id.and_then(Pid::from_raw)
        {
            // It may have ended in this moment.
            kill_process_group(leader, Signal::KILL).ok();
        }
    }
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
    #[error("ended with {0}; what it said, if anything, stands above")]
    Failed(String),
    /// It was ended after [`MOST_WAIT`].
    #[error("took longer than {} s and was ended", MOST_WAIT.as_secs())]
    TimedOut,
    /// It was ended since a signal told this process to end.
    #[error("was interrupted")]
    Interrupted,
    /// It prints more than anything that is asked for.
    #[error("printed over 64 KiB")]
    TooMuch,
    /// It prints something else than UTF-8.
    #[error("printed no text")]
    NotText,
}

#[cfg(all(test, target_os = "linux"))]
mod tests;
